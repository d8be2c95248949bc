"""A registry over the network: the database is free while it is asked, and the last word about who serves holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.rollout import Phase, Rollout
from gatewright.engine.controller import Controller
from gatewright.engine.marking import mark_serving, serving
from gatewright.ports import DistantRegistry
from gatewright.testing import FakeRegistry, Silent
from tests.fixtures import toy
from tests.scenarios.controlled import NEW, OLD, World, new_world


@dataclass(slots=True)
class Distant(FakeRegistry):
    """As if over the network: `meanwhile` happens once before an order arrives; `deaf`: it does not arrive."""

    distant: Literal[True] = True
    meanwhile: Callable[[], None] | None = None
    deaf: bool = False

    def mark_serving(self, model: str, version: ModelVersion | None) -> None:
        if (happens := self.meanwhile) is not None:
            self.meanwhile = None
            happens()
        if not self.deaf:
            FakeRegistry.mark_serving(self, model, version)


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = new_world(tmp_path)
    distant = Distant(versions=found.registry.versions, production=found.registry.production, clock=found.clock)
    assert isinstance(distant, DistantRegistry)
    found.registry = distant
    found.workspace = replace(found.workspace, registry=distant)
    return found


def far(world: World) -> Distant:
    assert isinstance(world.registry, Distant)
    return world.registry


def digest(world: World) -> str | None:
    found = world.registry.serving(toy.MODEL)
    return found.artifact.digest if found else None


def overtaken(world: World) -> Callable[[], None]:
    """Another controller takes over, a person has it roll back, and it does."""

    def happens() -> None:
        world.clock.forward(world.rollout.policy.lease.seconds + 1)
        other = replace(world.workspace, owner="there:1")
        rollout = world.rollout
        other.rollouts.command(rollout, "abort", "ada", world.clock.now())
        while not rollout.phase.terminal:
            rollout = Controller(other, Silent()).tick(rollout)
        assert digest(world) == OLD

    return happens


def test_a_promotion_is_written_down_told_and_read_back(world: World) -> None:
    world.until(Phase.PROMOTED)
    assert digest(world) == NEW
    mark = world.workspace.marks.newest(toy.MODEL)
    assert mark is not None
    assert (mark.number, mark.digest) == (1, NEW)
    assert not world.workspace.marks.outdated(toy.MODEL, NEW)


def test_others_can_write_to_the_database_while_the_registry_is_asked(world: World) -> None:
    written: list[str] = []

    def write() -> None:
        with sqlite3.connect(world.workspace.database.path, timeout=0) as other:
            other.execute("UPDATE rollouts SET lease_until = lease_until")
        written.append("yes")

    world.until(Phase.PROMOTING)
    far(world).meanwhile = write
    world.until(Phase.PROMOTED)
    assert written == ["yes"]


def test_a_controller_that_comes_back_late_repairs_what_it_tells(world: World) -> None:
    world.until(Phase.PROMOTING)
    far(world).meanwhile = overtaken(world)
    mark_serving(world.workspace, held(world), NEW)
    assert digest(world) == OLD, "its own order arrived last, but it was not the last word"


def test_what_a_killed_controller_told_late_is_taken_back_by_whoever_looks_next(world: World) -> None:
    world.until(Phase.PROMOTING)
    registry = far(world)

    def killed() -> None:
        overtaken(world)()
        FakeRegistry.mark_serving(registry, toy.MODEL, registry.versions[1])
        raise KeyboardInterrupt

    registry.meanwhile = killed
    with pytest.raises(KeyboardInterrupt):
        mark_serving(world.workspace, held(world), NEW)
    assert digest(world) == NEW
    found = serving(world.workspace)
    assert found is not None
    assert (found.artifact.digest, digest(world)) == (OLD, OLD)


def test_what_a_person_moved_is_left_alone(world: World) -> None:
    world.until(Phase.PROMOTED)
    world.registry.mark_serving(toy.MODEL, world.registry.versions[0])
    found = serving(world.workspace)
    assert found is not None
    assert found.artifact.digest == OLD


def test_an_outdated_controller_does_not_even_write_it_down(world: World) -> None:
    world.until(Phase.PROMOTING)
    late = held(world)
    overtaken(world)()
    with pytest.raises(LeaseLost, match="driven by somebody else"):
        mark_serving(world.workspace, late, NEW)
    assert digest(world) == OLD


def test_a_registry_that_does_not_do_what_it_is_told_is_no_end(world: World) -> None:
    world.until(Phase.PROMOTING)
    far(world).deaf = True
    with pytest.raises(WorldFailed, match="does not say that"):
        mark_serving(world.workspace, held(world), NEW)
    far(world).deaf = False
    assert world.until(Phase.PROMOTED).phase is Phase.PROMOTED
    assert digest(world) == NEW


def held(world: World) -> Rollout:
    """The rollout as the database has it, with its epoch."""
    found = world.workspace.rollouts.get(world.rollout.id)
    assert found is not None
    return found
