"""Public fakes for tests of rollouts and adapters: a clock that jumps, traffic, evidence, a registry, a notifier.

Each keeps the promises of its port, the fencing and the quarantine of real traffic included, and lets a test break
the world on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.evidence import History, Look, Observation
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.domain.notice import Notice
from gatewright.domain.rollout import ALMOST_FULL, FULL, ArmState, Phase, Rollout, TrafficState
from gatewright.domain.routing import cluster_name
from gatewright.domain.shadow import ShadowObservation
from gatewright.domain.share import DrawObservation
from gatewright.ports import Registration
from gatewright.store.rollouts import Rollouts


@dataclass(slots=True)
class FakeClock:
    """A clock that stands still until it is told, or slept on."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """The moment it was left at."""
        return self.moment

    def sleep(self, seconds: float) -> None:
        """Jump ahead at once; the sleep is remembered."""
        self.slept.append(seconds)
        self.forward(seconds)

    def forward(self, seconds: float) -> None:
        """Let time pass; a negative number turns the clock back."""
        self.moment += timedelta(seconds=seconds)


class Silent:
    """Progress that nobody sees; what it was told is kept in `told`."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stage(self, name: str, state: str, note: str = "") -> None:
        """Keep it."""
        self.told.append(f"{name} {state} {note}".strip())

    def waiting(self, what: str) -> None:
        """Keep it."""
        self.told.append(what)

    def line(self, text: str) -> None:
        """Keep it."""
        self.told.append(text)

    def warning(self, text: str) -> None:
        """Keep it."""
        self.told.append(f"warning: {text}")


