"""A person at work: orders and their records, going back after a promotion, and trying again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gatewright.domain.errors import LeaseLost, UnusableInput
from gatewright.domain.rollout import Phase
from gatewright.engine import operator
from gatewright.engine.controller import Controller
from gatewright.engine.planning import recorded_inputs, reference_record
from gatewright.engine.reversal import retry, roll_back
from gatewright.store.records import Event
from gatewright.testing import Silent
from tests.fixtures import toy
from tests.scenarios.controlled import NEW, OLD, World, new_world

INPUTS = {"train": "t", "train_digest": "d", "evaluation": "e", "evaluation_digest": "d", "commit": "c", "config": "g"}


@pytest.fixture
def served(world: World) -> World:
    """The world with the record of the promotion of what serves."""
    event = Event(
        at=world.clock.now(), kind="promoted", run="run0", model=toy.MODEL, why="test", after=OLD, rollout="r0",
        details={"inputs": INPUTS},
    )  # fmt: skip
    world.workspace.records.append(event)
    return world


def test_an_approval_is_recorded_once_with_who_gave_it(tmp_path: Path) -> None:
    steps = [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s", "approval": True}]
    world = new_world(tmp_path, rollout={"steps": steps})
    world.until(Phase.PAUSED)
    world.say("approve")
    world.say("approve", "grace")
    world.until(Phase.PROMOTED)
    records = world.workspace.records.all()
    (approved,) = [record for record in records if record.kind == "approved"]
    assert (approved.actor, approved.details["step"], approved.after) == ("ada", 1, NEW)
    (begun,) = [record for record in records if record.kind == "step" and record.details["step"] == 1]
    assert begun.details["approved_by"] == begun.actor == "ada"
    assert world.workspace.records.first_broken() is None


def test_haste_and_promote_full_are_recorded_with_who_asked(world: World) -> None:
    world.until(Phase.PROGRESSING)
    world.say("promote", "grace")
    world.say("promote-full")
    world.until(Phase.PROMOTED)
    actors = {record.kind: record.actor for record in world.workspace.records.all()}
    assert (actors["hurried"], actors["promoting"]) == ("grace", "ada")


def test_a_needless_order_leaves_no_command(world: World) -> None:
    world.until(Phase.PROGRESSING)
    assert operator.needless(world.workspace, world.rollout, "resume") == "it is not paused"
    world.say("pause")
    assert operator.needless(world.workspace, world.rollout, "resume") is None
    world.tick()
    with pytest.raises(UnusableInput, match=r"cannot promote: it is paused"):
        operator.needless(world.workspace, world.rollout, "promote")


def test_production_goes_back_to_what_was_promoted_before(served: World) -> None:
    served.until(Phase.PROMOTED)
    back = roll_back(served.workspace, "ada", "complaints")
    assert back is not None
    assert roll_back(served.workspace, "ada", "complaints") == back
    served.rollout = back
    served.until(Phase.PROMOTED)
    serving = served.registry.serving(toy.MODEL)
    assert serving is not None
    assert serving.artifact.digest == OLD
    last = served.workspace.records.all()[-1]
    assert (last.kind, last.actor, last.before, last.after) == ("restored", "ada", NEW, OLD)
    assert list(served.workspace.rollouts.quarantined(toy.MODEL)) == [NEW]
    found = reference_record(served.workspace.records, toy.MODEL)
    assert found is not None
    assert recorded_inputs(found).train == "t"
    assert roll_back(served.workspace, "ada", "again") is None


def test_a_return_asks_for_no_evidence(served: World) -> None:
    served.until(Phase.PROMOTED)
    found = roll_back(served.workspace, "ada", "complaints")
    assert found is not None
    served.rollout, served.metrics.error = found, "the log is gone"
    served.until(Phase.PROMOTED)


def test_an_abort_stops_a_return_and_condemns_nothing(served: World) -> None:
    served.until(Phase.PROMOTED)
    found = roll_back(served.workspace, "ada", "complaints")
    assert found is not None
    served.rollout = found
    served.until(Phase.PROMOTING)
    served.say("abort")
    served.until(Phase.ROLLED_BACK)
    serving = served.registry.serving(toy.MODEL)
    assert serving is not None
    assert serving.artifact.digest == NEW
    assert served.workspace.rollouts.quarantined(toy.MODEL) == {}


def test_after_its_window_nothing_goes_back(served: World) -> None:
    ended = served.until(Phase.PROMOTED)
    served.clock.moment += timedelta(seconds=ended.policy.rollback_window.seconds + 1)
    with pytest.raises(UnusableInput, match="rollback window"):
        roll_back(served.workspace, "ada", "late")


def test_nothing_goes_back_while_a_rollout_is_in_progress_or_without_an_earlier_promotion(world: World) -> None:
    with pytest.raises(UnusableInput, match="has to end before"):
        roll_back(world.workspace, "ada", "early")
    world.until(Phase.PROMOTED)
    with pytest.raises(UnusableInput, match="no other version was promoted"):
        roll_back(world.workspace, "ada", "first")


def test_a_retry_lifts_the_quarantine_for_a_reason_and_starts_anew(world: World) -> None:
    world.until(Phase.ROLLED_BACK, bad=40)
    first = world.rollout
    again, new = retry(world.workspace, "ada", "the network was at fault")
    assert new
    assert retry(world.workspace, "ada", "twice") == (again, False)
    assert (again.canary, again.origin, again.id != first.id) == (NEW, first.run, True)
    assert world.workspace.rollouts.quarantined(toy.MODEL) == {}
    started = world.workspace.records.all()[-1]
    assert (started.kind, started.actor) == ("started", "ada")
    assert "the network was at fault (it was quarantined: errors" in started.why
    world.rollout = again
    world.until(Phase.PROMOTED)
    assert world.workspace.records.all()[-1].details["verdict"]
    assert world.workspace.records.first_broken() is None


def test_a_retry_that_fails_is_quarantined_again(world: World) -> None:
    world.until(Phase.ROLLED_BACK, bad=40)
    world.rollout, _ = retry(world.workspace, "ada", "hope")
    world.until(Phase.ROLLED_BACK, bad=40)
    assert list(world.workspace.rollouts.quarantined(toy.MODEL)) == [NEW]


def test_a_retry_needs_a_quarantine_and_the_baseline_it_was_judged_against(world: World) -> None:
    with pytest.raises(UnusableInput, match="no version of toy is quarantined"):
        retry(world.workspace, "ada", "why not")
    with pytest.raises(UnusableInput, match="version 1 is not quarantined"):
        retry(world.workspace, "ada", "why not", 1)
    world.until(Phase.ROLLED_BACK, bad=40)
    world.registry.mark_serving(toy.MODEL, None)
    with pytest.raises(UnusableInput, match="production moved"):
        retry(world.workspace, "ada", "why not")
    assert list(world.workspace.rollouts.quarantined(toy.MODEL)) == [NEW]


def test_an_order_is_left_to_the_controller_that_drives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "ensure_supervisor", lambda workspace: None)
    world.until(Phase.PROGRESSING)
    driving = Controller(replace(world.workspace, owner="elsewhere:1"), Silent())
    with pytest.raises(LeaseLost):
        driving.tick(world.rollout)
    world.workspace.rollouts.release(world.rollout, world.workspace.owner)
    rollout = driving.tick(world.rollout)
    found = operator.ask(Controller(world.workspace, Silent()), world.workspace, rollout, "promote-full", "ada")
    assert found.phase is rollout.phase
    assert driving.tick(rollout).phase is Phase.PROMOTING
