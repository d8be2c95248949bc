"""The summary numbers of one model, as point mode compares them and people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import Arm, EvaluationReport, Measures, SliceEvidence
from gatewright.domain.metrics import METRICS
from gatewright.rules.measuring.metrics import Outcomes

MIN_ROWS = 100
# Shares are rounded here, so that decimal arithmetic on them has no surprise at a boundary.
_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """The largest gap of selection rates within one attribute; `left_out` names the groups that were too small."""

    difference: float | None
    attribute: str | None = None
    highest: str | None = None
    lowest: str | None = None
    left_out: tuple[str, ...] = ()


def parity(report: EvaluationReport, arm: Arm, min_rows: int = MIN_ROWS) -> Parity:
    """Demographic parity difference of the worst attribute, over groups of at least `min_rows` rows.

    max − min of P(prediction = positive | group), as in Agarwal et al., "A Reductions Approach to Fair
    Classification" (2018), section 2. None when no attribute has two such groups, or the task has no classes.
    """
    left_out: list[str] = []
    worst: tuple[Fraction, str, str, str] | None = None
    for attribute, groups in report.groups.items():
        left_out += [f"{attribute}={name}" for name, group in groups.items() if group.rows < min_rows]
        rates = {
            name: Fraction(_selected(report, group, arm)) / Fraction(sum(group.counts))
            for name, group in groups.items()
            if group.rows >= min_rows and report.outcomes
        }
        if len(rates) > 1:
            highest, lowest = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
            gap = rates[highest] - rates[lowest]
            if worst is None or gap > worst[0]:
                worst = (gap, attribute, highest, lowest)
    if worst is None:
        return Parity(difference=None, left_out=tuple(left_out))
    gap, attribute, highest, lowest = worst
    return Parity(
        difference=_rounded(gap), attribute=attribute, highest=highest, lowest=lowest, left_out=tuple(left_out)
    )


def measures(report: EvaluationReport, arm: Arm = "candidate", min_rows: int = MIN_ROWS) -> Measures:
    """The summary numbers of one model: `overall_accuracy` and `slices` hold the report's primary metric.

    A slice in which the metric is undefined is not there. UnusableInput when `arm` is the baseline and there is none.
    """
    latency = report.candidate_latency if arm == "candidate" else report.baseline_latency
    overall, slices = values(report, report.metric, arm)
    if overall is None:
        raise UnusableInput(
            f"{report.metric} is undefined on these {report.overall.rows:,} rows",
            fix="evaluate on rows of both classes, or choose another metric",
        )
    return Measures(
        overall_accuracy=overall,
        slices=slices,
        demographic_parity_diff=parity(report, arm, min_rows).difference,
        latency_p99_ms=latency.p99_ms if latency else None,
        rows=report.overall.rows,
        slice_rows={name: report.slices[name].rows for name in slices},
    )


def values(report: EvaluationReport, metric: str, arm: Arm) -> tuple[float | None, dict[str, float]]:
    """A metric of one model on all rows, and in each slice in which it is defined."""
    if arm == "baseline" and report.baseline_digest is None:
        raise UnusableInput("the report has no baseline", fix="evaluate candidate and baseline in one run")
    evidence = [report.overall, *report.slices.values()]
    if METRICS[metric].kind != "count" or report.weight is not None:
        found = [_score(entry, metric, arm) for entry in evidence]
    elif metric == "accuracy":
        found = _accuracies(report, evidence, arm)
    else:
        counted = Outcomes.of(report).metric(metric, [entry.cells for entry in evidence], arm).tolist()
        found = [None if math.isnan(value) else round(value, _DIGITS) for value in counted]
    overall, *slices = found
    named = zip(report.slices, slices, strict=True)
    return overall, {name: value for name, value in named if value is not None}


def notes(report: EvaluationReport, min_rows: int = MIN_ROWS) -> tuple[str, ...]:
    """What a reader of the verdict should know besides the numbers: the report's own notes, groups left out."""
    left_out = parity(report, "candidate", min_rows).left_out
    if not left_out:
        return report.notes
    return (*report.notes, f"fairness: groups under {min_rows} rows are left out: {', '.join(left_out)}")


def _score(entry: SliceEvidence, metric: str, arm: Arm) -> float | None:
    estimate = entry.scores.get(metric)
    if estimate is None:
        return None
    return estimate.candidate if arm == "candidate" else estimate.baseline


def _accuracies(report: EvaluationReport, evidence: Iterable[SliceEvidence], arm: Arm) -> list[float | None]:
    right = [getattr(outcome, arm) == outcome.label for outcome in report.outcomes]
    return [_rounded(Fraction(_sum(entry.cells, right)) / entry.rows) for entry in evidence]


def _selected(report: EvaluationReport, group: SliceEvidence, arm: Arm) -> float:
    if arm == "baseline" and report.baseline_digest is None:
        raise UnusableInput("the report has no baseline", fix="evaluate candidate and baseline in one run")
    return _sum(group.counts, [getattr(outcome, arm) == report.positive for outcome in report.outcomes])


def _sum(cells: Sequence[float], chosen: Sequence[bool]) -> float:
    return sum(count for count, wanted in zip(cells, chosen, strict=True) if wanted)


def _rounded(value: Fraction) -> float:
    return float(round(value, _DIGITS))


def simple(report: EvaluationReport, arm: Arm, min_rows: int = MIN_ROWS) -> Mapping[str, object]:
    """The simple form of one model's evaluation: accuracies of a task with classes, else the primary metric."""
    has_classes = bool(report.outcomes)
    overall, slices = values(report, "accuracy" if has_classes else report.metric, arm)
    form: dict[str, object] = {"overall_accuracy" if has_classes else report.metric: overall, "slices": slices}
    if has_classes and report.metric != "accuracy":
        form[report.metric] = values(report, report.metric, arm)[0]
    if has_classes:
        form["demographic_parity_diff"] = parity(report, arm, min_rows).difference
    latency = report.candidate_latency if arm == "candidate" else report.baseline_latency
    return form | {"latency_p99_ms": latency.p99_ms if latency else None}
