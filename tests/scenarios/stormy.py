"""The controlled world in a storm: controllers that are killed or put to sleep in mid-tick, and a witness of it all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gatewright.domain.evidence import LIVE_METRICS, Block, Observation
from gatewright.domain.notice import Notice
from gatewright.domain.rollout import ALMOST_FULL, FULL, Command, Phase, Rollout, World
from gatewright.engine.controller import Controller
from gatewright.store.database import Database
from gatewright.store.records import Event
from gatewright.store.rollouts import Rollouts
from gatewright.testing import FakeTraffic, Silent
from tests.fixtures import toy
from tests.scenarios.controlled import OLD, begun_in
from tests.scenarios.controlled import World as Controlled

TICK_S, HOLD_S = 1.0, 4.0
WEIGHTS = (10.0, 30.0, 60.0)
Where = Literal["before the commit", "before the effect"]
Traffic = Literal["healthy", "bad", "none", "canary alone", "stable alone", "elsewhere"]
INPUTS = {name: name for name in ("train", "train_digest", "evaluation", "evaluation_digest", "commit", "config")}


class Gone(BaseException):
    """The controller was killed, or sleeps: from here on it does nothing."""


@dataclass
class Halt:
    """Where the next tick ends before its time; with `asleep` what it was about to do is kept, to be done late."""

    where: Where | None = None
    sleeps: bool = False
    asleep: list[Callable[[], object]] = field(default_factory=list)

    def here(self, where: Where, onward: Callable[[], object]) -> None:
        if self.where != where:
            return
        self.where = None
        if self.sleeps:
            self.asleep.append(onward)
        raise Gone


class HaltingRollouts(Rollouts):
    """The real ones; a commit may never happen, or late."""

    def __init__(self, database: Database, halt: Halt) -> None:
        super().__init__(database)
        self._halt = halt

    def advance(
        self,
        before: Rollout,
        after: Rollout,
        events: tuple[Event, ...],
        tick: Mapping[str, Any],
        taken: tuple[Command, ...],
        letters: tuple[tuple[Notice, str], ...] = (),
    ) -> Rollout:
        advance = partial(super().advance, before, after, events, tick, taken, letters)
        self._halt.here("before the commit", advance)
        return advance()


class HaltingController(Controller):
    """The real one; its effects may never happen, or late."""

    def __init__(self, *arguments: Any, halt: Halt) -> None:
        super().__init__(*arguments)
        self._halt = halt

    def _act(self, rollout: Rollout, world: World) -> None:
        act = super()._act
        self._halt.here("before the effect", lambda: act(rollout, world))
        act(rollout, world)


class WitnessedTraffic(FakeTraffic):
    """Sees every weight that was accepted, beside what the database said at that moment."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        super().set_weight(rollout, weight)
        assert self.rollouts is not None
        known = self.rollouts.get(rollout.id)
        assert known is not None
        assert weight == 0.0 or known.phase not in (Phase.ROLLING_BACK, Phase.ROLLED_BACK), "traffic after a rollback"
        assert rollout.epoch == known.epoch, f"epoch {rollout.epoch} moved the traffic, {known.epoch} drives"
        assert weight in (0.0, known.weight), f"{weight} % was accepted, {known.weight} % is what was decided"