@dataclass(slots=True)
class FakeTraffic:
    """Traffic in memory. `deaf`: it takes weights but does not apply them; `unreadable`: it cannot be read back;
    `down`: it cannot be told anything either, and raises that. The arms' errors are those of a runtime that gave up.
    `rollouts`: those whose newest epoch, order and quarantine it respects, as traffic in the same database does.
    `changes` counts how often what it shows has changed.
    """

    shown: float = 0.0
    mirrored: float = 0.0
    settled: bool = False
    epoch: int = 0
    deaf: bool = False
    unreadable: str | None = None
    down: str | None = None
    canary_error: str | None = None
    canary_ready: bool = True
    stable_error: str | None = None
    stable_ready: bool = True
    weights: list[float] = field(default_factory=list)
    driven: str = ""
    canary: str | None = None
    stable: str | None = None
    changes: int = 0
    rollouts: Rollouts | None = None

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        """A new rollout starts at 0 per cent, and with epochs of its own; LeaseLost once a later one has followed."""
        self._reach()
        if self.driven == self._newest(rollout) != rollout.id:
            raise LeaseLost(f"rollout {rollout.id} is over, {self.driven} drives now", fix="look at the later one")
        if rollout.id != self.driven:
            self.driven, self.epoch, self.changes = rollout.id, 0, self.changes + 1
            self.shown, self.mirrored, self.settled = 0.0, 0.0, False
        self._fence(rollout)
        self.canary, self.stable = canary.digest, stable.digest if stable else None
        self._show(self.shown, self.mirrored, settled=False)

    def state(self, rollout: Rollout) -> TrafficState:
        """What it shows; an error instead while it is unreadable."""
        unloaded = self.settled and self.driven == rollout.id and self.canary is None
        ready, trouble = self.canary_ready, self.canary_error
        canary = None if unloaded else ArmState(digest=rollout.canary, ready=ready, error=trouble)
        stable = self._stable(rollout.stable) if rollout.stable else None
        if error := self.down or self.unreadable:
            return TrafficState(weight=None, error=error, canary=canary, stable=stable)
        return TrafficState(weight=self.shown, mirror=self.mirrored, settled=self.settled, canary=canary, stable=stable)

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        """Apply it, unless deaf; LeaseLost for an outdated epoch, or for traffic, copied or not, to a quarantined one.

        A rollout that another one has followed changes nothing.
        """
        self._reach()
        if self._followed(rollout):
            return
        self._fence(rollout)
        asked = weight or rollout.mirror
        if asked and self.rollouts and rollout.canary in self.rollouts.quarantined(rollout.model):
            raise LeaseLost(f"the canary of rollout {rollout.id} is quarantined", fix="it stays at 0 %")
        self.weights.append(weight)
        if not self.deaf:
            taken_back = weight == 0.0 and self.shown > 0.0
            self._show(min(weight, ALMOST_FULL), rollout.mirror, settled=self.settled and not taken_back)

    def finish(self, rollout: Rollout) -> None:
        """Promoted keeps all traffic, rolled back has none. A rollout that another one has followed changes nothing."""
        self._reach()
        if self._followed(rollout):
            return
        self._fence(rollout)
        if rollout.phase in (Phase.PROMOTING, Phase.PROMOTED):
            self._show(self.shown, 0.0, settled=True)
        else:
            self.canary = None
            self._show(0.0, 0.0, settled=True)

    def by_digest(self) -> dict[str, float]:
        """Per cent of the traffic by digest; what nobody serves is left out."""
        if self.stable is None:
            return {self.canary: FULL} if self.canary and self.shown else {}
        canary = {self.canary: self.shown} if self.canary and self.shown else {}
        return canary | {self.stable: FULL - self.shown}

    def _show(self, weight: float, mirror: float, *, settled: bool) -> None:
        wanted = (weight, mirror, settled)
        self.changes += wanted != (self.shown, self.mirrored, self.settled)
        self.shown, self.mirrored, self.settled = wanted

    def _followed(self, rollout: Rollout) -> bool:
        """Whether a later one has taken over; the newest of all is only not prepared yet."""
        return self.driven not in ("", rollout.id) and self._newest(rollout) != rollout.id

    def _newest(self, rollout: Rollout) -> str | None:
        newest = self.rollouts.latest(rollout.model) if self.rollouts else None
        return newest.id if newest else None

    def shares(self) -> dict[str, float] | None:
        """The same by cluster name; WorldFailed while it is unreadable."""
        if error := self.down or self.unreadable:
            raise WorldFailed(error, fix="wait until the router is back")
        return {cluster_name(digest): share for digest, share in self.by_digest().items()} or None

    def _stable(self, digest: str) -> ArmState:
        return ArmState(digest=digest, ready=self.stable_ready, error=self.stable_error)

    def _reach(self) -> None:
        if self.down is not None:
            raise WorldFailed(self.down, fix="wait until the router is back")

    def _fence(self, rollout: Rollout) -> None:
        known = self.rollouts.get(rollout.id) if self.rollouts else None
        newest = max(self.epoch, known.epoch if known else 0)
        if rollout.epoch < newest:
            raise LeaseLost(f"epoch {rollout.epoch} is outdated, {newest} drives now", fix="look again")
        self.epoch = rollout.epoch


