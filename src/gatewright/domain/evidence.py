"""Evidence of a rollout: counts of both arms, block by block, and what has been learnt from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from gatewright.domain.shadow import ShadowObservation
from gatewright.domain.share import DrawObservation

Direction = Literal["worse", "acceptable"]
LiveMetric = Literal["errors", "latency", "quality"]
SliceMetric = Literal["errors", "quality"]
LIVE_METRICS: tuple[LiveMetric, ...] = ("errors", "latency")
"""Those that every rollout observes."""
USER_GROUPS = 64
"""Stable's users are counted in so many groups, by a hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Requests and bad events of both arms in one block of time; an arm without requests gives no evidence.

    ValueError for impossible counts.
    """

    canary_n: int
    canary_bad: int
    stable_n: int
    stable_bad: int

    def __post_init__(self) -> None:
        for arm, n, bad in (
            ("canary", self.canary_n, self.canary_bad),
            ("stable", self.stable_n, self.stable_bad),
        ):
            if not 0 <= bad <= n < math.inf:
                raise ValueError(f"{arm}: {bad!r} bad of {n!r} requests; needs 0 <= bad <= requests, finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Losses (1 - reward) of both arms in one block of time, as counts at evenly spaced levels from 0 to 1.

    A loss between two levels is divided among them. ValueError for impossible counts.
    """

    canary: tuple[float, ...]
    stable: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.canary) != len(self.stable) or len(self.canary) < 2:
            raise ValueError(f"{len(self.canary)} and {len(self.stable)} levels; needs as many in both arms")
        if not all(0.0 <= count < math.inf for count in (*self.canary, *self.stable)):
            raise ValueError("counts of losses are finite numbers from 0")

    @property
    def canary_n(self) -> float:
        """Losses of the canary."""
        return sum(self.canary)

    @property
    def stable_n(self) -> float:
        """Losses of stable."""
        return sum(self.stable)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEvidence:
    """State of one block e-process: a log e-value per alternative, cash held back, and counters of all past blocks.

    `worse`: the null is canary <= stable + margin, so evidence speaks for a rollback.
    `acceptable`: the null is canary >= stable + margin, so evidence speaks for promotion.
    `prior_bad` of `prior_n` requests are the stable arm's history before the rollout, at its capped weight. The
    counters are effective requests (divided by the design effect); `peak_log_e` is the highest log e-value so far.
    Of numbers from 0 to 1 instead of events the bad ones are sums of losses, and `squares` is the sum of stable's
    squared losses, the history included. ValueError for a state that no update can have led to.
    """

    direction: Direction
    margin: float
    prior_bad: float
    prior_n: float
    log_e: tuple[float, ...]
    cash: float = 0.0
    canary_n: float = 0.0
    canary_bad: float = 0.0
    stable_n: float = 0.0
    stable_bad: float = 0.0
    squares: float | None = None
    peak_log_e: float = 0.0

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise ValueError(f"direction is {self.direction!r}; allowed: {', '.join(get_args(Direction))}")
        if not 0.0 <= self.margin < 1.0:
            raise ValueError(f"margin is {self.margin!r}; a share in [0, 1) is needed")
        if not self.log_e or not all(map(math.isfinite, self.log_e)):
            raise ValueError(f"log_e is {self.log_e!r}; a finite number per alternative is needed")
        if not 0.0 <= self.cash < 1.0 or not 0.0 <= self.peak_log_e < math.inf:
            raise ValueError(
                f"cash is {self.cash!r} and peak_log_e {self.peak_log_e!r}; needs cash in [0, 1), peak >= 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Differences between the arms over all blocks: `total` of them, each times its size, and how much they vary."""

    size: float = 0.0
    total: float = 0.0
    variance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEvidence:
    """What one live metric has shown so far: for a rollback, and for a promotion; `difference` is only shown.

    `groups`: requests and bad ones of stable's users by group.
    """

    worse: BlockEvidence
    acceptable: BlockEvidence
    design_effect: float = 1.0
    difference: Difference = Difference()
    groups: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedEvidence:
    """The mean of several block e-processes that look at the same blocks, and the highest that its logarithm was."""

    parts: tuple[BlockEvidence, ...]
    peak_log_e: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Where predictions are counted: classes (and one cell for all others), or the intervals between cuts.

    `points` ascend: the classes themselves, or the cuts, each the highest value of the interval below it.
    """

    classes: bool
    points: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftEvidence:
    """How the canary's predictions differ from those of stable at the same time: beyond each of two margins.

    `canary` and `stable` count the predictions of all blocks by cell. `design_effect` says how much the predictions of
    one user resemble each other. `accepted`: a person has resumed after a pause.
    """

    cells: Cells
    pause: MixedEvidence
    rollback: MixedEvidence
    canary: tuple[int, ...]
    stable: tuple[int, ...]
    design_effect: float = 1.0
    accepted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftObservation:
    """Predictions of both arms in one block, counted by cell."""

    weight: float
    tick: int
    canary: tuple[int, ...]
    stable: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceKey:
    """One thing that is followed of one declared slice, called `name` as in an evaluation."""

    name: str
    metric: SliceMetric


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicesEvidence:
    """A block e-process for each of `keys`, in their order, and the mean of them all: is any slice worse?"""

    keys: tuple[SliceKey, ...]
    mixed: MixedEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceObservation:
    """Requests of both arms in one block that belong to one slice."""

    key: SliceKey
    weight: float
    tick: int
    block: Block | Losses


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSlice:
    """What stable answered in one slice of late: of `labelled` answers `wrong` were wrong.

    Where rewards are told, `wrong` is the sum of what was lost and `squares` that of its squares.
    """

    name: str
    answers: int
    labelled: int = 0
    wrong: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSlices:
    """Stable's recent answers of which the slices are known, all and by slice."""

    answers: int
    slices: tuple[PastSlice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Sufficient statistics of one metric in one block: (arrival tick × weight under which it was routed).

    `groups`: the requests and bad ones of stable's arm by group of users, as many as `USER_GROUPS`; empty when the
    users are not known.
    """

    metric: LiveMetric
    weight: float
    tick: int
    block: Block | Losses
    groups: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long answers at the first try took, by arm: (number of a cell, how many), ascending; only shown."""

    canary: tuple[tuple[int, int], ...] = ()
    stable: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a metric source saw since `cursor`: blocks, the next cursor, or why it could see nothing.

    `stable_outputs` are recent predictions of stable, until the cells of the drift are chosen from them, and
    `stable_users` who asked for them; empty if that is not known of all. `past_slices` is told until the slices to
    follow are chosen from it.
    """

    cursor: str
    observations: tuple[Observation, ...] = ()
    drift: tuple[DriftObservation, ...] = ()
    shadow: tuple[ShadowObservation, ...] = ()
    draws: tuple[DrawObservation, ...] = ()
    stable_outputs: tuple[float, ...] = ()
    stable_users: tuple[str, ...] = ()
    slices: tuple[SliceObservation, ...] = ()
    past_slices: PastSlices | None = None
    durations: Durations | None = None
    requests: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Stable's own past before a rollout: requests, errors, the latency limit, and bad events by user.

    `slow_after_ms` is the limit L of the latency metric; `slow` counts requests above it. The design effects
    say how much the requests of one user resemble each other (1 = not at all). Of its answers, `labelled` have a
    label by now, and `wrong` of these were wrong. `per_second` is the traffic of the last hour, as far as the history
    reaches; None where it cannot be told. Where rewards are told, `wrong` is the sum of what was lost (1 - reward), and
    `wrong_squares` that of its squares.
    """

    requests: int
    errors: int
    slow: int
    slow_after_ms: float
    labelled: int = 0
    wrong: float = 0
    wrong_squares: float = 0.0
    design_effects: Mapping[LiveMetric, float] = field(default_factory=dict)
    per_second: float | None = None
