"""Stories of step 0: copies of the requests go to a canary whose answers nobody gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import History
from gatewright.domain.rollout import DriftMargins, PauseReason, Phase, Rollout, Step
from gatewright.domain.shadow import Shadow, ShadowObservation
from gatewright.rules import evidence, shadow
from tests.scenarios.controlled import new_world
from tests.scenarios.rollout_story import POLICY, Story, rollout

PAST = History(requests=5000, errors=10, slow=50, slow_after_ms=40.0)
HOLD = Duration(60)


def shadowed(**changes: object) -> Rollout:
    policy = replace(POLICY, **{"shadow": Shadow(hold=HOLD), "max_extension": Duration(600), **changes})
    return evidence.begin(rollout(policy=policy), PAST)


def live(story: Story) -> bool:
    """Whether the canary was ever given a request whose answer somebody gets."""
    return max(story.weights) > 0


def test_a_good_canary_gets_copies_first_and_then_its_first_step() -> None:
    story = Story(rollout=shadowed())
    story.until(Phase.SHADOWING)
    assert (story.rollout.weight, story.rollout.mirror, story.shown) == (0.0, 1.0, 0.0)
    begun = story.now
    story.until(Phase.PROGRESSING)
    assert (story.now - begun).total_seconds() >= HOLD.seconds
    assert (story.rollout.held_s, story.rollout.mirror, story.mirrored) == (0.0, 0.0, 0.0)
    story.until(Phase.PROMOTED)
    assert story.weights == [0, 5, 25, 50, 100]


def test_a_share_of_the_requests_takes_longer_to_be_enough() -> None:
    fast, slow = (Story(rollout=shadowed(shadow=Shadow(hold=Duration(1), share=share))) for share in (1.0, 0.05))
    slow.per_second = fast.per_second = 100
    fast.until(Phase.PROGRESSING)
    slow.until(Phase.PROGRESSING)
    assert slow.rollout.shadow is not None
    assert slow.rollout.shadow.asked < 400
    assert (slow.now - slow.rollout.started_at) > 4 * (fast.now - fast.rollout.started_at)


def test_copies_are_no_evidence_for_the_steps() -> None:
    story = Story(rollout=shadowed())
    story.until(Phase.PROGRESSING)
    assert story.rollout.shadow is not None
    assert story.rollout.shadow.asked > 5000
    assert (story.rollout.requests, story.rollout.step_requests) == (0, 0)
    assert story.rollout.breaker_log_e == ()
    assert {known.worse.canary_n for known in story.rollout.evidence.values()} == {0.0}
    before = story.rollout.shadow
    story.until(Phase.PROMOTED)
    assert story.rollout.shadow == before


def test_a_canary_that_leaves_copies_unanswered_goes_back_without_a_request() -> None:
    story = Story(rollout=shadowed(), copies=(0.2, 0.0, 0.0))
    story.until(Phase.ROLLED_BACK)
    assert "of 1,500 copied requests unanswered, above its absolute limit of 5.0%" in story.rollout.why
    assert not live(story)


def test_a_canary_that_crashes_on_copies_goes_back_without_a_request() -> None:
    story = Story(rollout=shadowed())
    story.until(Phase.SHADOWING)
    story.tick()
    story.server_error = "it ended 3 times in a row"
    story.until(Phase.ROLLED_BACK)
    assert not live(story)
    assert story.mirrored == 0.0


def test_a_canary_that_answers_no_copy_never_begins() -> None:
    """All lost at once trips the breaker; none even sent is missing data, which never passes."""
    story = Story(rollout=shadowed(max_extension=Duration(60)), per_second=0)
    story.until(Phase.PAUSED)
    assert (story.rollout.pause, story.rollout.held_s, live(story)) == (PauseReason.INCONCLUSIVE, 0.0, False)
    assert "0 of 300 copies answered" in story.rollout.why
    story.per_second = 200
    story.say("resume")
    story.until(Phase.PROMOTED)


def test_answers_that_move_on_the_same_requests_pause_until_a_person_has_looked() -> None:
    story = Story(rollout=shadowed(drift=DriftMargins()), ones=(0.5, 0.5), copies=(0.0, 0.12, 0.0))
    story.until(Phase.PAUSED)
    assert story.rollout.pause is PauseReason.DRIFT
    assert "step 0: prediction drift above 0.05: prediction 1: +12." in story.rollout.why
    assert "of its answers equal stable's" in story.rollout.why
    assert (story.mirrored, live(story)) == (1.0, False)
    story.say("resume")
    story.until(Phase.PROMOTED)


def test_answers_that_move_far_go_back_without_a_request() -> None:
    story = Story(rollout=shadowed(drift=DriftMargins()), ones=(0.5, 0.5), copies=(0.0, 0.0, 0.4))
    story.until(Phase.ROLLED_BACK)
    assert "step 0: prediction drift above 0.2: prediction 1: -" in story.rollout.why
    assert not live(story)


def test_answers_that_differ_to_both_sides_alike_are_told_and_no_drift() -> None:
    story = Story(rollout=shadowed(drift=DriftMargins()), ones=(0.5, 0.5), copies=(0.0, 0.05, 0.05))
    story.until(Phase.PROGRESSING)
    seen = shadow.standing(story.rollout)
    assert seen is not None
    assert seen.equal_share == pytest.approx(0.9, abs=0.01)
    assert abs(seen.difference) < 0.01
    assert seen.e_pause < seen.limit


def test_the_first_step_waits_for_its_approval_after_the_copies() -> None:
    steps = (replace(POLICY.steps[0], approval=True), *POLICY.steps[1:])
    story = Story(rollout=shadowed(steps=steps))
    story.until(Phase.PAUSED)
    assert (story.rollout.pause, story.rollout.held_s >= 60, live(story)) == (PauseReason.APPROVAL, True, False)
    story.say("approve")
    story.until(Phase.PROGRESSING)
    assert story.rollout.actor == "ada"
    assert story.rollout.weight == 5


def test_a_pause_keeps_the_copies_and_a_resume_goes_on_with_them() -> None:
    story = Story(rollout=shadowed())
    story.until(Phase.SHADOWING)
    story.tick()
    story.say("pause")
    story.tick()
    assert (story.rollout.phase, story.rollout.pause, story.mirrored) == (Phase.PAUSED, PauseReason.MANUAL, 1.0)
    story.say("resume")
    assert story.tick().phase is Phase.SHADOWING
    story.say("abort")
    story.until(Phase.ROLLED_BACK)
    assert story.mirrored == 0.0


def test_copies_that_the_gateway_does_not_make_are_asked_for_again() -> None:
    story = Story(rollout=shadowed())
    story.until(Phase.SHADOWING)
    story.mirrored = 0.0
    assert story.tick().why == "requests are not yet copied to the canary: asked again"
    assert (story.rollout.held_s, story.mirrored) == (0.0, 1.0)


@pytest.mark.parametrize("changes", [{"stable": None}, {"restored_by": "ada"}])
def test_what_is_not_compared_has_no_step_0(changes: dict[str, object]) -> None:
    story = Story(rollout=replace(shadowed(), **changes), serving=None)  # type: ignore[arg-type]
    story.until(Phase.PROMOTED)
    assert story.weights == [100]


def test_the_controller_copies_reads_back_and_records(tmp_path: Path) -> None:
    section = {"shadow": {"hold": "1500ms", "share": 0.5}}
    world = new_world(tmp_path, rollout=section)
    world.until(Phase.SHADOWING)
    for _ in range(3):
        assert (world.traffic.shown, world.traffic.mirrored) == (0.0, 0.5)
        world.metrics.show_copies(ShadowObservation(tick=0, asked=40, failed=0, equal=40))
        world.tick()
    assert world.rollout.phase is Phase.PROGRESSING, world.rollout.why
    assert (world.traffic.shown, world.traffic.mirrored) == (50.0, 0.0)
    assert world.kinds() == ["started", "shadowing", "step"]
    ticks = world.workspace.rollouts.ticks(world.rollout)
    assert [tick["shadow"]["answered"] for tick in ticks if tick["shadow"]] == [40, 80, 120]
    world.until(Phase.PROMOTED)


def test_step_0_is_like_any_other_for_a_step_of_one() -> None:
    story = Story(rollout=shadowed(steps=(Step(weight=50, hold=HOLD),)))
    story.until(Phase.PROMOTED)
    assert story.weights == [0, 50, 100]
