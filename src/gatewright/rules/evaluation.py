"""Predictions of candidate and baseline on the same rows → EvaluationReport, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import EvaluationReport, Latency, LatencyRatio
from gatewright.domain.metrics import METRICS, Task
from gatewright.domain.project import EvaluationSection, FairnessSection
from gatewright.rules.measuring.cells import METRIC_VERSION
from gatewright.rules.measuring.measured import primary
from gatewright.rules.measuring.plan import Plan, planned
from gatewright.rules.measuring.prediction_rows import BASELINE, GOLDEN, ID, PIECE, Identities, check_piece, pieces
from gatewright.rules.measuring.tally import Pass
from gatewright.rules.measuring.weak_slices import sample, weak_slices

if TYPE_CHECKING:
    import polars as pl


def evaluate(
    predictions: pl.DataFrame | pl.LazyFrame,
    evaluation: EvaluationSection,
    fairness: FairnessSection,
    *,
    model: str,
    task: Task,
    candidate_digest: str,
    baseline_digest: str | None,
    evaluation_digest: str,
    golden_digest: str | None = None,
    candidate_latency: Latency | None = None,
    baseline_latency: Latency | None = None,
    latency_ratio: LatencyRatio | None = None,
    notes: Sequence[str] = (),
    rows_at_once: int = PIECE,
) -> EvaluationReport:
    """Count what each model answered to each label, per slice and group, and sum what is no count.

    `predictions`: a row per row of the evaluation set with `id`, `label` (not for task score), `candidate`, `baseline`
    and `golden` (exactly when there is such a digest), `candidate_score` … (binary: the probability of the positive
    class) or `candidate_log_loss` and `candidate_brier` … (multiclass) where the models can say it, and every column
    that a slice, an attribute or the cluster names. UnusableInput when rows are missing, doubled or without a
    prediction, when labels and answers can never be equal, or when a metric cannot be measured.
    """
    others = [name for name, digest in ((BASELINE, baseline_digest), (GOLDEN, golden_digest)) if digest]
    plan = planned(predictions, evaluation, fairness, task, others)
    passed = _counted(predictions, plan, rows_at_once)
    pair = passed.pairs[0]
    report = EvaluationReport(
        model=model,
        task=task,
        metric=primary(evaluation, task),
        metrics=plan.metrics,
        metric_version=METRIC_VERSION,
        candidate_digest=candidate_digest,
        baseline_digest=baseline_digest,
        evaluation_digest=evaluation_digest,
        **pair.evidence(plan),
        positive=fairness.positive,
        calibration=passed.calibration(),
        candidate_latency=candidate_latency,
        baseline_latency=baseline_latency,
        latency_ratio=latency_ratio,
        notes=(*notes, *pair.without_rows(plan)),
        weight=plan.weight,
    )
    _check_primary(report, by_cluster=plan.cluster is not None)
    if fairness.attributes and report.outcomes:
        _check_positive(report)
    if plan.weight is not None:
        report = replace(report, notes=(*report.notes, _weighing(report)))
    elif evaluation.weak_slices:
        seen = sample(predictions, plan.explored, report.overall.rows)
        weak = weak_slices(seen, task, plan.own, list(report.slices))
        report = replace(report, weak_slices=weak)
    if golden_digest is None:
        return report
    golden = passed.pairs[-1].evidence(plan) | {"groups": {}}
    return replace(report, golden=replace(report, **_only_golden(golden_digest), **golden))


def _counted(predictions: pl.DataFrame | pl.LazyFrame, plan: Plan, rows_at_once: int) -> Pass:
    """The pass over all rows, each checked."""
    passed = Pass(plan)
    identities = Identities()
    empty = True
    for piece in pieces(predictions, plan.columns, rows_at_once):
        empty = False
        check_piece(piece, predictions, plan.filled)
        identities.add(piece[ID])
        passed.add(piece)
    if empty:
        raise UnusableInput("the evaluation set has no rows", fix="add a data version of role eval with rows")
    identities.check(predictions)
    passed.finish(predictions)
    return passed


def _weighing(report: EvaluationReport) -> str:
    """What the weights cost, and what is left out because of them."""
    rows, effective = report.overall.rows, report.overall.effective_rows
    return (
        f"rows carry weights ({report.weight}): {rows:,} rows are worth {effective:,.0f} of equal weight (design "
        f"effect {rows / effective:.2f}); weak slices are not looked for"
    )


def _only_golden(digest: str) -> dict[str, Any]:
    """What the report beside the golden baseline has of its own, besides the counts."""
    return {
        "baseline_digest": digest,
        "calibration": None,
        "candidate_latency": None,
        "baseline_latency": None,
        "latency_ratio": None,
        "weak_slices": (),
        "notes": (),
    }


def _check_primary(report: EvaluationReport, *, by_cluster: bool) -> None:
    """The metric that the gates compare has a value and a variance on all rows."""
    summed = by_cluster or report.weight is not None or METRICS[report.metric].kind != "count"
    if summed and report.metric not in report.overall.scores:
        why = "rows of two clusters are needed" if by_cluster else "it needs more rows, or rows of both classes"
        raise UnusableInput(
            f"{report.metric} is undefined on these {report.overall.rows:,} rows: {why}",
            fix="evaluate on more rows, or choose another evaluation.metric",
        )


def _check_positive(report: EvaluationReport) -> None:
    if not any(outcome.label == report.positive for outcome in report.outcomes):
        raise UnusableInput(
            f"no label is {report.positive}: nobody would count as selected, and every group would look alike",
            fix="set fairness.positive to the label that means selected",
        )
