"""The real controller and its database with pretended traffic: look, decide, record, act, in that order."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from gatewright.domain.errors import LeaseLost
from gatewright.domain.rollout import Phase, Rollout
from gatewright.engine import operator
from gatewright.engine.controller import Controller
from gatewright.testing import FakeTraffic, Silent
from tests.fixtures import toy
from tests.scenarios.controlled import NEW, World


def test_a_healthy_canary_is_promoted_and_becomes_the_baseline(world: World) -> None:
    world.until(Phase.PROMOTED)
    assert world.registry.serving(toy.MODEL) == world.registry.versions[1]
    assert world.traffic.settled
    assert world.kinds()[-1] == "promoted"
    assert world.kinds().count("promoted") == 1
    assert world.workspace.records.first_broken() is None
    assert world.workspace.runs.get(world.rollout.run).read("deployment-record") is not None


def test_a_terminal_rollout_is_left_alone(world: World) -> None:
    ended = world.until(Phase.PROMOTED)
    kinds = world.kinds()
    assert world.tick() == replace(ended, epoch=world.rollout.epoch)
    assert world.kinds() == kinds


def test_a_bad_canary_is_rolled_back_and_quarantined_before_the_traffic_is_told(world: World) -> None:
    told: list[bool] = []
    apply = FakeTraffic.set_weight

    class Watching(FakeTraffic):
        def set_weight(self, rollout: Rollout, weight: float) -> None:
            if rollout.phase is Phase.ROLLING_BACK:
                told.append(NEW in world.workspace.rollouts.quarantined(toy.MODEL))
            apply(self, rollout, weight)

    world.workspace = replace(world.workspace, traffic=(watching := Watching()))
    world.traffic = watching
    world.until(Phase.ROLLED_BACK, bad=40)
    assert told
    assert all(told)
    assert watching.shown == 0.0
    assert world.kinds()[-1] == "rolled_back"


def test_a_router_that_does_not_apply_a_rollback_is_asked_until_it_does(world: World) -> None:
    world.until(Phase.PROGRESSING)
    world.traffic.deaf = True
    world.workspace.rollouts.command(world.rollout, "abort", "ada", world.clock.now())
    for _ in range(20):
        assert world.tick().phase is Phase.ROLLING_BACK
    assert world.traffic.weights[-15:] == [0.0] * 15
    assert "rolled_back" not in world.kinds()
    world.traffic.deaf = False
    world.until(Phase.ROLLED_BACK)
    assert world.rollout.why == "aborted by ada"


def test_a_promotion_waits_until_the_traffic_is_read_back(world: World) -> None:
    world.until(Phase.PROMOTING)
    world.traffic.unreadable = "no answer"
    for _ in range(10):
        assert world.tick().phase is Phase.PROMOTING
    assert world.registry.serving(toy.MODEL) == world.registry.versions[0]
    world.traffic.unreadable = None
    world.until(Phase.PROMOTED)


def test_evidence_that_cannot_be_read_never_advances(world: World) -> None:
    world.until(Phase.PROGRESSING)
    world.metrics.error = "the log is gone"
    for _ in range(30):
        assert world.tick().phase is Phase.PROGRESSING
    assert world.rollout.held_s == 0.0
    assert world.traffic.weights[-1] == 50.0


def test_a_second_controller_is_refused_until_the_lease_ends_and_then_fences_the_first(world: World) -> None:
    world.until(Phase.PROGRESSING)
    first = world.rollout
    other = Controller(replace(world.workspace, owner="elsewhere:1"), Silent())
    with pytest.raises(LeaseLost, match="is driven by"):
        other.tick(first)
    world.clock.forward(world.rollout.policy.lease.seconds + 1)
    taken = other.tick(first)
    assert taken.epoch == first.epoch + 1
    with pytest.raises(LeaseLost, match="outdated"):
        world.traffic.set_weight(first, 100.0)
    with pytest.raises(LeaseLost, match="is driven by"):
        world.tick()


def test_the_lease_of_a_process_that_was_killed_is_over_at_once(world: World) -> None:
    dead = Controller(replace(world.workspace, owner=f"{socket.gethostname()}:{2**22 + 7}"), Silent())
    first = dead.tick(world.rollout)
    assert world.tick().epoch == first.epoch + 1


def test_an_abort_outlasts_a_controller_of_another_machine_that_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "ensure_supervisor", lambda workspace: None)
    gone = Controller(replace(world.workspace, owner="elsewhere:1"), Silent())
    for _ in range(4):
        world.clock.forward(1.0)
        world.rollout = gone.tick(world.rollout)
    assert world.traffic.shown == 50.0
    ended = operator.ask(Controller(world.workspace, Silent()), world.workspace, world.rollout, "abort", "ada")
    assert (ended.phase, ended.why, world.traffic.shown) == (Phase.ROLLED_BACK, "aborted by ada", 0.0)
    assert sum(world.clock.slept) <= world.rollout.policy.lease.seconds + 5


def test_a_pause_is_left_to_the_controller_that_drives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "ensure_supervisor", lambda workspace: None)
    driving = Controller(replace(world.workspace, owner="elsewhere:1"), Silent())
    rollout = driving.tick(world.rollout)
    found = operator.ask(Controller(world.workspace, Silent()), world.workspace, rollout, "pause", "ada")
    assert found.phase is rollout.phase
    assert driving.tick(rollout).phase is Phase.PAUSED


def test_a_controller_that_was_overtaken_does_not_move_the_baseline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had decided to promote, slept past its lease, and wakes up when an abort is carried out."""
    world.until(Phase.PROMOTING)
    fell_asleep: list[Rollout] = []

    def sleep_before_marking(rollout: Rollout) -> None:
        if not fell_asleep:
            fell_asleep.append(rollout)
            world.clock.forward(rollout.policy.lease.seconds + 1)
            world.workspace.rollouts.lease(rollout, "other", world.clock.now(), 30.0)

    finish = FakeTraffic.finish
    monkeypatch.setattr(
        FakeTraffic, "finish", lambda self, rollout: (finish(self, rollout), sleep_before_marking(rollout))[0]
    )
    with pytest.raises(LeaseLost, match="somebody else"):
        world.until(Phase.PROMOTED)
    assert fell_asleep
    assert world.registry.serving(toy.MODEL) == world.registry.versions[0]
