"""A pretended world for stories about rollouts: traffic, servers, requests, people and a clock, all in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import (
    LIVE_METRICS,
    Block,
    DriftObservation,
    History,
    Observation,
    PastSlice,
    PastSlices,
    SliceKey,
    SliceObservation,
)
from gatewright.domain.rollout import (
    ALMOST_FULL,
    ArmState,
    Command,
    Phase,
    Rollout,
    RolloutPolicy,
    Step,
    TrafficState,
    Verb,
    World,
)
from gatewright.domain.shadow import ShadowObservation
from gatewright.domain.share import DrawObservation
from gatewright.rules import canary, evidence, orders

CANARY, STABLE = "sha256:new", "sha256:old"
POLICY = RolloutPolicy(
    steps=(
        Step(weight=5, hold=Duration(60)),
        Step(weight=25, hold=Duration(60)),
        Step(weight=50, hold=Duration(60)),
    ),
    tick=Duration(5),
    min_requests=300,
)


def rollout(**changes: object) -> Rollout:
    """A registered version, not yet begun."""
    new = Rollout(
        id="r1",
        model="employment",
        run="run1",
        number=2,
        canary=CANARY,
        stable=STABLE,
        policy=POLICY,
        started_at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    return replace(new, **changes)  # type: ignore[arg-type]


def begun(**changes: object) -> Rollout:
    """The same with margins frozen from stable's history: 0.2 % errors, 1 % slow."""
    history = History(requests=5000, errors=10, slow=50, slow_after_ms=40.0)
    return replace(evidence.begin(rollout(), history), **changes)  # type: ignore[arg-type]


