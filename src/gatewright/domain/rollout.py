"""The rollout: a registered version on its way from 0 to 100 per cent of live traffic, or back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import (
    DriftEvidence,
    DriftObservation,
    Durations,
    LiveMetric,
    MetricEvidence,
    Observation,
    PastSlices,
    SliceObservation,
    SlicesEvidence,
)
from gatewright.domain.gate import Share, Text
from gatewright.domain.shadow import Shadow, ShadowEvidence, ShadowObservation
from gatewright.domain.share import DrawObservation, ShareEvidence

FULL = 100.0
ALMOST_FULL = 99.99  # while both arms live, the old one keeps 1 of 10,000 so that it remains a retry target
Alert = Literal["blind", "weight", "stable", "registry"]
Verb = Literal["abort", "pause", "resume", "approve", "promote", "promote-full"]


class Phase(StrEnum):
    """Where a rollout stands."""

    PENDING = "pending"
    SHADOWING = "shadowing"
    PROGRESSING = "progressing"
    PAUSED = "paused"
    PROMOTING = "promoting"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"

    @property
    def terminal(self) -> bool:
        """No tick changes a terminal rollout."""
        return self in (Phase.PROMOTED, Phase.ROLLED_BACK)


class PauseReason(StrEnum):
    """Why a rollout waits for a person."""

    MANUAL = "manual"
    APPROVAL = "approval"
    INCONCLUSIVE = "inconclusive"
    BLIND = "blind"
    DRIFT = "drift"
    SHARE = "share"
    STABLE = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`weight` per cent of the traffic for at least `hold`; with `approval` only after a person has allowed it."""

    weight: Annotated[float, Gt(0), Lt(100)]
    hold: Duration
    approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """How much worse the canary may be, as shares of requests."""

    rollback_margin: Share
    promote_margin: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyMargins:
    """How many more of its answers the canary may give slowly.

    Slow is what takes longer than `limit`, where one is promised; else longer than 99 % of stable's own past answers
    took, but never what takes less than `floor`.
    """

    rollback_margin: Share = 0.005
    promote_margin: Share = 0.01
    limit: Duration | None = None
    floor: Duration = Duration(0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """An absolute limit on the error share, whatever the stable arm does."""

    max_error_share: Annotated[float, Gt(0), Le(1)] = 0.05
    tick: Duration = Duration(10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityMargins:
    """How many more of its answers the canary may have wrong, by labels that come later.

    By rewards: how much less its mean reward, from 0 to 1, may be. A number is wrong when it is further than
    `tolerance` from its label. Labels and rewards are compared in blocks of this length, by the arrival of the request
    and by that of the label.
    """

    by: Literal["label", "reward"] = "label"
    rollback_margin: Annotated[float, Ge(0), Lt(1)] = 0.005
    promote_margin: Annotated[float, Gt(0), Lt(1)] = 0.02
    tolerance: Annotated[float, Ge(0)] = 0.0
    block: Duration = Duration(60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftMargins:
    """How far the shares of the canary's predictions may be from those of stable at the same time."""

    pause_margin: Annotated[float, Ge(0), Lt(1)] = 0.05
    rollback_margin: Annotated[float, Gt(0), Lt(1)] = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSlice:
    """Requests that share the values of `columns`; with `bins`, intervals [low, high) of the last of them.

    Columns are inputs of the model, because the model server is who knows them.
    """

    columns: Annotated[tuple[Text, ...], MinLen(1)]
    bins: Annotated[tuple[float, ...], MinLen(1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicy:
    """How a rollout climbs, and what it needs to see on the way.

    A canary that is not ready `start_within` this time is rolled back before it ever had traffic.
    `on_blind` is what follows when nothing could be seen for `blind_after`, `on_inconclusive` when a step came to no
    conclusion; to advance then, requests must have been seen and the hold served all the same.
    """

    steps: Annotated[tuple[Step, ...], MinLen(1)] = (
        Step(weight=5, hold=Duration(1800.0)),
        Step(weight=25, hold=Duration(4 * 3600.0)),
        Step(weight=50, hold=Duration(24 * 3600.0)),
    )
    start_within: Duration = Duration(1800.0)
    tick: Duration = Duration(60.0)
    lease: Duration = Duration(300.0)
    min_requests: Annotated[int, Gt(0)] = 300
    max_extension: Annotated[float, Ge(0), Le(100)] | Duration = 4.0
    errors: Margins = Margins(rollback_margin=0.0025, promote_margin=0.005)
    latency: LatencyMargins = LatencyMargins()
    quality: QualityMargins | None = None
    drift: DriftMargins | None = None
    slices: tuple[LiveSlice, ...] = ()
    shadow: Shadow | None = None
    breaker: Breaker = Breaker()
    alpha: Annotated[float, Gt(0), Le(0.2)] = 0.01
    blind_after: Duration = Duration(900.0)
    on_blind: Literal["pause", "rollback"] = "pause"
    on_inconclusive: Literal["pause", "abort", "advance"] = "pause"
    rollback_window: Duration = Duration(86400.0)

    def extension_s(self, step: Step) -> float:
        """Seconds a step may take beyond its hold before the rollout is inconclusive."""
        return self.extension_of(step.hold)

    def extension_of(self, hold: Duration) -> float:
        """The same of what has this hold."""
        if isinstance(self.max_extension, Duration):
            return self.max_extension.seconds
        return self.max_extension * hold.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person said of one step and what is not used up yet: who, and by which command."""

    step: int
    actor: str
    command: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One row: the whole state that the next decision needs.

    `weight` is what was asked, in per cent, `mirror` the share of the requests to copy, 0 to 1. `held_s` is the hold
    time served in this step, `waited_s` all time spent in it; neither accrues while the evidence is not fresh or the
    weight not verified. `labels_age_s` is how long ago labels of both arms came, None if none has. `revision` guards
    every write, `epoch` fences off controllers that lost their lease. `approval` lets the step it names begin, once;
    `hurry` takes away the hold of the step it names; `full` asks for 100 % as soon as canary and traffic can be seen.
    `origin` is the run that made the version, when it is not this rollout's own; `restored_by` has asked for the
    version that served before, which needs no evidence. `alerts` are what people were told of and what still lasts.
    """

    id: str
    model: str
    run: str
    number: int
    canary: str
    stable: str | None
    policy: RolloutPolicy
    started_at: datetime
    phase: Phase = Phase.PENDING
    pause: PauseReason | None = None
    step: int = 0
    weight: float = 0.0
    mirror: float = 0.0
    held_s: float = 0.0
    waited_s: float = 0.0
    blind_s: float = 0.0
    labels_age_s: float | None = None
    step_requests: int = 0
    requests: int = 0
    why: str = "registered"
    actor: str = "gatewright"
    revision: int = 0
    epoch: int = 0
    ticked_at: datetime | None = None
    cursor: str = ""
    slow_after_ms: float | None = None
    evidence: Mapping[LiveMetric, MetricEvidence] = field(default_factory=dict)
    drift: DriftEvidence | None = None
    slices: SlicesEvidence | None = None
    shadow: ShadowEvidence | None = None
    share: ShareEvidence | None = None
    durations: Durations | None = None
    breaker_log_e: tuple[float, ...] = ()
    bootstrap_by: str | None = None
    approval: Order | None = None
    hurry: Order | None = None
    full: Order | None = None
    origin: str | None = None
    restored_by: str | None = None
    alerts: tuple[Alert, ...] = ()

    @property
    def at_last_step(self) -> bool:
        """Whether 100 % comes next."""
        return self.step + 1 == len(self.policy.steps)

    @property
    def compared(self) -> bool:
        """Whether it climbs by evidence: a first deployment and a return to what served before do not."""
        return self.stable is not None and self.restored_by is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a person asked of a rollout; of `step` and of the model with `digest`, for the verbs that are bound so."""

    id: int
    verb: Verb
    actor: str
    at: datetime
    step: int | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """A model server as the runtime sees it: `ready` is proven by the digest it reports."""

    digest: str
    ready: bool
    restarts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficState:
    """Traffic as read back from the proxy itself, never as it was asked.

    `weight` is the share, in per cent, of the live route that goes to the canary's digest; None when nothing could be
    read, and `error` says why. `mirror` is the share, 0 to 1, of which it gets copies. `settled`: the traffic no longer
    depends on a lease, the rollout's end is its new state.
    """

    weight: float | None
    mirror: float = 0.0
    settled: bool = False
    canary: ArmState | None = None
    stable: ArmState | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything a decision looks at besides the rollout itself.

    What could not be asked is told in an error: `serving` means nothing while there is a `registry_error`, and the arms
    are not prepared while there is a `preparation_error`.
    """

    traffic: TrafficState
    observations: tuple[Observation, ...] = ()
    drift: tuple[DriftObservation, ...] = ()
    shadow: tuple[ShadowObservation, ...] = ()
    draws: tuple[DrawObservation, ...] = ()
    stable_outputs: tuple[float, ...] = ()
    stable_users: tuple[str, ...] = ()
    slices: tuple[SliceObservation, ...] = ()
    past_slices: PastSlices | None = None
    durations: Durations | None = None
    source_error: str | None = None
    commands: tuple[Command, ...] = ()
    serving: str | None = None
    registry_error: str | None = None
    preparation_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rollout should be next; `weight` is what the traffic should then show. Orders it leaves are not used."""

    phase: Phase
    step: int
    weight: float
    why: str
    pause: PauseReason | None = None
    actor: str = "gatewright"
    approval: Order | None = None
    hurry: Order | None = None
    full: Order | None = None
