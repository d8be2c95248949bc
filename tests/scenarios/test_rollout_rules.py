"""Stories of rollouts: given a world, when something happens, then the rules do this."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.rollout import PauseReason, Phase
from tests.scenarios.rollout_story import CANARY, POLICY, STABLE, Story, begun, rollout


def test_a_healthy_canary_climbs_and_is_promoted() -> None:
    story = Story()
    story.until(Phase.PROMOTED)
    assert story.weights == [5, 25, 50, 100]
    assert (story.serving, story.settled) == (CANARY, True)
    assert story.now - story.rollout.started_at >= timedelta(seconds=180)


def test_a_canary_that_fails_is_rolled_back() -> None:
    story = Story()
    story.until_step(1)
    story.errors = (0.1, 0.002)
    story.tick()
    assert story.rollout.phase is Phase.ROLLING_BACK
    assert "errors: the canary fails" in story.rollout.why
    story.tick()
    assert (story.rollout.phase, story.shown, story.serving) == (Phase.ROLLED_BACK, 0.0, STABLE)
    assert "errors: the canary fails" in story.rollout.why


def test_a_slow_canary_is_rolled_back() -> None:
    story = Story(slow=(0.2, 0.01))
    story.until(Phase.ROLLED_BACK)
    assert "latency: the canary is slow" in story.rollout.why
    assert max(story.weights) == 5


def test_errors_that_both_arms_share_trip_only_the_absolute_breaker() -> None:
    story = Story(errors=(0.15, 0.15))
    story.until(Phase.ROLLED_BACK)
    assert "absolute limit of 5.0%" in story.rollout.why


def test_a_canary_that_crashes_again_and_again_is_rolled_back() -> None:
    story = Story()
    story.until_step(1)
    story.server_error = "it ended 5 times in 60 s"
    story.tick()
    assert story.rollout.phase is Phase.ROLLING_BACK
    assert "it ended 5 times" in story.rollout.why


def test_a_canary_that_never_becomes_ready_is_rolled_back() -> None:
    story = Story(ready=False)
    story.until(Phase.ROLLED_BACK)
    assert story.weights == [0]


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING])
def test_an_abort_wins_in_every_phase(phase: Phase) -> None:
    story = Story(ready=phase is not Phase.PENDING)
    if phase is Phase.PAUSED:
        story.until_step(1)
        story.say("pause")
    story.until(phase)
    story.say("resume")
    story.say("abort")
    story.say("pause")
    story.tick()
    assert (story.rollout.phase, story.rollout.weight) == (Phase.ROLLING_BACK, 0)
    assert story.rollout.why == "aborted by ada"
    story.until(Phase.ROLLED_BACK, at_most=2)


def test_an_abort_wins_even_when_the_traffic_has_arrived() -> None:
    story = Story()
    story.until(Phase.PROMOTING)
    story.tick()
    assert story.settled
    story.say("abort")
    story.tick()
    assert story.rollout.phase is Phase.ROLLING_BACK
    story.until(Phase.ROLLED_BACK, at_most=2)
    assert (story.shown, story.serving) == (0.0, STABLE)


def test_after_the_end_nothing_changes_any_more() -> None:
    story = Story()
    ended = story.until(Phase.PROMOTED)
    story.say("abort")
    story.server_error = "gone"
    assert story.tick().phase is Phase.PROMOTED
    assert story.rollout.why == ended.why


def test_a_pause_keeps_the_weight_and_serves_no_hold() -> None:
    story = Story()
    story.until_step(1)
    story.say("pause")
    paused = story.tick()
    assert (paused.phase, paused.pause, paused.weight) == (Phase.PAUSED, PauseReason.MANUAL, 25)
    for _ in range(100):
        story.tick()
    assert (story.rollout.held_s, story.rollout.weight, story.shown) == (paused.held_s, 25, 25)
    story.say("resume")
    assert story.tick().phase is Phase.PROGRESSING
    assert story.tick().step == 1
    story.until(Phase.PROMOTED)


def test_a_paused_canary_that_fails_is_rolled_back() -> None:
    story = Story()
    story.until_step(1)
    story.say("pause")
    story.tick()
    story.errors = (0.1, 0.002)
    story.until(Phase.ROLLED_BACK, at_most=5)


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.PROMOTING])
def test_who_pauses_before_or_after_the_climb_resumes_there(phase: Phase) -> None:
    story = Story(ready=phase is not Phase.PENDING)
    story.until(phase)
    story.say("pause")
    weight = story.rollout.weight
    assert story.tick().phase is Phase.PAUSED
    assert story.tick().weight == weight
    story.say("resume")
    assert story.tick().phase is phase
    story.ready = True
    story.until(Phase.PROMOTED)


def test_the_last_word_of_several_counts() -> None:
    story = Story()
    story.until_step(0)
    story.say("pause")
    story.say("resume")
    assert story.tick().phase is Phase.PROGRESSING
    story.say("resume")
    story.say("pause")
    assert story.tick().phase is Phase.PAUSED


def test_a_source_that_fails_holds_and_then_pauses() -> None:
    story = Story()
    story.until_step(0)
    story.tick()
    held = story.rollout.held_s
    story.source_error = "the log is gone"
    story.tick()
    assert (story.rollout.phase, story.rollout.held_s) == (Phase.PROGRESSING, held)
    assert "the log is gone" in story.rollout.why
    story.until(Phase.PAUSED)
    assert story.rollout.pause is PauseReason.BLIND
    assert story.rollout.blind_s >= story.rollout.policy.blind_after.seconds
    assert (story.rollout.held_s, story.rollout.weight) == (held, 5)


def test_who_resumes_while_still_blind_gets_time_to_mend_it() -> None:
    story = Story()
    story.until_step(0)
    story.source_error = "the log is gone"
    story.until(Phase.PAUSED)
    story.say("resume")
    story.tick()
    for _ in range(100):
        assert story.tick().phase is Phase.PROGRESSING
    story.source_error = None
    story.until(Phase.PROMOTED)


def test_a_short_outage_only_lengthens_the_step() -> None:
    story = Story()
    story.until_step(0)
    story.source_error = "busy"
    for _ in range(20):
        story.tick()
    story.source_error = None
    assert story.tick().blind_s == 0.0
    story.until(Phase.PROMOTED)


def test_traffic_that_cannot_be_read_back_is_blindness_too() -> None:
    story = Story()
    story.until_step(1)
    story.reachable = False
    held = story.tick().held_s
    assert "cannot be read back: no answer" in story.rollout.why
    story.until(Phase.PAUSED)
    assert (story.rollout.pause, story.rollout.held_s) == (PauseReason.BLIND, held)


@pytest.mark.parametrize("lapsed_to", [0.0, 12.5])
def test_a_weight_that_drifted_is_asked_for_again(lapsed_to: float) -> None:
    story = Story()
    story.until_step(1)
    story.tick()
    held = story.rollout.held_s
    story.shown = lapsed_to
    story.tick()
    assert f"shows {lapsed_to:g} % instead of 25 %" in story.rollout.why
    assert (story.rollout.held_s, story.shown) == (held, 25)
    assert story.tick().held_s == held + 5


def test_a_clock_that_jumps_an_hour_skips_no_hold() -> None:
    story = Story()
    story.until_step(0)
    story.tick()
    held = story.rollout.held_s
    story.tick(seconds=3600)
    assert story.rollout.step == 0
    assert story.rollout.held_s <= held + 10
    story.tick(seconds=-7200)
    assert story.rollout.step == 0
    assert story.rollout.held_s <= held + 10


def test_without_traffic_nothing_advances() -> None:
    story = Story(per_second=0)
    story.until(Phase.PAUSED)
    assert (story.rollout.pause, story.rollout.step, story.rollout.held_s) == (PauseReason.INCONCLUSIVE, 0, 0)
    assert story.weights == [5]


def test_traffic_that_stops_does_not_advance_on_what_was_seen_before() -> None:
    story = Story(per_second=900)
    story.until_step(0)
    while not story.rollout.why.startswith("hold") or "," in story.rollout.why:
        story.tick()
    story.rollout = replace(story.rollout, held_s=1e6)
    story.per_second = 0
    assert (story.tick().step, story.rollout.why) == (0, "no requests of both arms in this look")
    story.per_second = 300
    assert story.tick().step == 1


def test_too_few_requests_end_in_a_pause_for_a_person() -> None:
    story = Story(per_second=10)
    story.until(Phase.PAUSED)
    assert story.rollout.pause is PauseReason.INCONCLUSIVE
    assert "no conclusion after" in story.rollout.why
    assert "152 of 874 canary requests, errors not yet shown acceptable" in story.rollout.why


def test_who_resumes_an_inconclusive_step_gives_it_a_new_extension() -> None:
    story = Story(per_second=10)
    story.until(Phase.PAUSED)
    story.say("resume")
    story.per_second = 300
    assert story.tick().phase is Phase.PROGRESSING
    assert story.tick().phase is Phase.PROGRESSING
    story.until(Phase.PROMOTED)


def test_requests_of_the_step_before_do_not_count_for_this_one() -> None:
    story = Story()
    story.until_step(1)
    story.shown = 5.0
    story.tick()
    assert (story.rollout.step_requests, story.rollout.held_s) == (0, 0)
    assert story.tick().step_requests > 0


def test_the_first_deployment_goes_straight_to_full_traffic() -> None:
    story = Story(rollout=rollout(stable=None, bootstrap_by="ada"), serving=None)
    story.until(Phase.PROMOTED, at_most=4)
    assert story.weights == [100]
    assert story.serving == CANARY


@pytest.mark.parametrize("marked", [False, True])
def test_a_first_deployment_that_is_aborted_ends_too(marked: bool) -> None:
    story = Story(rollout=rollout(stable=None, bootstrap_by="ada"), serving=None)
    story.until(Phase.PROMOTING)
    if marked:
        story.tick()
    story.say("abort")
    story.until(Phase.ROLLED_BACK, at_most=3)
    assert story.shown == 0.0


def test_a_rollback_ends_only_when_the_traffic_shows_it() -> None:
    story = Story(rollout=begun(phase=Phase.ROLLING_BACK, weight=0.0, why="bad"), shown=25.0, reachable=False)
    for _ in range(50):
        assert story.tick().phase is Phase.ROLLING_BACK
    story.reachable = True
    story.tick()
    assert story.tick().phase is Phase.ROLLED_BACK
    assert story.rollout.why == "bad"


def test_a_canary_that_is_not_ready_in_time_goes_back_before_it_had_traffic() -> None:
    story = Story(rollout=begun(policy=replace(POLICY, start_within=Duration(60))), ready=False)
    for _ in range(13):
        assert story.tick().phase is Phase.PENDING
    story.until(Phase.ROLLED_BACK)
    assert (story.now - story.rollout.started_at).total_seconds() <= 75
    assert "the canary was not ready after 60 s: waiting until the canary has loaded the model" in story.rollout.why
    assert story.weights == [0.0]


def test_a_canary_that_is_ready_within_its_time_begins() -> None:
    story = Story(rollout=begun(policy=replace(POLICY, start_within=Duration(60))), ready=False)
    for _ in range(11):
        story.tick()
    story.ready = True
    assert story.tick().phase is Phase.PROGRESSING
