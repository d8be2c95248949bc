"""A place where traffic is tried, and a rollout that is driven there as the controller drives one.

Every order is repeated until another process reads its effect back, as the controller repeats it at every look.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import ALMOST_FULL, FULL, Phase, Rollout, RolloutPolicy, TrafficState
from gatewright.effects.processes import wait_until
from gatewright.ports import Traffic
from gatewright.store.records import Event
from gatewright.store.rollouts import Rollouts

NEAR = 0.011
"""Weights are hundredths of a per cent; while two arms live, the smaller one has at least one of them."""


class Site(Protocol):
    """A model, its state database, the adapter on it, and the world behind that, seen past the adapter.

    `artifacts` are two models that can be served, with different digests. `mirrors`: requests can be copied.
    `lone_serves`: a model that is alone is given everything before anybody asks. `patience_s` is how long an order may
    take, repeated, until its effect is read back.
    """

    model: str
    rollouts: Rollouts
    artifacts: tuple[Artifact, ...]
    mirrors: bool
    lone_serves: bool
    patience_s: float

    def opened(self) -> Traffic:
        """The adapter as another process opens it: nothing is shared but the state database and the world."""

    def shares(self) -> Mapping[str, float]:
        """Per cent of the live traffic by digest, as the world itself says; empty while nothing serves."""

    def in_force(self) -> str:
        """A text that differs after every change that the world was told; an order that changes nothing leaves it."""

    def settle(self) -> None:
        """Return once the world has done all that it was asked."""

    def unreadable(self) -> AbstractContextManager[None]:
        """While it lasts, the world cannot be read."""

    def stalled(self) -> AbstractContextManager[None] | None:
        """While it lasts, an order is taken and not carried out, as when its giver was killed; None: not to be had."""


@dataclass(slots=True, kw_only=True)
class Course:
    """One rollout on a site. `rollout` is what its driver knows; `driving` is his adapter, `watching` another's."""

    site: Site
    canary: Artifact
    stable: Artifact | None
    rollout: Rollout
    driving: Traffic
    watching: Traffic
    owner: str

    @classmethod
    def begin(cls, site: Site, canary: Artifact, stable: Artifact | None) -> Course:
        """Start the rollout and take its lease; nothing is prepared yet, and no other one may be in progress."""
        now, own = datetime.now(UTC), secrets.token_hex(4)
        rollout = Rollout(
            id=f"r-{own}",
            model=site.model,
            run=f"run-{own}",
            number=1 + site.artifacts.index(canary),
            canary=canary.digest,
            stable=stable.digest if stable else None,
            policy=RolloutPolicy(),
            started_at=now,
        )
        event = Event(at=now, kind="started", run=rollout.run, model=site.model, why="conformance", rollout=rollout.id)
        return cls.resumed(site, site.rollouts.start(rollout, event, lift=True))

    @classmethod
    def resumed(cls, site: Site, rollout: Rollout) -> Course:
        """Take over a rollout that is in progress."""
        by_digest = {artifact.digest: artifact for artifact in site.artifacts}
        course = cls(
            site=site,
            canary=by_digest[rollout.canary],
            stable=by_digest[rollout.stable] if rollout.stable else None,
            rollout=rollout,
            driving=site.opened(),
            watching=site.opened(),
            owner="",
        )
        course.take_over()
        return course

    def take_over(self) -> Rollout:
        """Another controller takes the lease; returns what the one before it still believes."""
        before, self.owner = self.rollout, secrets.token_hex(4)
        over_at_once = 0.0  # so that a test that was cut off holds nobody up
        self.rollout = self.site.rollouts.lease(before, self.owner, datetime.now(UTC), over_at_once)
        return before

    def move(self, phase: Phase, weight: float) -> Rollout:
        """Record a decision; what fails is quarantined with it. Returns the rollout as it was before."""
        before = self.rollout
        after = replace(before, phase=phase, weight=weight, why=f"{phase} by the tests", ticked_at=datetime.now(UTC))
        self.rollout = self.site.rollouts.advance(before, after, (), {}, ())
        return before

    def state(self) -> TrafficState:
        """What another process reads."""
        return self.watching.state(self.rollout)

    def until(
        self,
        what: str,
        order: Callable[[Traffic, Rollout], None],
        seen: Callable[[TrafficState], bool],
        *,
        settle: bool = True,
    ) -> TrafficState:
        """Repeat `order` until another process sees its effect; what fails outside is tried again.

        Without `settle` the world may still be busy with what follows from it, such as unloading a model.
        """
        last = self.state()

        def done() -> bool:
            nonlocal last
            try:
                order(self.driving, self.rollout)
            except LeaseLost:
                raise
            except WorldFailed:
                return False
            last = self.state()
            return seen(last)

        assert wait_until(done, timeout_s=self.site.patience_s, every_s=0.02), f"waited in vain: {what}; seen: {last}"
        if settle:
            self.site.settle()
        return self.state()

    def prepare(self) -> TrafficState:
        """Have both arms ready."""
        return self.until("both arms ready", self.preparing, self._ready)

    def preparing(self, traffic: Traffic, rollout: Rollout) -> None:
        """Ask once."""
        traffic.prepare(rollout, self.canary, self.stable)

    def to(self, weight: float) -> TrafficState:
        """Ask for the weight until it is read back."""
        self.rollout = replace(self.rollout, weight=weight)
        near = NEAR if 0.0 < weight < FULL else 0.0
        least, most = min(weight, ALMOST_FULL) - near, weight + near
        return self.until(
            f"{weight:g} %",
            lambda traffic, rollout: traffic.set_weight(rollout, weight),
            lambda state: state.weight is not None and least <= state.weight <= most,
        )

    def finish(self, *, settle: bool = True) -> TrafficState:
        """Finish until the traffic depends on no lease any more."""
        return self.until(
            "settled", lambda traffic, rollout: traffic.finish(rollout), lambda state: state.settled, settle=settle
        )

    def promote(self, *, recorded: bool = True) -> TrafficState:
        """All traffic, finished, and recorded as promoted: in the controller's order."""
        self.move(Phase.PROMOTING, FULL)
        self.to(FULL)
        state = self.finish()
        if recorded:
            self.move(Phase.PROMOTED, FULL)
        return state

    def roll_back(self, *, settle: bool = True) -> TrafficState:
        """Back, read back, recorded, finished: in the controller's order."""
        if self.rollout.phase is not Phase.ROLLING_BACK:
            self.move(Phase.ROLLING_BACK, 0.0)
        self.to(0.0)
        self.move(Phase.ROLLED_BACK, 0.0)
        return self.finish(settle=settle)

    def _ready(self, state: TrafficState) -> bool:
        arms = [state.canary, *([state.stable] if self.stable else [])]
        return all(arm is not None and arm.ready for arm in arms)


def end_active(site: Site) -> None:
    """Roll back what another test has left in progress; the next one may use what it has loaded."""
    if active := site.rollouts.active(site.model):
        Course.resumed(site, active).roll_back(settle=False)


def serving(site: Site) -> Artifact | None:
    """The model that has all traffic."""
    shares = site.shares()
    return next((each for each in site.artifacts if shares.get(each.digest, 0.0) >= ALMOST_FULL), None)


def next_course(site: Site) -> Course:
    """A rollout against what serves; where nothing serves yet, the first model is deployed before."""
    end_active(site)
    stable = serving(site)
    if stable is None:
        first = Course.begin(site, site.artifacts[0], None)
        first.prepare()
        first.promote()
        stable = first.canary
    canary = next(each for each in site.artifacts if each != stable)
    return Course.begin(site, canary, stable)
