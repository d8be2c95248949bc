"""What an evaluation measured: counts per slice and group for candidate and baseline on the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gatewright.domain.metrics import Task

ALL = "all rows"
Arm = Literal["candidate", "baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What can happen to a row: its true class, and the classes that candidate and baseline answered."""

    label: int
    candidate: int
    baseline: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedEstimate:
    """A metric of both models on the same rows, with the variances and the covariance *of these two values*.

    For a mean over n rows they are the sample's (co)variances divided by n; for AUC, DeLong's; for RMSE and R², by the
    delta method. The standard error of the difference is sqrt(candidate_var + baseline_var - 2 covariance).
    """

    rows: int
    candidate: float
    candidate_var: float
    baseline: float | None = None
    baseline_var: float | None = None
    covariance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceEvidence:
    """All that the gates need to know of one slice or group, whatever its number of rows.

    `cells`: rows per `EvaluationReport.outcomes`, in that order (empty unless the task has classes). `scores`: a paired
    estimate for each measured metric that is no count. Where rows carry weights, `weights` and `squares` are the sums
    of the weights and of their squares in each cell (in one, when there are no cells), and `scores` has every metric.
    """

    rows: int
    cells: tuple[int, ...] = ()
    scores: Mapping[str, PairedEstimate] = field(default_factory=dict)
    weights: tuple[float, ...] = ()
    squares: tuple[float, ...] = ()

    @property
    def counts(self) -> tuple[float, ...]:
        """What the cells weigh: rows, unless these carry weights."""
        return self.weights or self.cells

    @property
    def effective_rows(self) -> float:
        """How many rows of equal weight are worth as much (Kish): the rows themselves without weights."""
        squares = math.fsum(self.squares)
        return math.fsum(self.weights) ** 2 / squares if squares else float(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakSlice:
    """A slice nobody declared in which the candidate is worse than elsewhere: found on one half, measured on the other.

    `difference` is the metric there minus the metric on all rows of that half, with its p-value after Holm's correction
    over all slices that were found.
    """

    name: str
    rows: int
    value: float
    difference: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Single-row predictions of one model, in milliseconds over `samples` measured calls.

    `p99_upper_ms` is the one-sided 95 % upper bound: the larger of the order-statistic and the block-bootstrap bound.
    `curve` holds (share, milliseconds) quantiles for the picture.
    """

    p50_ms: float
    p99_ms: float
    p99_upper_ms: float
    samples: int
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRatio:
    """p99 of the candidate over the baseline's, measured interleaved, with its one-sided 95 % upper bound."""

    value: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBins:
    """Rows by predicted probability of the positive class, in equal intervals of it.

    `cells[i][j]`: rows whose candidate probability falls in bin i and the baseline's in bin j (one column without a
    baseline); `positives` the same, of rows whose label is positive; `candidate_mean[i]` and `baseline_mean[j]`: the
    mean probability in a bin (the middle of an empty one). Where rows carry weights, `weights` and `positive_weights`
    are their sums in each place of `cells` and `positives`, `squares` and `positive_squares` those of their squares.
    """

    cells: tuple[tuple[int, ...], ...]
    positives: tuple[tuple[int, ...], ...]
    candidate_mean: tuple[float, ...]
    baseline_mean: tuple[float, ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()
    positive_weights: tuple[tuple[float, ...], ...] = ()
    squares: tuple[tuple[float, ...], ...] = ()
    positive_squares: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """Candidate and baseline on the same rows of the same evaluation set: the body of evaluation-report.json.

    Every metric and its uncertainty follows from it without the rows. `groups`: attribute -> value -> evidence.
    `golden` is the same candidate beside the pinned golden baseline: overall and slices only. `weight` is the column
    with the rows' weights, if they carry any.
    """

    model: str
    task: Task
    metric: str
    metrics: tuple[str, ...]
    metric_version: str
    candidate_digest: str
    baseline_digest: str | None
    evaluation_digest: str
    overall: SliceEvidence
    slices: Mapping[str, SliceEvidence]
    groups: Mapping[str, Mapping[str, SliceEvidence]]
    outcomes: tuple[Outcome, ...] = ()
    positive: int = 1
    calibration: CalibrationBins | None = None
    candidate_latency: Latency | None = None
    baseline_latency: Latency | None = None
    latency_ratio: LatencyRatio | None = None
    golden: EvaluationReport | None = None
    weak_slices: tuple[WeakSlice, ...] = ()
    notes: tuple[str, ...] = ()
    weight: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The summary form of one model's evaluation: what teams write themselves, and what gates read.

    Shares are 0–1, latency is in milliseconds. `slice_rows` is empty when only summary numbers are known, and so are
    the digest of the rows and the version of the metrics.
    """

    overall_accuracy: float
    slices: Mapping[str, float]
    demographic_parity_diff: float | None
    latency_p99_ms: float | None
    latency_sla_p99_ms: float | None = None
    rows: int | None = None
    slice_rows: Mapping[str, int] = field(default_factory=dict)
    evaluation_digest: str | None = None
    metric_version: str | None = None
