"""The daemon: several rollouts at once, one in trouble, another driven elsewhere, and a clean end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.rollout import Phase, Rollout
from gatewright.engine.controller import Controller
from gatewright.engine.fleet import Fleet
from gatewright.store.records import Event
from gatewright.store.routes import Route
from gatewright.testing import FakeClock, FakeTraffic, Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.scenarios.controlled import OLD, World, version


@dataclass(kw_only=True)
class Told:
    events: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, event: str, **facts: Any) -> None:
        self.events.append({"event": event, **facts})

    def of(self, rollout: str) -> list[str]:
        return [each.get("phase", each["event"]) for each in self.events if each.get("rollout") == rollout]


def second_rollout(world: World) -> Rollout:
    """One of another model, in the same database."""
    fresh = version(1, "sha256:other")
    world.registry.versions.append(replace(fresh, model="second", run=world.rollout.run))
    world.registry.versions.append(replace(fresh, model="second", artifact=replace(fresh.artifact, digest=OLD)))
    world.registry.mark_serving("second", world.registry.versions[-1])
    begun = replace(world.rollout, id="r2", model="second", run="run2", canary="sha256:other", origin=world.rollout.run)
    event = Event(at=world.clock.now(), kind="started", run="run2", model="second", why="test", rollout="r2")
    return world.workspace.rollouts.start(begun, event)


def fleet(world: World, told: Told, **models: Workspace) -> Fleet:
    return Fleet(
        world.workspace.rollouts,
        world.clock,
        Silent(),
        told,
        open_model=lambda model: models.get(model, world.workspace),
        keep_runtime=lambda workspace: None,
    )


def test_it_drives_every_rollout_and_ends_when_none_is_left(world: World) -> None:
    second_rollout(world)
    told = Told()
    for rollout in ("r1", "r2"):
        found = world.workspace.rollouts.get(rollout)
        assert found is not None
        world.workspace.rollouts.command(found, "abort", "ada", world.clock.now())
    other = replace(world.workspace, traffic=FakeTraffic())
    fleet(world, told, second=other).run(until_idle=True)
    assert told.of("r1")[-1] == told.of("r2")[-1] == "rolled_back"
    assert [each["event"] for each in (told.events[0], told.events[-1])] == ["started", "stopped"]


def test_the_trouble_of_one_does_not_touch_the_others(world: World) -> None:
    class Broken(FakeTraffic):
        def set_weight(self, rollout: Rollout, weight: float) -> None:
            raise WorldFailed("the gateway is on fire", fix="put it out")

    second_rollout(world)
    told = Told()
    driving = fleet(world, told, second=replace(world.workspace, traffic=Broken()))
    for _ in range(6):
        world.clock.forward(10.0)
        driving.look()
    assert told.of("r1")[-1] == "progressing"
    assert told.of("r2").count("error") == 1
    assert {each["fix"] for each in told.events if each["event"] == "error"} == {"put it out"}


def test_a_model_that_is_gone_from_the_configuration_is_told(world: World) -> None:
    def open_model(model: str) -> Workspace:
        raise WorldFailed(f"there is no model {model}")

    told = Told()
    rollouts, keep = world.workspace.rollouts, lambda workspace: None
    lost = Fleet(rollouts, world.clock, Silent(), told, open_model=open_model, keep_runtime=keep)
    lost.look()
    assert [each["error"] for each in told.events if each["event"] == "error"] == [f"there is no model {toy.MODEL}"]


def test_a_rollout_that_is_driven_elsewhere_is_left_alone_until_its_lease_ends(world: World) -> None:
    Controller(replace(world.workspace, owner="elsewhere:1"), Silent()).tick(world.rollout)
    told = Told()
    driving = fleet(world, told)
    driving.look()
    driving.look()
    assert told.of("r1") == ["driven elsewhere"]
    world.clock.forward(world.rollout.policy.lease.seconds + 1)
    driving.look()
    assert told.of("r1")[-1] == "progressing"


def test_a_row_that_nobody_can_read_does_not_end_the_others(world: World) -> None:
    second_rollout(world)
    with world.workspace.database.transaction("test") as connection:
        connection.execute("UPDATE rollouts SET state = '{}' WHERE id = 'r1'")
    told = Told()
    driving = fleet(world, told, second=replace(world.workspace, traffic=FakeTraffic()))
    driving.look()
    assert told.of("r1") == ["error"]
    assert told.of("r2") == ["progressing"]


def test_it_ticks_only_what_is_due(world: World) -> None:
    driving = fleet(world, Told())
    assert driving.look() == 1
    assert driving.look() == 0


def test_a_signal_ends_it_and_gives_the_leases_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    driving = fleet(world, told)
    sleep = FakeClock.sleep

    def interrupted(clock: FakeClock, seconds: float) -> None:
        sleep(clock, seconds)
        driving.stop()

    monkeypatch.setattr(FakeClock, "sleep", interrupted)
    driving.run()
    assert told.events[-1]["event"] == "stopped"
    elsewhere = Controller(replace(world.workspace, owner="elsewhere:1"), Silent())
    assert elsewhere.tick(world.rollout).phase is Phase.PROGRESSING


class Far(FakeTraffic):
    """Traffic that a service divides; `tended` counts."""

    distant = True
    tended = 0

    def tend(self) -> str | None:
        self.tended += 1
        return None


def test_what_ended_before_it_began_is_tended_and_a_model_that_is_gone_is_told_once(world: World) -> None:
    far = replace(world.workspace, traffic=Far())
    for model in ("ended", "gone"):
        route = Route(
            model=model, rollout="r0", stable=OLD, canary=None, weight=0.0, epoch=1, revision=0, renewals=0, lease_s=0.0
        )
        world.workspace.routes.put(route)
    told = Told()
    driving = fleet(world, told, ended=far)

    def opened(model: str) -> Workspace:
        if model == "gone":
            raise UnusableInput("there is no model 'gone'", fix="models: toy")
        return {"ended": far}.get(model, world.workspace)

    driving._open_model = opened
    for _ in range(3):
        world.clock.forward(60.0)
        driving.look()
    assert isinstance(far.traffic, Far)
    assert far.traffic.tended == 3
    assert [each["model"] for each in told.events if each["event"] == "error"] == ["gone"]
