"""What an evaluation report adds to the verdict: latency, groups, weak slices, plain numbers of old reports. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatewright.domain.errors import Place, Problem, ReportError
from gatewright.domain.evaluation import Arm, EvaluationReport, Latency, SliceEvidence, WeakSlice
from gatewright.rules.report import report_from

FILE = "evaluation-report.json"
_COUNTED = "accuracy/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """One value of a fairness attribute: its rows, and which share of them each model selected (predicted positive)."""

    attribute: str
    group: str
    rows: int
    candidate: float | None
    baseline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceNumbers:
    """The plain metric of both models on one slice, of reports that hold no comparisons."""

    slice: str
    rows: int
    candidate: float
    baseline: float

    @property
    def change(self) -> float:
        """Negative when the candidate is worse."""
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The part of an evaluation report that is shown beside the verdict. `rows` is the number of evaluated rows."""

    rows: int
    candidate_latency: Latency | None = None
    baseline_latency: Latency | None = None
    groups: tuple[GroupRates, ...] = ()
    weak_slices: tuple[WeakSlice, ...] = ()
    overall: SliceNumbers | None = None
    slices: tuple[SliceNumbers, ...] = ()


def measured_in(body: Mapping[str, Any]) -> Measured:
    """From the body of evaluation-report.json, of this release or an older one; ReportError when it is neither."""
    try:
        if body.get("metric_version") == _COUNTED:
            return _counted(body)
        return measured(report_from(body))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        problem = Problem(where=Place(file=FILE), field="", what=f"{type(error).__name__}: {error}")
        raise ReportError(f"{FILE} cannot be read", (problem,), fix="put back this run's own file") from error


def measured(report: EvaluationReport) -> Measured:
    """What is shown of a report in memory."""
    return Measured(
        rows=report.overall.rows,
        candidate_latency=report.candidate_latency,
        baseline_latency=report.baseline_latency,
        groups=tuple(_groups(report)),
        weak_slices=report.weak_slices,
    )


def _groups(report: EvaluationReport) -> Iterator[GroupRates]:
    for attribute, groups in report.groups.items():
        for name, evidence in groups.items():
            yield GroupRates(
                attribute=attribute,
                group=name,
                rows=evidence.rows,
                candidate=_selected(report, evidence, "candidate"),
                baseline=_selected(report, evidence, "baseline") if report.baseline_digest else None,
            )


def _selected(report: EvaluationReport, evidence: SliceEvidence, arm: Arm) -> float | None:
    """The share of rows with a positive prediction; None when the task has no classes."""
    if not evidence.cells or evidence.rows == 0:
        return None
    counts = zip(report.outcomes, evidence.cells, strict=True)
    return sum(rows for outcome, rows in counts if getattr(outcome, arm) == report.positive) / evidence.rows


def _counted(body: Mapping[str, Any]) -> Measured:
    """Counts of correct and of selected rows, as releases before the statistical gates wrote them."""
    counts = body["counts"]
    return Measured(
        rows=counts["overall"]["rows"],
        candidate_latency=_latency(counts["candidate_latency"]),
        baseline_latency=_latency(counts["baseline_latency"]),
        groups=tuple(
            GroupRates(
                attribute=attribute,
                group=name,
                rows=group["rows"],
                candidate=group["candidate"] / group["rows"],
                baseline=None if group["baseline"] is None else group["baseline"] / group["rows"],
            )
            for attribute, groups in counts["parity"].items()
            for name, group in groups.items()
        ),
        overall=_numbers("all rows", counts["overall"]),
        slices=tuple(found for name, each in counts["slices"].items() if (found := _numbers(name, each)) is not None),
    )


def _numbers(name: str, counts: Mapping[str, Any]) -> SliceNumbers | None:
    if counts["baseline"] is None:
        return None
    rows = counts["rows"]
    return SliceNumbers(slice=name, rows=rows, candidate=counts["candidate"] / rows, baseline=counts["baseline"] / rows)


def _latency(values: Mapping[str, Any] | None) -> Latency | None:
    """Without an upper bound of its own, p99 is its own bound."""
    return Latency(**{"p99_upper_ms": values["p99_ms"], **values}) if values else None