@dataclass
class Storm:
    """One rollout after another in a workspace of its own; `owner` is who drives at present."""

    world: Controlled
    folder: Path
    halt: Halt
    traffic: WitnessedTraffic
    owners: int = 0
    served_s: float = 0.0
    ticked_at: datetime | None = None
    excused: set[tuple[str, int]] = field(default_factory=set)
    approved: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def begin(cls, template: Path, **policy: Any) -> Storm:
        """A copy of `template`, in memory if the system has a place for that: a look costs 2 ms there, not 20."""
        memory = Path("/dev/shm")
        folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        shutil.copytree(template, folder / "project")
        traffic, halt = WitnessedTraffic(), Halt()
        world = begun_in(folder / "project", traffic, **policy)
        rollouts = HaltingRollouts(world.workspace.database, halt)
        traffic.rollouts = rollouts
        world.workspace = replace(world.workspace, rollouts=rollouts, owner="elsewhere:0")
        event = Event(
            at=world.clock.now(), kind="promoted", run="run0", model=toy.MODEL, why="before", after=OLD,
            details={"inputs": INPUTS},
        )  # fmt: skip
        world.workspace.records.append(event)
        return cls(world=world, folder=folder, halt=halt, traffic=traffic)

    def end(self) -> None:
        self.world.workspace.database.close()
        shutil.rmtree(self.folder)

    @property
    def rollout(self) -> Rollout:
        """As the database has it."""
        found = self.world.workspace.rollouts.get(self.world.rollout.id)
        assert found is not None
        return found

    def tick(self, kind: Traffic = "healthy", *, as_owner: str | None = None) -> None:
        """A second passes, requests arrive, and the controller looks; or it is gone in the middle of that."""
        self.world.clock.forward(TICK_S)
        self._arrive(kind)
        workspace = self.world.workspace
        if as_owner is not None:
            workspace = replace(workspace, owner=as_owner)
        before, fed, asleep = self.rollout, self._fed(), len(self.halt.asleep)
        account = partial(self._account, before, fed, self.world.clock.now())
        try:
            self.world.rollout = HaltingController(workspace, Silent(), halt=self.halt).tick(before)
        except Gone:
            if len(self.halt.asleep) > asleep and self.rollout.revision == before.revision:  # it commits when it wakes
                late = self.halt.asleep.pop()
                self.halt.asleep.append(lambda: (late(), account()))
            raise
        else:
            self._asked_again()
        finally:
            account()

    def succeed(self) -> None:
        """Whoever drove is heard of no more: another one takes over when the lease has run out."""
        self.owners += 1
        self.world.workspace = replace(self.world.workspace, owner=f"elsewhere:{self.owners}")
        self.world.clock.forward(self.rollout.policy.lease.seconds + 1)

    def mend(self) -> None:
        """Everything works again; whoever sleeps is gone for good."""
        world, traffic = self.world, self.traffic
        traffic.deaf, traffic.unreadable, traffic.down = False, None, None
        traffic.canary_error = traffic.stable_error = None
        traffic.canary_ready = traffic.stable_ready = True
        world.metrics.error = world.metrics.raises = world.registry.down = None
        self.halt.asleep.clear()
        self.succeed()

    def _arrive(self, kind: Traffic) -> None:
        """Requests that the look will see, under the weight that the traffic shows."""
        shown = self.traffic.shown
        if kind == "none" or not 0 < shown < FULL:
            return
        canary_n, stable_n = (0 if kind == "stable alone" else 200), (0 if kind == "canary alone" else 200)
        block = Block(
            canary_n=canary_n, canary_bad=canary_n // 2 if kind == "bad" else 0, stable_n=stable_n, stable_bad=0
        )
        at, weight = int(self.world.clock.now().timestamp()), 1.0 if kind == "elsewhere" else shown
        self.world.metrics.show(
            *(Observation(metric=metric, weight=weight, tick=at, block=block) for metric in LIVE_METRICS)
        )

    def _fed(self) -> bool:
        """Whether this look can see both arms at the weight of the rollout."""
        metrics, traffic, weight = self.world.metrics, self.traffic, self.rollout.weight
        blind = metrics.error or metrics.raises or traffic.unreadable or traffic.down
        if blind or abs(traffic.shown - weight) > 0.01 or traffic.stable_error or not traffic.stable_ready:
            return False
        return any(seen.weight == weight and seen.block.canary_n and seen.block.stable_n for seen in metrics.waiting)

    def _asked_again(self) -> None:
        """After a look the traffic is as it was decided, whoever has moved it, if the router does what it is told."""
        rollout, traffic = self.world.rollout, self.traffic
        unread = rollout.phase is Phase.PENDING and (traffic.unreadable or traffic.down)
        if rollout.phase is not Phase.PROMOTING and not rollout.phase.terminal and not traffic.deaf and not unread:
            assert traffic.shown == min(rollout.weight, ALMOST_FULL), f"{traffic.shown} % instead of {rollout.weight} %"

    def _account(self, before: Rollout, fed: bool, now: datetime) -> None:
        """Hold time as this witness counts it: looks that saw both arms, at most two ticks each."""
        after = self.rollout
        if after.revision == before.revision:
            return
        passed = (now - self.ticked_at).total_seconds() if self.ticked_at is not None else 0.0
        self.ticked_at = now
        if fed and before.phase is Phase.PROGRESSING:
            self.served_s += min(max(passed, 0.0), 2 * TICK_S)
        if after.weight > before.weight > 0 and (before.id, before.step) not in self.excused:
            assert self.served_s >= HOLD_S - 1e-6, f"step {before.step} ended after {self.served_s} of {HOLD_S} s"
        if after.step != before.step or before.phase is Phase.PENDING:
            self.served_s = 0.0
