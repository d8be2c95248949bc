"""Reads the counts of an evaluation-report.json back, taking nothing on trust."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gatewright.domain.accuracy_counts import METRIC_VERSION, EvaluationReport, GroupCounts, Latency, SliceCounts
from gatewright.domain.errors import Place, Problem, ReportError

FILE = "evaluation-report.json"
_Counts = TypeVar("_Counts", SliceCounts, GroupCounts)


def report_from(body: Mapping[str, Any]) -> EvaluationReport:
    """The report whose `summary` is `body`; ReportError names the field that is missing or not what it should be."""
    counts = _object(body, "counts", "counts")
    has_baseline = body.get("baseline_digest") is not None
    version = _text(body, "metric_version")
    if version != METRIC_VERSION:
        raise _problem("metric_version", f"is {version!r}, this release reads {METRIC_VERSION!r}")
    groups = _object(counts, "parity", "counts.parity")
    late = counts.get("baseline_latency") is not None
    return EvaluationReport(
        model=_text(body, "model"),
        candidate_digest=_text(body, "candidate_digest"),
        baseline_digest=_text(body, "baseline_digest") if has_baseline else None,
        evaluation_digest=_text(body, "evaluation_digest"),
        metric_version=version,
        overall=_read(SliceCounts, counts, "overall", "counts", has_baseline),
        slices=_each(SliceCounts, counts, "slices", "counts", has_baseline),
        parity={name: _each(GroupCounts, groups, name, "counts.parity", has_baseline) for name in groups},
        candidate_latency=_latency(counts, "candidate_latency"),
        baseline_latency=_latency(counts, "baseline_latency") if late else None,
        notes=_notes(body),
    )


def _each(
    kind: Callable[..., _Counts], values: Mapping[str, Any], name: str, path: str, has_baseline: bool
) -> dict[str, _Counts]:
    path = f"{path}.{name}"
    entries = _object(values, name, path)
    return {entry: _read(kind, entries, entry, path, has_baseline) for entry in entries}


def _read(kind: Callable[..., _Counts], values: Mapping[str, Any], name: str, path: str, has_baseline: bool) -> _Counts:
    path = f"{path}.{name}"
    counts = _object(values, name, path)
    if unknown := sorted(set(counts) - {"rows", "candidate", "baseline"}):
        raise _problem(f"{path}.{unknown[0]}", "is not known; allowed: rows, candidate, baseline")
    if not has_baseline and counts.get("baseline") is not None:
        raise _problem(f"{path}.baseline", "is there although the report names no baseline")
    rows = _count(counts, "rows", path, at_least=1)
    return kind(
        rows=rows,
        candidate=_count(counts, "candidate", path, at_most=rows),
        baseline=_count(counts, "baseline", path, at_most=rows) if has_baseline else None,
    )


def _count(values: Mapping[str, Any], name: str, path: str, *, at_least: int = 0, at_most: int | None = None) -> int:
    value = values.get(name)
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= at_least
    if not fits or (at_most is not None and value is not None and value > at_most):
        allowed = f"a whole number from {at_least}" + (f" to {at_most}" if at_most is not None else "")
        raise _problem(f"{path}.{name}", f"is {value!r}, not {allowed}")
    return int(value or 0)


def _latency(counts: Mapping[str, Any], name: str) -> Latency:
    path = f"counts.{name}"
    values = _object(counts, name, path)
    numbers = {}
    for quantile in ("p50_ms", "p99_ms"):
        value = values.get(quantile)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise _problem(f"{path}.{quantile}", f"is {value!r}, not milliseconds greater than zero")
        numbers[quantile] = float(value)
    return Latency(**numbers, samples=_count(values, "samples", path, at_least=1))


def _object(values: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    value = values.get(name)
    if not isinstance(value, Mapping):
        raise _problem(path, "is missing" if value is None else f"is {value!r}, not an object")
    return value


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _problem(name, "is missing" if value is None else f"is {value!r}, not text")
    return value


def _notes(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("notes", [])
    if not isinstance(value, list) or not all(isinstance(note, str) for note in value):
        raise _problem("notes", f"is {value!r}, not a list of texts")
    return tuple(value)


def _problem(field: str, what: str) -> ReportError:
    return ReportError(
        f"{FILE} cannot be read",
        (Problem(where=Place(file=FILE), field=field, what=what),),
        fix="run the stage again: gatewright evaluate --run RUN",
    )
