"""What the types of a report cannot say: that its numbers belong together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from gatewright.domain.evaluation import (
    CalibrationBins,
    EvaluationReport,
    Latency,
    Outcome,
    PairedEstimate,
    SliceEvidence,
)
from gatewright.domain.metrics import METRICS
from gatewright.rules.reports.form import ReportForm
from gatewright.rules.reports.measures import values

Fault = tuple[str, str]
_ROUNDING = 1e-9


def faults(report: EvaluationReport, form: ReportForm) -> Iterator[Fault]:
    """Each field that contradicts another one, and how."""
    found = list(_contradictions(report))
    yield from found
    if not found and report.outcomes:
        yield from _simple(report, form)


def _contradictions(report: EvaluationReport) -> Iterator[Fault]:
    if report.metric not in report.metrics:
        yield "metrics", f"lacks the primary metric {report.metric}"
    for name in report.metrics:
        if report.task not in METRICS[name].tasks:
            yield "metrics", f"{name} is no metric of a {report.task} task"
    yield from _counted(report, "evidence")
    for attribute, groups in report.groups.items():
        yield from _groups(report, groups, f"evidence.groups.{attribute}")
    for name, latency in (("candidate", report.candidate_latency), ("baseline", report.baseline_latency)):
        if latency is not None:
            yield from _latency(latency, f"evidence.{name}_latency")
    ratio = report.latency_ratio
    if ratio is not None and not 0.0 < ratio.value <= ratio.upper:
        yield "evidence.latency_ratio", "is greater than zero, and its upper bound is at least its value"
    if report.calibration is not None:
        yield from _calibration(report, report.calibration)
    if report.golden is not None:
        yield from _counted(report.golden, "evidence.golden")
        if report.golden.overall.rows != report.overall.rows:
            yield "evidence.golden.overall.rows", f"is {report.golden.overall.rows}, not {report.overall.rows}"


def _counted(report: EvaluationReport, path: str) -> Iterator[Fault]:
    yield from _outcomes(report, path)
    yield from _slice(report, report.overall, f"{path}.overall")
    for name, evidence in report.slices.items():
        where = f"{path}.slices.{name}"
        yield from _slice(report, evidence, where)
        yield from _within(evidence, report.overall, where)
    summed = METRICS[report.metric].kind != "count" or report.weight is not None
    if summed and report.metric not in report.overall.scores:
        yield f"{path}.overall.scores", f"lacks the primary metric {report.metric}"


def _outcomes(report: EvaluationReport, path: str) -> Iterator[Fault]:
    has_classes = report.task in ("binary", "multiclass")
    if bool(report.outcomes) != has_classes:
        yield f"{path}.outcomes", "is missing" if has_classes else f"is there although the task is {report.task}"
    if len(set(report.outcomes)) < len(report.outcomes):
        yield f"{path}.outcomes", "names one outcome twice"
    for outcome in report.outcomes:
        yield from _outcome(outcome, report.baseline_digest is not None, f"{path}.outcomes")


def _outcome(outcome: Outcome, has_baseline: bool, path: str) -> Iterator[Fault]:
    if has_baseline and outcome.baseline is None:
        yield path, "lacks the baseline's answer although the report names a baseline"
    if not has_baseline and outcome.baseline is not None:
        yield path, "has a baseline's answer although the report names no baseline"


def _slice(report: EvaluationReport, evidence: SliceEvidence, path: str) -> Iterator[Fault]:
    if len(evidence.cells) != len(report.outcomes):
        yield f"{path}.cells", f"has {len(evidence.cells)} counts for {len(report.outcomes)} outcomes"
    elif evidence.cells and sum(evidence.cells) != evidence.rows:
        yield f"{path}.cells", f"add up to {sum(evidence.cells)}, not to the {evidence.rows} rows"
    yield from _weights(report, evidence, path)
    for name, estimate in evidence.scores.items():
        where = f"{path}.scores.{name}"
        if name not in report.metrics:
            yield where, "is there although it was not measured"
        if estimate.rows != evidence.rows:
            yield f"{where}.rows", f"is {estimate.rows}, not the slice's {evidence.rows}"
        yield from _estimate(estimate, report.baseline_digest is not None, where)


def _weights(report: EvaluationReport, evidence: SliceEvidence, path: str) -> Iterator[Fault]:
    """Sums of weights are there exactly when rows carry weights, and 0 exactly where there are no rows."""
    expected = max(len(report.outcomes), 1) if report.weight is not None else 0
    for name, sums in (("weights", evidence.weights), ("squares", evidence.squares)):
        if len(sums) != expected:
            yield f"{path}.{name}", f"has {len(sums)} sums, not {expected}"
        elif expected and any((cell > 0) != (found > 0.0) for cell, found in zip(evidence.cells, sums, strict=False)):
            yield f"{path}.{name}", "does not weigh exactly the cells that have rows"


def _estimate(estimate: PairedEstimate, has_baseline: bool, path: str) -> Iterator[Fault]:
    beside = (estimate.baseline, estimate.baseline_var, estimate.covariance)
    if any((number is not None) != has_baseline for number in beside):
        yield path, "has not the numbers of the models that the report names"
    variances = [estimate.candidate_var, *([] if estimate.baseline_var is None else [estimate.baseline_var])]
    if min(variances) < 0.0:
        yield path, "has a negative variance"
    elif estimate.covariance is not None and len(variances) > 1:
        most = math.sqrt(variances[0] * variances[1])
        if abs(estimate.covariance) > most * (1.0 + _ROUNDING) + 1e-300:
            yield f"{path}.covariance", f"is {estimate.covariance!r}, which the variances do not allow"


def _within(part: SliceEvidence, whole: SliceEvidence, path: str) -> Iterator[Fault]:
    if part.rows > whole.rows:
        yield f"{path}.rows", f"is {part.rows}, more than the {whole.rows} of all rows"
    if any(few > many for few, many in zip(part.cells, whole.cells, strict=False)):
        yield f"{path}.cells", "has more rows of one outcome than all rows have"


def _groups(report: EvaluationReport, groups: Mapping[str, SliceEvidence], path: str) -> Iterator[Fault]:
    for name, evidence in groups.items():
        yield from _slice(report, evidence, f"{path}.{name}")
    cells = [group.cells for group in groups.values()]
    sums = tuple(sum(column) for column in zip(*cells, strict=False))
    if sums != report.overall.cells or sum(group.rows for group in groups.values()) != report.overall.rows:
        yield path, "the groups do not add up to all rows"


def _latency(latency: Latency, path: str) -> Iterator[Fault]:
    if not 0.0 < latency.p50_ms <= latency.p99_ms <= latency.p99_upper_ms:
        yield path, "milliseconds are greater than zero, and rise from p50_ms to p99_ms to p99_upper_ms"
    if latency.samples < 1:
        yield f"{path}.samples", f"is {latency.samples}, not a whole number from 1"
    if any(not 0.0 <= share <= 1.0 or value <= 0.0 for share, value in latency.curve):
        yield f"{path}.curve", "holds pairs of a share from 0 to 1 and milliseconds greater than zero"


def _calibration(report: EvaluationReport, bins: CalibrationBins) -> Iterator[Fault]:
    path = "evidence.calibration"
    if bool(bins.baseline_mean) != (report.baseline_digest is not None):
        yield f"{path}.baseline_mean", "is there exactly when there is a baseline"
    columns = len(bins.baseline_mean) or 1
    shape = (len(bins.candidate_mean), columns)
    for name, table in (("cells", bins.cells), ("positives", bins.positives)):
        if len(table) != shape[0] or any(len(row) != columns for row in table):
            yield f"{path}.{name}", f"has not {shape[0]} rows of {columns}"
            return
    for name in ("weights", "positive_weights", "squares", "positive_squares"):
        table = getattr(bins, name)
        wanted = shape[0] if report.weight is not None else 0
        if len(table) != wanted or any(len(row) != columns or min(row) < 0.0 for row in table):
            yield f"{path}.{name}", f"has not {wanted} rows of {columns} numbers from 0"
            return
    pairs = list(zip(_flat(bins.cells), _flat(bins.positives), strict=True))
    if any(not 0 <= positive <= rows for rows, positive in pairs):
        yield f"{path}.positives", "are more than the rows of a bin, or negative"
    if sum(rows for rows, _ in pairs) != report.overall.rows:
        yield f"{path}.cells", f"do not add up to the {report.overall.rows} rows"
    if any(not 0.0 <= mean <= 1.0 for mean in (*bins.candidate_mean, *bins.baseline_mean)):
        yield path, "has a mean probability outside of 0 to 1"


def _flat(table: Sequence[Sequence[int]]) -> list[int]:
    return [count for row in table for count in row]


def _simple(report: EvaluationReport, form: ReportForm) -> Iterator[Fault]:
    """The accuracies on top are those of the counts below."""
    overall, slices = values(report, "accuracy", "candidate")
    if form.overall_accuracy is None or abs(form.overall_accuracy - (overall or 0.0)) > _ROUNDING:
        yield "overall_accuracy", f"is {form.overall_accuracy}, but the counts say {overall}"
    if form.slices.keys() != slices.keys():
        yield "slices", "are not the slices that were counted"
        return
    for name, accuracy in slices.items():
        if abs(form.slices[name] - accuracy) > _ROUNDING:
            yield f"slices.{name}", f"is {form.slices[name]}, but the counts say {accuracy}"