@dataclass
class Story:
    """`tick` is one look of a controller; `errors`, `slow` and `wrong` are the true shares of (canary, stable).

    `labelled` is the share of answers whose label comes, `label_delay` ticks later; `ones` are the shares of
    predictions that are 1 instead of 0. `groups`: by name the share of the requests in the slice, and the shares of
    wrong answers there of (canary, stable).
    """

    rollout: Rollout = field(default_factory=begun)
    now: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    per_second: float = 300.0
    errors: tuple[float, float] = (0.002, 0.002)
    slow: tuple[float, float] = (0.01, 0.01)
    wrong: tuple[float, float] = (0.08, 0.08)
    labelled: float = 0.0
    label_delay: int = 12
    ones: tuple[float, float] | None = None
    groups: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    copies: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mirrored: float = 0.0
    routed: float | None = None
    mends: bool = True
    shown: float | None = 0.0
    settled: bool = False
    serving: str | None = STABLE
    source_error: str | None = None
    ready: bool = True
    server_error: str | None = None
    reachable: bool = True
    said: list[Command] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    fractions: dict[tuple[str, str], float] = field(default_factory=dict)
    waiting: list[Observation] = field(default_factory=list)

    def say(self, verb: Verb) -> None:
        """A person leaves a command for the next tick."""
        step, number = orders.bound_to(self.rollout, verb), len(self.said) + 1
        self.said.append(Command(id=number, verb=verb, actor="ada", at=self.now, step=step, digest=CANARY))

    def tick(self, seconds: float = 5.0) -> Rollout:
        """Time passes, requests arrive, and the controller looks, decides and acts."""
        self.now += timedelta(seconds=seconds)
        world = self._world(seconds)
        before = self.rollout
        informed = evidence.absorb(before, world, f"at {self.now}", self.now)
        self.rollout = canary.apply(informed, canary.decide(informed, world))
        self._act(world)
        if not self.weights or self.weights[-1] != self.rollout.weight:
            self.weights.append(self.rollout.weight)
        return self.rollout

    def until(self, *phases: Phase, at_most: int = 500) -> Rollout:
        """Tick until the rollout is in one of `phases`."""
        for _ in range(at_most):
            if self.rollout.phase in phases:
                return self.rollout
            self.tick()
        raise AssertionError(f"still {self.rollout.phase} after {at_most} ticks: {self.rollout.why}")

    def until_step(self, step: int, at_most: int = 500) -> Rollout:
        """Tick until the rollout observes at this step."""
        for _ in range(at_most):
            if self.rollout.phase is Phase.PROGRESSING and self.rollout.step == step:
                return self.rollout
            self.tick()
        raise AssertionError(f"not at step {step} after {at_most} ticks: {self.rollout.why}")

    def _world(self, seconds: float) -> World:
        if self.shown is None or not self.reachable:
            traffic = TrafficState(weight=None, error="no answer")
        else:
            traffic = TrafficState(
                weight=self.shown,
                mirror=self.mirrored,
                settled=self.settled,
                canary=ArmState(digest=CANARY, ready=self.ready, error=self.server_error),
                stable=ArmState(digest=STABLE, ready=True) if self.rollout.stable else None,
            )
        said, self.said = tuple(self.said), []
        return World(
            traffic=traffic,
            observations=() if self.source_error else (*self._observations(seconds), *self._labels(seconds)),
            drift=() if self.source_error else self._predictions(seconds),
            slices=() if self.source_error else self._slices(seconds),
            past_slices=self._past_slices() if self.groups else None,
            shadow=() if self.source_error else self._copies(seconds),
            draws=() if self.source_error else self._draws(seconds),
            stable_outputs=(0.0, 1.0) * 500 if self.ones else (),
            source_error=self.source_error,
            commands=said,
            serving=self.serving,
        )

    def _observations(self, seconds: float) -> tuple[Observation, ...]:
        if not self.per_second or not self.shown or not self.rollout.evidence:
            return ()
        tick = int(self.now.timestamp())
        return tuple(
            Observation(metric=metric, weight=self.shown, tick=tick, block=self._block(metric, seconds, shares))
            for metric, shares in zip(LIVE_METRICS, (self.errors, self.slow), strict=True)
        )

    def _labels(self, seconds: float) -> tuple[Observation, ...]:
        """Labels of requests that arrived `label_delay` ticks ago, under the weight of that time."""
        if self.labelled and self.shown and self.per_second and self.rollout.evidence:
            block = self._block("quality", seconds * self.labelled, self.wrong)
            tick = int(self.now.timestamp())
            self.waiting.append(Observation(metric="quality", weight=self.shown, tick=tick, block=block))
        told, self.waiting = self.waiting[: -self.label_delay], self.waiting[-self.label_delay :]
        return tuple(told)

    def _predictions(self, seconds: float) -> tuple[DriftObservation, ...]:
        if not self.ones or not self.shown or not self.rollout.drift:
            return ()
        block = self._block("drift", seconds, self.ones)
        canary = (block.canary_n - block.canary_bad, block.canary_bad, 0)
        stable = (block.stable_n - block.stable_bad, block.stable_bad, 0)
        tick = int(self.now.timestamp())
        return (DriftObservation(weight=self.shown, tick=tick, canary=canary, stable=stable),)

    def _past_slices(self) -> PastSlices:
        past = (PastSlice(name=name, answers=round(5000 * share)) for name, (share, _, _) in self.groups.items())
        return PastSlices(answers=5000, slices=tuple(past))

    def _slices(self, seconds: float) -> tuple[SliceObservation, ...]:
        """Labels of each group, at once."""
        if not self.shown or not self.rollout.slices:
            return ()
        return tuple(
            SliceObservation(
                key=SliceKey(name=name, metric="quality"),
                weight=self.shown,
                tick=int(self.now.timestamp()),
                block=self._block(name, seconds * share * self.labelled, (canary, stable)),
            )
            for name, (share, canary, stable) in self.groups.items()
        )

    def _copies(self, seconds: float) -> tuple[ShadowObservation, ...]:
        """Copies of which these shares fail, are answered otherwise than by stable with 1, and otherwise with 0."""
        if not self.mirrored or not self.per_second:
            return ()
        asked = self._whole(("copies", "asked"), self.per_second * self.mirrored * max(0.0, seconds))
        failed, ones, zeros = (self._whole(("copies", str(i)), asked * share) for i, share in enumerate(self.copies))
        answered = asked - failed
        same = answered - ones - zeros
        pairs = ((0, 0, same // 2), (1, 1, same - same // 2), (1, 0, ones), (0, 1, zeros))
        cells = tuple(pair for pair in pairs if pair[2]) if self.rollout.drift else ()
        tick = int(self.now.timestamp())
        return (ShadowObservation(tick=tick, asked=asked, failed=failed, equal=same, cells=cells),)

    def _draws(self, seconds: float) -> tuple[DrawObservation, ...]:
        """Every request is a draw; while `routed` is set the canary gets this share, in per cent, whatever is shown."""
        if not self.per_second or not self.shown:
            return ()
        if self.mends and self.rollout.share and self.rollout.share.reapplied:
            self.routed = None
        got = self.shown if self.routed is None else self.routed
        drawn = self._whole(("draws", "all"), self.per_second * max(0.0, seconds))
        canary = self._whole(("draws", "canary"), drawn * got / 100)
        return (DrawObservation(weight=self.shown, at=self.now.timestamp(), drawn=drawn, canary=canary),)

    def _block(self, metric: str, seconds: float, shares: tuple[float, float]) -> Block:
        total = self.per_second * max(0.0, seconds)
        canary_n = self._whole((metric, "canary"), total * (self.shown or 0.0) / 100)
        stable_n = self._whole((metric, "stable"), total * (1 - (self.shown or 0.0) / 100))
        return Block(
            canary_n=canary_n,
            canary_bad=min(canary_n, self._whole((metric, "canary bad"), canary_n * shares[0])),
            stable_n=stable_n,
            stable_bad=min(stable_n, self._whole((metric, "stable bad"), stable_n * shares[1])),
        )

    def _whole(self, key: tuple[str, str], amount: float) -> int:
        """Whole requests; what is left of one is kept for the next block."""
        exact = self.fractions.get(key, 0.0) + amount
        self.fractions[key] = exact - int(exact)
        return int(exact)

    def _act(self, world: World) -> None:
        """What the controller does: traffic follows the decision, and the end is made durable."""
        if not self.reachable:
            return
        match self.rollout.phase:
            case Phase.PENDING | Phase.PROMOTED | Phase.ROLLED_BACK:
                return
            case Phase.PROMOTING if world.traffic.weight is not None and world.traffic.weight >= ALMOST_FULL:
                self.settled, self.serving = True, CANARY
            case Phase.ROLLING_BACK:
                self.shown, self.settled, self.serving = 0.0, False, self.rollout.stable
                self.mirrored = 0.0
            case _:
                self.shown, self.mirrored = min(self.rollout.weight, ALMOST_FULL), self.rollout.mirror
