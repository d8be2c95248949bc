"""A world in which requests are served and counted, and a rollout that is looked at there as the controller does it.

The requests of each moment differ in number and in kind, so that a block shows which moments it is made of.
"""

from __future__ import annotations

import random
import secrets
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import LIVE_METRICS, History, LiveMetric, Look, Losses, Observation
from gatewright.domain.rollout import (
    ALMOST_FULL,
    ArmState,
    Breaker,
    LatencyMargins,
    Phase,
    Rollout,
    RolloutPolicy,
    TrafficState,
)
from gatewright.domain.rollout import World as Seen
from gatewright.ports import MetricSource
from gatewright.rules import evidence
from gatewright.testing import FakeClock

Role = Literal["canary", "stable"]
By = Literal["user", "tester", "copy"]
ROLES: tuple[Role, Role] = ("canary", "stable")
CANARY, STABLE = "sha256:" + "a" * 64, "sha256:" + "b" * 64
LIMIT_MS = 250.0
_GRAINS = 5
"""Moments between two looks at which requests are served."""
_ALL_STABLE: tuple[Role, ...] = ("stable",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one request: `failed` is a complete answer with status 500."""

    took_ms: float
    failed: bool = False


class Scene(Protocol):
    """A source of evidence and the world it looks at, whose clock stands still until it is moved.

    `look_s` is how often it is looked at. What was served within `lead_s` and two looks after a change of weight may be
    left out, and so may what was served within `lag_s` and one look before the last look. It begins with the limit
    `LIMIT_MS`; `other_limit_ms` is one that it could count by, too, or refuse. `charges`: it knows who asked.
    `faults` are the names of ways in which it fails, `voids` of those in which it answers and lacks something.
    """

    model: str
    clock: FakeClock
    look_s: float
    lead_s: float
    lag_s: float
    past_s: float
    other_limit_ms: float | None
    charges: bool
    faults: tuple[str, ...]
    voids: tuple[str, ...]

    def opened(self) -> MetricSource:
        """The adapter as another process opens it."""

    def serve(
        self,
        rollout: Rollout,
        weight: float,
        role: Role,
        answers: Sequence[Answer],
        by: By = "user",
        *,
        arrived: float | None = None,
    ) -> None:
        """At this moment this arm has answered these requests, which were routed under this weight of the canary.

        They arrived now, or at the moment `arrived`.
        """

    def forward(self, seconds: float) -> None:
        """Let time pass."""

    def broken(self, way: str) -> AbstractContextManager[None]:
        """While it lasts, the source is broken in one of its `faults` or `voids`; requests are served all the same."""

    def restart(self, role: Role) -> bool:
        """What counts this arm begins anew; False where there is no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """What was served at one moment, in seconds since 1970."""

    at: float
    weight: float
    answers: Mapping[Role, Sequence[Answer]]

    def counted(self, metric: LiveMetric, limit_ms: float) -> tuple[int, ...]:
        """Canary's requests and bad ones, and stable's."""
        found: list[int] = []
        for role in ROLES:
            here = self.answers.get(role, ())
            bad = [each.failed if metric == "errors" else each.took_ms > limit_ms for each in here]
            found += [len(bad), sum(bad)]
        return tuple(found)


@dataclass(slots=True, kw_only=True)
class Watched:
    """A rollout, and what was served and told while it lasts. `weight` is what the traffic shows."""

    scene: Scene
    rollout: Rollout
    source: MetricSource
    weight: float = 0.0
    grains: list[Grain] = field(default_factory=list)
    told: list[Observation] = field(default_factory=list)
    longest_s: float = 0.0
    last: Look | None = None
    _luck: random.Random = field(default_factory=lambda: random.Random(20260101))
    _looked: float = 0.0

    @classmethod
    def waiting(cls, scene: Scene) -> Watched:
        """Not begun yet; nothing was served."""
        look = Duration(scene.look_s)
        rollout = Rollout(
            id=f"r-{secrets.token_hex(4)}",
            model=scene.model,
            run="run",
            number=2,
            canary=CANARY,
            stable=STABLE,
            policy=RolloutPolicy(
                tick=look,
                breaker=Breaker(tick=look),
                lease=Duration(5 * scene.look_s),
                latency=LatencyMargins(limit=Duration(LIMIT_MS / 1000)),
            ),
            started_at=scene.clock.now(),
            slow_after_ms=LIMIT_MS,
        )
        return cls(scene=scene, rollout=rollout, source=scene.opened())

    @classmethod
    def begin(cls, scene: Scene, *, weight: float = 5.0) -> Watched:
        """Stable has served alone for a while; then the canary gets its first share."""
        watched = cls.waiting(scene)
        watched.serve(scene.past_s)
        watched.look()
        watched.to(weight)
        return watched

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.scene.clock.now().timestamp()

    def serve(self, seconds: float, *, roles: tuple[Role, ...] | None = None, by: By = "user", times: int = 1) -> None:
        """Requests arrive for so long; those of testers and copies are no part of `grains`."""
        step = min(self.scene.look_s / _GRAINS, seconds)
        here = roles if roles is not None else (ROLES if self.weight else _ALL_STABLE)
        passed = 0.0
        while passed < seconds:
            answers = {role: self._answers(role) * times for role in here}
            for role, those in answers.items():
                self.scene.serve(self.rollout, self.weight, role, those, by)
            if by == "user":
                self.grains.append(Grain(at=self.now, weight=self.weight, answers=answers))
            self.scene.forward(min(step, seconds - passed))
            passed += step

    def under_way(self) -> Grain:
        """Requests arrive that take long; all of them will fail."""
        answer = Answer(took_ms=1200 * self.scene.look_s, failed=True)
        grain = Grain(at=self.now, weight=self.weight, answers=dict.fromkeys(ROLES, (answer, answer)))
        self.grains.append(grain)
        return grain

    def ended(self, grain: Grain) -> None:
        """Now they are answered."""
        for role, answers in grain.answers.items():
            self.scene.serve(self.rollout, grain.weight, role, answers, arrived=grain.at)

    def mark(self) -> float:
        """This moment, from which the longest time between two looks is measured."""
        self.longest_s = 0.0
        return self.now

    def idle(self, seconds: float) -> None:
        """Nobody asks anything for so long."""
        self.scene.forward(seconds)

    def to(self, weight: float, *, shown: bool = True) -> None:
        """Ask for a weight, as after a look; without `shown` the traffic does not follow yet."""
        self.rollout = replace(self.rollout, weight=weight, phase=Phase.PROGRESSING if weight else Phase.PENDING)
        if shown:
            self.weight = weight

    def history(self) -> History:
        """Stable's past."""
        return self.source.history(self.rollout)

    def glance(self) -> Look:
        """A look of a controller that dies before it has written anything down."""
        return self.source.observe(self.rollout, self.rollout.revision)

    def look(self) -> Look:
        """A look as the engine takes it over, by its own rules."""
        found = self.glance()
        self.longest_s = max(self.longest_s, self.now - self._looked if self._looked else 0.0)
        self._looked, self.last = self.now, found
        traffic = TrafficState(
            weight=self.weight,
            canary=ArmState(digest=CANARY, ready=True),
            stable=ArmState(digest=STABLE, ready=True),
        )
        seen = Seen(traffic=traffic, observations=found.observations, source_error=found.error)
        after = evidence.absorb(self.rollout, seen, found.cursor, datetime.fromtimestamp(self.now, UTC))
        self.rollout = replace(after, revision=self.rollout.revision + 1)
        self.told += () if found.error else found.observations
        return found

    def looks(self, number: int) -> list[Look]:
        """So many looks, each after the time between two of them."""
        found = []
        for _ in range(number):
            self.serve(self.scene.look_s)
            found.append(self.look())
        return found

    def enough(self) -> int:
        """Looks after which what was served at a constant weight has been told for a while."""
        return 5 + int((self.scene.lead_s + self.scene.lag_s) // self.scene.look_s)

    def _answers(self, role: Role) -> tuple[Answer, ...]:
        fewest, most = (0, 3) if role == "canary" else (1, 5)
        times = (5.0, 40.0, 120.0, LIMIT_MS, 300.0, 2000.0)
        return tuple(
            Answer(took_ms=self._luck.choice(times), failed=self._luck.random() < 0.3)
            for _ in range(self._luck.randint(fewest, most))
        )


def runs(
    watched: Watched, metric: LiveMetric, limit_ms: float = LIMIT_MS, *, lacking: bool = False
) -> tuple[set[int], list[Observation]]:
    """Indexes of the grains that the blocks told are made of, each once, and the blocks that are made of none.

    A block is made of grains under its weight, none left out between the first and the last of them, which no other
    block has. With `lacking` an arm of which it tells no request at all may have had some: that is no evidence.
    """
    grains, look_s = watched.grains, watched.scene.look_s
    counted = [grain.counted(metric, limit_ms) for grain in grains]
    covered: set[int] = set()
    strange: list[Observation] = []
    for seen in watched.told:
        wanted = numbers(seen)
        if seen.metric != metric or not any(wanted):
            continue
        canary, stable = wanted[:2], wanted[2:]
        parts = [0, 1] * (not lacking or canary[0] > 0) + [2, 3] * (not lacking or stable[0] > 0)
        # The arrival tick is when the first of them came, or, where time is read in samples, the tick before.
        early, late = (bisect_left(grains, (seen.tick + tick) * look_s, key=_moment) for tick in (-1, 2))
        for first in range(early, late):
            run = _run(seen, first, grains, counted, parts) if first not in covered else None
            if run is not None and covered.isdisjoint(run):
                covered.update(run)
                break
        else:
            strange.append(seen)
    return covered, strange


def _moment(grain: Grain) -> float:
    return grain.at


def numbers(seen: Observation) -> tuple[float, ...]:
    """Canary's requests and bad ones, and stable's."""
    block = seen.block
    if isinstance(block, Losses):
        return block.canary_n, sum(block.canary[1:]), block.stable_n, sum(block.stable[1:])
    return block.canary_n, block.canary_bad, block.stable_n, block.stable_bad


def _run(
    seen: Observation, first: int, grains: Sequence[Grain], counted: Sequence[tuple[int, ...]], parts: Sequence[int]
) -> list[int] | None:
    """The grains from `first` on that add up to these parts of the block."""
    wanted = [numbers(seen)[part] for part in parts]
    total = [0] * len(parts)
    run: list[int] = []
    for at in range(first, len(grains)):
        if grains[at].weight != min(seen.weight, ALMOST_FULL):
            if not run:
                return None
            continue
        run.append(at)
        total = [one + counted[at][part] for one, part in zip(total, parts, strict=True)]
        if total == wanted:
            return run
        if any(one > most for one, most in zip(total, wanted, strict=True)):
            return None
    return None


def is_a_past(watched: Watched, found: History) -> bool:
    """Whether some moments that follow one another have these requests, errors and slow answers of stable."""
    errors, slow = ([grain.counted(metric, LIMIT_MS)[2:] for grain in watched.grains] for metric in LIVE_METRICS)
    for first in range(len(errors)):
        total = [0, 0, 0]
        for (requests, failed), (_, late) in zip(errors[first:], slow[first:], strict=True):
            total = [one + more for one, more in zip(total, (requests, failed, late), strict=True)]
            if total == [found.requests, found.errors, found.slow]:
                return True
    return False
