"""Faults by name, and how each is done to a rollout; the phases that they are done in."""

from __future__ import annotations

import contextlib
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from gatewright.domain.errors import WorldFailed
from gatewright.domain.evidence import LIVE_METRICS, Block, Look, Observation
from gatewright.domain.rollout import FULL, Phase, Rollout
from gatewright.ports import Addressee
from gatewright.testing import FakeMetricSource, FakeNotifier
from tests.fixtures import toy
from tests.scenarios.controlled import World, begun_in

WEIGHT = 50.0
POLICY = {"steps": [{"weight": WEIGHT, "hold": "3s"}], "tick": "1s", "max_extension": "9s", "blind_after": "10s"}
LATER = 40


class Strange(FakeMetricSource):
    """A source whose looks are what a test makes of them; cursors go on."""

    def __init__(self, look: Callable[[Look], Look]) -> None:
        super().__init__()
        self.make = look

    def observe(self, rollout: Rollout, tick: int) -> Look:
        return self.make(super().observe(rollout, tick))


@cache
def _project() -> Path:
    breaker = {"max_error_share": 0.2, "tick": "1s"}
    return toy.write_project(Path(tempfile.mkdtemp()) / "project", port=1, rollout={**POLICY, "breaker": breaker})


def in_phase(folder: Path, phase: Phase, **policy: object) -> World:
    """A rollout that has just come into this phase."""
    shutil.copytree(_project(), folder / "project")
    world = begun_in(folder / "project", **policy)
    match phase:
        case Phase.PENDING:
            world.traffic.canary_ready = False
            world.tick()
            world.traffic.canary_ready = True
        case Phase.ROLLING_BACK:
            world.until(Phase.PROGRESSING)
            world.say("abort")
            world.tick()
            world.traffic.shown = WEIGHT  # the order to go back has not reached anybody yet
        case _:
            world.until(phase)
    assert world.rollout.phase is phase
    return world


def look(world: World) -> Rollout:
    """A tick, whatever it says; the rollout as the database has it then."""
    try:
        return world.tick()
    except WorldFailed:
        found = world.workspace.rollouts.get(world.rollout.id)
        assert found is not None
        world.rollout = found
        return found


def source(make: Callable[[Look], Look]) -> Callable[[World], None]:
    def break_it(world: World) -> None:
        strange = Strange(make)
        strange.waiting = world.metrics.waiting
        world.metrics = strange
        world.workspace = replace(world.workspace, metrics=strange)

    return break_it


def impossible(**counts: object) -> Callable[[Look], Look]:
    """A source that read these counts: it fails as soon as it makes a block of them."""

    def make(found: Look) -> Look:
        Block(**{"canary_n": 100, "canary_bad": 0, "stable_n": 100, "stable_bad": 0, **counts})  # type: ignore[arg-type]
        return found

    return make


def twice(found: Look) -> Look:
    return replace(found, observations=(*found.observations, *found.observations)) if found.observations else found


def one_arm(found: Look) -> Look:
    """The canary has answered, of stable nothing is known."""
    lonely = tuple(replace(seen, block=replace(seen.block, stable_n=0, stable_bad=0)) for seen in found.observations)
    return replace(found, observations=lonely)


def nothing(found: Look) -> Look:
    return replace(found, observations=())


def failed(why: str) -> Callable[[Look], Look]:
    return lambda found: Look(cursor=found.cursor, error=why)


def registry(why: str) -> Callable[[World], None]:
    def break_it(world: World) -> None:
        world.registry.down = why

    return break_it


def router(**how: object) -> Callable[[World], None]:
    def break_it(world: World) -> None:
        for name, value in how.items():
            setattr(world.traffic, name, value)

    return break_it


def not_applied(world: World) -> None:
    """It takes what it is told, and goes on as before."""
    world.traffic.deaf = True
    before = {0.0: 0.0, WEIGHT: 0.0, FULL: WEIGHT}
    if world.rollout.phase is not Phase.ROLLING_BACK:
        world.traffic.shown = before[world.rollout.weight]


