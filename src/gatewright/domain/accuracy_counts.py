"""What an evaluation measured: counts per slice and group for candidate and baseline on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

METRIC_VERSION = "accuracy/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceCounts:
    """Rows of one slice, and how many of them each model got right (`baseline` is None without one)."""

    rows: int
    candidate: int
    baseline: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCounts:
    """Rows of one value of a fairness attribute, and how many of them each model selected (predicted positive)."""

    rows: int
    candidate: int
    baseline: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Single-row predictions of one model: quantiles in milliseconds over `samples` measured calls."""

    p50_ms: float
    p99_ms: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """Candidate and baseline on the same rows of the same evaluation set.

    `parity` maps a fairness attribute to its groups; the digests bind the report to models and rows.
    """

    model: str
    candidate_digest: str
    baseline_digest: str | None
    evaluation_digest: str
    metric_version: str
    overall: SliceCounts
    slices: Mapping[str, SliceCounts]
    parity: Mapping[str, Mapping[str, GroupCounts]]
    candidate_latency: Latency
    baseline_latency: Latency | None = None
    notes: tuple[str, ...] = ()
