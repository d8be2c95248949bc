"""Stories of traffic that does not go where the gateway says that it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.rollout import PauseReason, Phase
from gatewright.rules import share
from tests.scenarios.controlled import new_world
from tests.scenarios.rollout_story import POLICY, Story, begun


def story(**changes: object) -> Story:
    return Story(rollout=begun(policy=replace(POLICY, max_extension=Duration(600))), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("routed", [0.0, 2.0, 15.0, 100.0])
def test_a_share_that_is_off_is_written_again_and_then_a_person_is_asked(routed: float) -> None:
    off = story(routed=routed, mends=False)
    off.until(Phase.PAUSED)
    assert (off.rollout.pause, off.rollout.weight) == (PauseReason.SHARE, 5)
    assert "instead of 5 %, although the weight was written again" in off.rollout.why
    assert off.rollout.share is not None
    assert off.rollout.share.reapplied == 1


def test_a_share_that_writing_mends_goes_on() -> None:
    off = story(routed=0.0)
    off.until(Phase.PROMOTED)
    assert off.weights == [5, 25, 50, 100]


def test_it_is_counted_how_often_a_weight_was_written_again() -> None:
    off = story(routed=0.0)
    off.until_step(0)
    while not (off.rollout.share and off.rollout.share.reapplied):
        off.tick()
    found = share.standing(off.rollout)
    assert found is not None
    assert (found.reapplied, found.drawn, found.off, off.rollout.phase) == (1, 0, False, Phase.PROGRESSING)
    off.until_step(1)
    off.tick()
    assert off.rollout.share is not None
    assert (off.rollout.share.weight, off.rollout.share.reapplied) == (25, 0)


@pytest.mark.parametrize("routed", [4.2, 5.0, 5.8])
def test_a_share_near_enough_is_let_be(routed: float) -> None:
    near = story(routed=routed, mends=False)
    near.until_step(1)
    assert near.rollout.share is not None
    assert near.rollout.share.reapplied == 0


def test_a_person_who_resumes_has_it_written_once_more() -> None:
    off = story(routed=0.0, mends=False)
    off.until(Phase.PAUSED)
    off.say("resume")
    off.tick()
    assert off.rollout.share is not None
    assert (off.rollout.phase, off.rollout.share.reapplied, off.rollout.share.drawn) == (Phase.PROGRESSING, 2, 0)
    off.until(Phase.PAUSED)
    assert off.rollout.pause is PauseReason.SHARE
    off.routed = None
    off.say("resume")
    off.until(Phase.PROMOTED)


def test_a_share_that_is_off_at_a_later_step_is_found_there() -> None:
    off = story(mends=False)
    off.until_step(2)
    off.routed = 25.0
    off.until(Phase.PAUSED)
    assert "of 1," in off.rollout.why
    assert (off.rollout.pause, off.rollout.weight) == (PauseReason.SHARE, 50)


def test_requests_of_before_it_was_written_again_do_not_count() -> None:
    off = story(routed=0.0, mends=False)
    while not (off.rollout.share and off.rollout.share.reapplied):
        off.tick()
    assert off.rollout.share.since == pytest.approx(off.now.timestamp() + 5.0)
    off.tick(4.0)
    assert off.rollout.share.drawn == 0
    off.tick(2.0)
    assert off.rollout.share.drawn > 0


def test_the_controller_has_the_weight_written_again_and_tells_it(tmp_path: Path) -> None:
    world = new_world(tmp_path, rollout={"steps": [{"weight": 20, "hold": "60s"}]})
    world.metrics.drawn = True  # half of the requests of these tests are the canary's
    world.until(Phase.PAUSED)
    assert world.rollout.pause is PauseReason.SHARE
    told = [tick["share"] for tick in world.workspace.rollouts.ticks(world.rollout) if tick["share"]]
    assert (told[0]["reapplied"], told[0]["drawn"], told[0]["off"]) == (1, 0, False)
    assert told[-1]["off"]
    assert told[-1]["observed"] == 0.5
