"""Stories of answers: labels that come late, or never, and predictions that move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import Block, History, Observation
from gatewright.domain.rollout import DriftMargins, PauseReason, Phase, QualityMargins, Rollout
from gatewright.rules import evidence, labels
from tests.scenarios.rollout_story import POLICY, Story, rollout

PAST = History(requests=5000, errors=10, slow=50, slow_after_ms=40.0, labelled=2000, wrong=160)


def watched(**changes: object) -> Rollout:
    policy = replace(POLICY, **{"quality": QualityMargins(), "max_extension": Duration(3600), **changes})
    return evidence.begin(rollout(policy=policy), PAST)


def test_a_canary_with_as_good_answers_is_promoted_once_labels_show_it() -> None:
    story = Story(rollout=watched(), labelled=0.5)
    story.until(Phase.PROMOTED)
    assert story.weights == [5, 25, 50, 100]


def test_a_canary_with_worse_answers_is_rolled_back_by_labels_that_come_a_minute_late() -> None:
    story = Story(rollout=watched(), labelled=0.5, wrong=(0.2, 0.08))
    story.until(Phase.ROLLED_BACK)
    assert "quality: the canary has 20.00% of its labelled answers wrong, stable 8.00%" in story.rollout.why
    assert (story.now - story.rollout.started_at).total_seconds() > 60


def test_labels_that_come_after_a_climb_still_roll_back() -> None:
    story = Story(rollout=watched(), labelled=0.5, label_delay=30, wrong=(0.2, 0.08))
    story.until(Phase.ROLLED_BACK)
    assert max(story.weights) > 5


def test_without_labels_the_last_step_never_ends() -> None:
    story = Story(rollout=watched(), labelled=0.0)
    story.until(Phase.PAUSED, at_most=2000)
    assert (story.rollout.pause, story.rollout.step) == (PauseReason.INCONCLUSIVE, 2)
    assert "0 of 1656 labels of canary answers" in story.rollout.why
    assert "quality not yet shown acceptable" in story.rollout.why
    assert "hold 0 of 60 s, the hold stands still: no labels of both versions yet" in story.rollout.why
    story.say("resume")
    story.labelled = 0.5
    story.until(Phase.PROMOTED)


def test_labels_that_stop_are_no_sign_of_health() -> None:
    story = Story(rollout=watched(), labelled=0.01)
    story.until_step(1)
    story.labelled = 0.0
    story.until(Phase.PAUSED, at_most=2000)
    assert (story.rollout.pause, story.rollout.step) == (PauseReason.INCONCLUSIVE, 2)


def test_the_last_hold_stands_still_while_labels_stop_and_goes_on_with_them() -> None:
    story = Story(rollout=watched(quality=QualityMargins(block=Duration(10)), steps=POLICY.steps[:2]), labelled=0.5)
    story.until_step(1)
    for _ in range(4):
        story.tick()
    served = story.rollout.held_s
    assert served >= 20
    story.labelled, story.waiting = 0.0, []
    for _ in range(12):
        story.tick()
    assert story.rollout.held_s == served + 20  # two windows
    assert story.rollout.why.split(", ")[:2] == [
        f"hold {served + 20:.0f} of 60 s",
        "the hold stands still: no labels of both versions for 60 s",
    ]
    story.labelled, story.label_delay = 0.5, 1
    for _ in range(3):
        story.tick()
    assert story.rollout.held_s > served + 20
    assert "stands still" not in story.rollout.why


def test_a_hold_before_the_last_step_needs_no_labels() -> None:
    story = Story(rollout=watched(), labelled=0.0)
    story.until_step(2)
    assert story.rollout.labels_age_s is None


def test_labels_of_one_version_alone_are_not_enough() -> None:
    story = Story(rollout=watched(steps=POLICY.steps[:1]), labelled=0.5)
    story.until_step(0)
    seen = Observation(
        metric="quality", weight=5, tick=1, block=Block(canary_n=0, canary_bad=0, stable_n=9, stable_bad=0)
    )
    assert labels.age_s(story.rollout, [seen], 5.0) is None
    assert labels.age_s(replace(story.rollout, labels_age_s=2.0), [seen], 5.0) == 7.0


def test_a_rollout_without_quality_needs_no_labels() -> None:
    story = Story(rollout=watched(quality=None))
    story.until(Phase.PROMOTED)
    assert [standing.metric for standing in evidence.standings(story.rollout)] == ["errors", "latency"]


def test_predictions_that_move_pause_the_rollout_until_a_person_has_looked() -> None:
    story = Story(rollout=watched(quality=None, drift=DriftMargins()), ones=(0.62, 0.5))
    story.until(Phase.PAUSED)
    assert story.rollout.pause is PauseReason.DRIFT
    assert "prediction drift above 0.05: prediction 1: 61.96% by the canary" in story.rollout.why
    weight = story.rollout.weight
    story.tick()
    assert (story.rollout.phase, story.rollout.weight) == (Phase.PAUSED, weight)
    story.say("resume")
    story.until(Phase.PROMOTED)


def test_a_person_who_has_looked_is_still_protected_from_a_large_drift() -> None:
    story = Story(rollout=watched(quality=None, drift=DriftMargins()), ones=(0.62, 0.5))
    story.until(Phase.PAUSED)
    story.say("resume")
    story.tick()
    story.ones = (0.9, 0.5)
    story.until(Phase.ROLLED_BACK)
    assert "prediction drift above 0.2" in story.rollout.why


@pytest.mark.parametrize("ones", [(0.9, 0.5), (0.1, 0.5)])
def test_predictions_that_move_far_roll_back_at_once(ones: tuple[float, float]) -> None:
    story = Story(rollout=watched(quality=None, drift=DriftMargins()), ones=ones)
    story.until(Phase.ROLLED_BACK)
    assert "prediction drift above 0.2" in story.rollout.why
    assert max(story.weights) == 5


def test_equal_predictions_are_promoted_and_predictions_that_nobody_sees_are_not() -> None:
    story = Story(rollout=watched(quality=None, drift=DriftMargins()), ones=(0.5, 0.5))
    assert story.until(Phase.PROMOTED).drift is not None
    blind = Story(rollout=watched(quality=None, drift=DriftMargins(), max_extension=Duration(60)))
    blind.until(Phase.PAUSED)
    assert (blind.rollout.pause, blind.rollout.step) == (PauseReason.INCONCLUSIVE, 0)
    assert "drift observed on 0 of 300 canary predictions" in blind.rollout.why
