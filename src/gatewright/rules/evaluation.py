"""Predictions of candidate and baseline on the same rows → EvaluationReport → the summary that gates read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from gatewright.domain.accuracy_counts import METRIC_VERSION, EvaluationReport, GroupCounts, Latency, SliceCounts
from gatewright.domain.documents import plain
from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import Measures
from gatewright.domain.project import EvaluationSection, FairnessSection, SliceSpec
from gatewright.rules.report import report_from as report_from
from gatewright.rules.slices import count, total

if TYPE_CHECKING:
    import polars as pl

ID, LABEL, CANDIDATE, BASELINE = "id", "label", "candidate", "baseline"
MIN_ROWS = 100
# Shares are rounded here, so that decimal arithmetic on them has no surprise at a boundary.
_DIGITS = 12
_RESERVED = frozenset({ID, LABEL, CANDIDATE, BASELINE})

Which = Literal["candidate", "baseline"]


def evaluate(
    predictions: pl.DataFrame,
    evaluation: EvaluationSection,
    fairness: FairnessSection,
    *,
    model: str,
    candidate_digest: str,
    baseline_digest: str | None,
    evaluation_digest: str,
    candidate_latency: Latency,
    baseline_latency: Latency | None = None,
    notes: tuple[str, ...] = (),
) -> EvaluationReport:
    """Count what each model got right, and whom it selected, per slice and group.

    `predictions`: one row per row of the evaluation set, with columns `id`, `label`, `candidate`, `baseline` (exactly
    when there is a baseline), and every column that a slice or a fairness attribute names. UnusableInput when rows are
    missing, doubled or without a prediction, or when labels and predictions can never be equal.
    """
    models = [CANDIDATE] if baseline_digest is None else [CANDIDATE, BASELINE]
    columns = {column for spec in evaluation.slices for column in spec.columns} | set(fairness.attributes)
    _check_columns(predictions, models, columns)
    _check_rows(predictions, models)
    if fairness.attributes:
        _check_positive(predictions[LABEL], fairness.positive)
    correct = predictions.with_columns([predictions[name] == predictions[LABEL] for name in models])
    selected = predictions.with_columns([predictions[name] == fairness.positive for name in models])
    slices = {
        name: SliceCounts(**counts) for spec in evaluation.slices for name, counts in count(correct, models, spec)
    }
    return EvaluationReport(
        model=model,
        candidate_digest=candidate_digest,
        baseline_digest=baseline_digest,
        evaluation_digest=evaluation_digest,
        metric_version=METRIC_VERSION,
        overall=SliceCounts(**total(correct, models)),
        slices=slices,
        parity={name: _groups(selected, models, name) for name in fairness.attributes},
        candidate_latency=candidate_latency,
        baseline_latency=baseline_latency,
        notes=notes,
    )


def _groups(selected: pl.DataFrame, models: Sequence[str], attribute: str) -> dict[str, GroupCounts]:
    spec = SliceSpec(columns=(attribute,))
    return {name.removeprefix(f"{attribute}="): GroupCounts(**counts) for name, counts in count(selected, models, spec)}


def _check_columns(predictions: pl.DataFrame, models: Sequence[str], columns: set[str]) -> None:
    if reserved := _RESERVED & columns:
        raise UnusableInput(
            f"a slice or fairness column cannot be called {' or '.join(sorted(reserved))}", fix="rename the column"
        )
    if missing := [name for name in (ID, LABEL, *models, *sorted(columns)) if name not in predictions.columns]:
        raise UnusableInput(
            f"the predictions lack {', '.join(missing)}", fix=f"columns there: {', '.join(predictions.columns)}"
        )
    if BASELINE in predictions.columns and BASELINE not in models:
        raise UnusableInput("there are predictions of a baseline but no baseline", fix="name the baseline's digest")


def _check_rows(predictions: pl.DataFrame, models: Sequence[str]) -> None:
    if predictions.height == 0:
        raise UnusableInput("the evaluation set has no rows", fix="add a data version of role eval with rows")
    for name in (ID, LABEL, *models):
        series = predictions[name]
        gaps = series.null_count() + (int(series.is_nan().sum()) if series.dtype.is_float() else 0)
        if gaps:
            raise UnusableInput(f"{gaps:,} rows have no {name}", fix="each row needs an id, a label and predictions")
    if doubled := predictions.height - predictions[ID].n_unique():
        raise UnusableInput(f"{doubled:,} rows repeat an id", fix="each row of the evaluation set has its own id")
    label = predictions[LABEL].dtype
    for name in models:
        if (found := predictions[name].dtype) != label and not (found.is_numeric() and label.is_numeric()):
            raise UnusableInput(
                f"{name} is {found} but label is {label}: they are never equal",
                fix="let the model answer with the label's own values",
            )


def _check_positive(labels: pl.Series, positive: int) -> None:
    if not labels.dtype.is_numeric() or not (labels == positive).any():
        raise UnusableInput(
            f"no label is {positive}: nobody would count as selected, and every group would look alike",
            fix="set fairness.positive to the label that means selected",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """The largest gap of selection rates within one attribute; `left_out` names the groups that were too small."""

    difference: float | None
    attribute: str | None = None
    highest: str | None = None
    lowest: str | None = None
    left_out: tuple[str, ...] = ()


def parity(report: EvaluationReport, which: Which, min_rows: int = MIN_ROWS) -> Parity:
    """Demographic parity difference of the worst attribute, over groups of at least `min_rows` rows.

    max − min of P(prediction = positive | group), as in Agarwal et al., "A Reductions Approach to Fair
    Classification" (2018), section 2. None when no attribute has two such groups.
    """
    left_out: list[str] = []
    worst: tuple[Fraction, str, str, str] | None = None
    for attribute, groups in report.parity.items():
        left_out += [f"{attribute}={name}" for name, group in groups.items() if group.rows < min_rows]
        rates = {
            name: Fraction(_hits(group, which), group.rows) for name, group in groups.items() if group.rows >= min_rows
        }
        if len(rates) > 1:
            highest, lowest = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
            gap = rates[highest] - rates[lowest]
            if worst is None or gap > worst[0]:
                worst = (gap, attribute, highest, lowest)
    if worst is None:
        return Parity(difference=None, left_out=tuple(left_out))
    gap, attribute, highest, lowest = worst
    return Parity(difference=_share(gap), attribute=attribute, highest=highest, lowest=lowest, left_out=tuple(left_out))


def measures(report: EvaluationReport, which: Which = "candidate", min_rows: int = MIN_ROWS) -> Measures:
    """The summary numbers of one model. UnusableInput when `which` is the baseline and there is none."""
    latency = report.candidate_latency if which == "candidate" else report.baseline_latency
    return Measures(
        overall_accuracy=_accuracy(report.overall, which),
        slices={name: _accuracy(counts, which) for name, counts in report.slices.items()},
        demographic_parity_diff=parity(report, which, min_rows).difference,
        latency_p99_ms=latency.p99_ms if latency else None,
        rows=report.overall.rows,
        slice_rows={name: counts.rows for name, counts in report.slices.items()},
    )


def notes(report: EvaluationReport, min_rows: int = MIN_ROWS) -> tuple[str, ...]:
    """What a reader of the verdict should know besides the numbers: the report's own notes, groups left out."""
    left_out = parity(report, "candidate", min_rows).left_out
    if not left_out:
        return report.notes
    return (*report.notes, f"fairness: groups under {min_rows} rows are left out: {', '.join(left_out)}")