@dataclass(slots=True)
class FakeMetricSource:
    """Evidence as told: each look hands out the observations that `show` was given since the last one.

    A look that is made again, with the same cursor, hands them out again. With `error` every look fails, and the past
    cannot be read; `raises` is what a source does that has met a number it did not expect. `drawn`: its errors tell of
    the draws of arms, too.
    """

    past: History = field(default_factory=lambda: History(requests=1000, errors=2, slow=10, slow_after_ms=50.0))
    error: str | None = None
    raises: Exception | None = None
    waiting: list[Observation] = field(default_factory=list)
    copies: list[ShadowObservation] = field(default_factory=list)
    drawn: bool = False
    looks: int = 0
    _told: tuple[Observation, ...] = ()
    _told_copies: tuple[ShadowObservation, ...] = ()
    _told_since: tuple[str, str] = ("", "")
    _told_before: int = 0

    def show(self, *observations: Observation) -> None:
        """What the next look sees."""
        self.waiting.extend(observations)

    def show_copies(self, *observations: ShadowObservation) -> None:
        """What the next look sees of the requests that were copied."""
        self.copies.extend(observations)

    def history(self, rollout: Rollout) -> History:
        """Stable's past; WorldFailed while there is an `error`."""
        if self.error is not None:
            raise WorldFailed(self.error, fix="wait until the source is back")
        return self.past

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """What was shown; while `error` is set, only that."""
        self.looks += 1
        if self.raises is not None:
            raise self.raises
        if self.error is not None:
            return Look(cursor=rollout.cursor, error=self.error)
        since = rollout.id, rollout.cursor
        if since != self._told_since:
            self._told_before += len(self._told) + len(self._told_copies)
            self._told, self._told_copies, self._told_since = (), (), since
        seen, self.waiting = (*self._told, *self.waiting), []
        copies, self.copies = (*self._told_copies, *self.copies), []
        self._told, self._told_copies = seen, copies
        cursor = str(self._told_before + len(seen) + len(copies))
        draws = tuple(map(_drawn, seen)) if self.drawn else ()
        return Look(cursor=cursor, observations=seen, shadow=copies, draws=draws, requests=len(seen))


def _drawn(seen: Observation) -> DrawObservation:
    """What an observation of errors tells of draws; nothing for other metrics."""
    counted = seen.block if seen.metric == "errors" else None
    canary, stable = (int(counted.canary_n), int(counted.stable_n)) if counted else (0, 0)
    return DrawObservation(weight=seen.weight, at=float(seen.tick), drawn=canary + stable, canary=canary)


@dataclass(slots=True)
class FakeNotifier:
    """Keeps what it was told; while `error` is set, it takes nothing."""

    heard: list[Notice] = field(default_factory=list)
    error: str | None = None

    def tell(self, notice: Notice) -> None:
        """Keep it; WorldFailed while there is an error."""
        if self.error is not None:
            raise WorldFailed(self.error, fix="wait until the service is back")
        self.heard.append(notice)


@dataclass(slots=True)
class FakeRegistry:
    """Versions in memory; while `down` is set, every question and every order fails with it."""

    folder: Path = Path("registry")
    clock: FakeClock = field(default_factory=FakeClock)
    versions: list[ModelVersion] = field(default_factory=list)
    production: dict[str, ModelVersion] = field(default_factory=dict)
    down: str | None = None

    def register(self, registration: Registration) -> ModelVersion:
        """Number it; the same digest gives the version it already has."""
        self._reach()
        candidate = registration.candidate
        if existing := self.find(candidate.model, candidate.artifact.digest):
            return existing
        version = ModelVersion(
            model=candidate.model,
            number=1 + sum(known.model == candidate.model for known in self.versions),
            artifact=candidate.artifact,
            data=registration.data_digest,
            commit=candidate.commit,
            report=registration.report_digest,
            run=registration.run,
            registered_at=self.clock.now(),
        )
        self.versions.append(version)
        return version

    def find(self, model: str, digest: str) -> ModelVersion | None:
        """The version of `model` with this digest."""
        self._reach()
        return next((found for found in self.versions if (found.model, found.artifact.digest) == (model, digest)), None)

    def numbered(self, model: str, number: int) -> ModelVersion | None:
        """The version of `model` with this number."""
        self._reach()
        return next((found for found in self.versions if (found.model, found.number) == (model, number)), None)

    def serving(self, model: str) -> ModelVersion | None:
        """The baseline."""
        self._reach()
        return self.production.get(model)

    def mark_serving(self, model: str, version: ModelVersion | None) -> None:
        """Make it the baseline; None takes the baseline away."""
        self._reach()
        if version is None:
            self.production.pop(model, None)
        else:
            self.production[model] = version

    def _reach(self) -> None:
        if self.down is not None:
            raise WorldFailed(self.down, fix="wait until the registry is back")