def notifiers(why: str) -> Callable[[World], None]:
    def break_it(world: World) -> None:
        deaf = {"pager": Addressee(notifier=FakeNotifier(error=why))}
        world.workspace = replace(world.workspace, notifiers=deaf)

    return break_it


def clock(seconds: float) -> Callable[[World], None]:
    return lambda world: world.clock.forward(seconds)


def busy(world: World) -> None:
    """Another connection holds the lock, and nobody waits long for it here."""
    world.workspace.database.rows("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(world.workspace.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    HELD.append(other)


HELD: list[sqlite3.Connection] = []


def read_only(world: World) -> None:
    world.workspace.database.rows("PRAGMA query_only = ON")


def full(world: World) -> None:
    """No page more than there are, and what is free where ticks are stored is used up."""
    database = world.workspace.database
    database.rows(f"PRAGMA max_page_count = {database.rows('PRAGMA page_count')[0][0]}")
    number = 0
    for size in (4000, 400, 40):
        with contextlib.suppress(WorldFailed):
            while True:
                number -= 1
                with database.transaction("fill") as connection:
                    connection.execute("INSERT INTO ticks VALUES ('r1', ?, '', ?)", (number, "x" * size))


def mended(world: World) -> None:
    """Whatever was broken works again."""
    traffic = world.traffic
    traffic.deaf, traffic.down, traffic.unreadable = False, None, None
    traffic.canary_error = traffic.stable_error = None
    traffic.canary_ready = traffic.stable_ready = True
    world.registry.down = None
    source(lambda found: found)(world)
    while HELD:
        HELD.pop().close()
    for pragma in ("query_only = OFF", "max_page_count = 1000000"):
        world.workspace.database.rows(f"PRAGMA {pragma}")


def seen_as(metric_weight: float) -> Callable[[Look], Look]:
    """Blocks under a weight that cannot be."""

    def make(found: Look) -> Look:
        block = Block(canary_n=100, canary_bad=0, stable_n=100, stable_bad=0)
        extra = tuple(Observation(metric=metric, weight=metric_weight, tick=1, block=block) for metric in LIVE_METRICS)
        return replace(found, observations=extra)

    return make


FAULTS: dict[str, Callable[[World], None]] = {
    "registry down": registry("connection refused"),
    "registry answers 500": registry("GET /versions answered 500"),
    "registry slow": registry("GET /versions: timed out"),
    "registry answers HTML": registry("GET /versions: not JSON: '<html>'"),
    "metrics down": source(failed("connection refused")),
    "metrics stale": source(failed("the newest is 10 min old")),
    "metrics NaN": source(impossible(canary_bad=math.nan)),
    "metrics Inf": source(impossible(stable_n=math.inf)),
    "metrics a string": source(impossible(canary_n="5")),
    "metrics impossible": source(impossible(canary_bad=101)),
    "metrics of no weight": source(seen_as(math.nan)),
    "metrics two series": source(twice),
    "metrics empty": source(nothing),
    "no data of stable": source(one_arm),
    "router down": router(down="connection refused"),
    "router unreadable": router(unreadable="no answer"),
    "router does not apply": not_applied,
    "canary crash-loops": router(canary_error="it ended 3 times in a row"),
    "canary of wrong digest": router(canary_error="it loaded x instead of y"),
    "canary slow to start": router(canary_ready=False),
    "stable down": router(stable_error="it ended 3 times in a row", stable_ready=False),
    "stable down too": router(stable_error="it ended", stable_ready=False, canary_error="it ended"),
    "state database busy": busy,
    "state database full": full,
    "state database read-only": read_only,
    "clock an hour ahead": clock(3600.0),
    "clock an hour back": clock(-3600.0),
    "notifiers down": notifiers("503 from the pager"),
}