def summary(report: EvaluationReport, min_rows: int = MIN_ROWS) -> dict[str, Any]:
    """The body of evaluation-report.json: the simple form on top, the baseline's beside it, the counts below."""
    return {
        "model": report.model,
        "metric_version": report.metric_version,
        "candidate_digest": report.candidate_digest,
        "baseline_digest": report.baseline_digest,
        "evaluation_digest": report.evaluation_digest,
        **_simple(measures(report, "candidate", min_rows)),
        "baseline": _simple(measures(report, "baseline", min_rows)) if report.overall.baseline is not None else None,
        "counts": {
            "overall": _counts(report.overall),
            "slices": {name: _counts(counts) for name, counts in report.slices.items()},
            "parity": {
                attribute: {name: _counts(group) for name, group in groups.items()}
                for attribute, groups in report.parity.items()
            },
            "candidate_latency": plain(report.candidate_latency),
            "baseline_latency": plain(report.baseline_latency),
        },
        "notes": list(report.notes),
    }


def _simple(values: Measures) -> dict[str, Any]:
    return {
        "overall_accuracy": values.overall_accuracy,
        "slices": dict(values.slices),
        "demographic_parity_diff": values.demographic_parity_diff,
        "latency_p99_ms": values.latency_p99_ms,
    }


def _counts(counts: SliceCounts | GroupCounts) -> Mapping[str, int | None]:
    return {"rows": counts.rows, "candidate": counts.candidate, "baseline": counts.baseline}


def _hits(counts: SliceCounts | GroupCounts, which: Which) -> int:
    hits = counts.candidate if which == "candidate" else counts.baseline
    if hits is None:
        raise UnusableInput("the report has no baseline", fix="evaluate candidate and baseline in one run")
    return hits


def _accuracy(counts: SliceCounts, which: Which) -> float:
    return _share(Fraction(_hits(counts, which), counts.rows))


def _share(value: Fraction) -> float:
    return float(round(value, _DIGITS))
