"""What an evaluation report adds to the verdict: latency, groups, weak slices. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatewright.domain.evaluation import Arm, EvaluationReport, Latency, SliceEvidence, WeakSlice
from gatewright.rules.reports.reading import report_from


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """One value of a fairness attribute: its rows, and which share of them each model selected (predicted positive)."""

    attribute: str
    group: str
    rows: int
    candidate: float | None
    baseline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The part of an evaluation report that is shown beside the verdict. `rows` is the number of evaluated rows."""

    rows: int
    candidate_latency: Latency | None = None
    baseline_latency: Latency | None = None
    groups: tuple[GroupRates, ...] = ()
    weak_slices: tuple[WeakSlice, ...] = ()


def measured_in(body: Mapping[str, Any]) -> Measured:
    """From the body of evaluation-report.json; ReportError when it cannot be read."""
    return measured(report_from(body))


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
    """The share of rows, by their weights, with a positive prediction; None when the task has no classes."""
    if not evidence.cells or evidence.rows == 0:
        return None
    counts = list(zip(report.outcomes, evidence.counts, strict=True))
    selected = sum(rows for outcome, rows in counts if getattr(outcome, arm) == report.positive)
    return selected / sum(rows for _, rows in counts)
