"""Stories of the policies for what cannot be seen or decided, and of a stable arm that is down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.rollout import ArmState, PauseReason, Phase, Rollout, TrafficState, World
from gatewright.rules import canary
from tests.scenarios.rollout_story import CANARY, POLICY, STABLE, Story, begun

DOWN = ArmState(digest=STABLE, ready=False, error="it ended 3 times in a row")


def with_policy(**changes: Any) -> Rollout:
    return begun(policy=replace(POLICY, **changes))


def undecided(**changes: Any) -> Story:
    """Between the margins: neither worse nor acceptable, with requests enough."""
    return Story(rollout=with_policy(**changes), errors=(0.0077, 0.002))


def test_blindness_rolls_back_where_the_policy_says_so() -> None:
    story = Story(rollout=with_policy(on_blind="rollback"))
    story.until_step(1)
    story.source_error = "the log is gone"
    story.until(Phase.ROLLING_BACK)
    assert story.rollout.why.startswith("nothing could be seen for 9")
    assert story.rollout.why.endswith("no evidence: the log is gone")
    story.until(Phase.ROLLED_BACK, at_most=2)


def test_blindness_rolls_back_what_is_paused_too() -> None:
    story = Story(rollout=with_policy(on_blind="rollback"))
    story.until_step(1)
    story.say("pause")
    story.tick()
    story.reachable = False
    story.until(Phase.ROLLING_BACK)


def test_no_conclusion_pauses_by_default() -> None:
    assert undecided().until(Phase.PAUSED).pause is PauseReason.INCONCLUSIVE


def test_no_conclusion_rolls_back_where_the_policy_says_so() -> None:
    story = undecided(on_inconclusive="abort")
    story.until(Phase.ROLLED_BACK)
    assert "no conclusion after" in story.rollout.why
    assert "(on_inconclusive: abort)" in story.rollout.why


def test_no_conclusion_goes_on_where_the_policy_says_so_and_says_that_it_did() -> None:
    story = undecided(on_inconclusive="advance")
    story.until_step(1)
    assert "not yet shown acceptable" in story.rollout.why
    assert story.rollout.why.endswith("(on_inconclusive: advance): on to 25 %")
    story.errors = (0.002, 0.002)
    assert story.until(Phase.PROMOTED)
    assert story.weights == [5, 25, 50, 100]


@pytest.mark.parametrize("per_second", [0.0, 10.0])
def test_what_nobody_saw_does_not_go_on_even_then(per_second: float) -> None:
    """No requests at all; or 150 by the canary in a minute and its extension, where 300 are asked for."""
    story = Story(rollout=with_policy(on_inconclusive="advance"), per_second=per_second)
    assert (story.until(Phase.PAUSED).pause, story.rollout.step) == (PauseReason.INCONCLUSIVE, 0)


def test_a_hold_that_was_not_served_does_not_go_on_even_then() -> None:
    story = Story(rollout=with_policy(on_inconclusive="advance", max_extension=Duration(10)), per_second=30)
    story.until_step(0)
    for _ in range(40):
        story.per_second = 0.0 if story.per_second else 900.0
        story.tick()
    assert story.rollout.step == 0 or story.rollout.held_s >= 60


def seen(stable: ArmState, *, ready: bool = True, error: str | None = None, weight: float = 5.0) -> World:
    arm = ArmState(digest=CANARY, ready=ready, error=error)
    return World(traffic=TrafficState(weight=weight, canary=arm, stable=stable), serving=STABLE)


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.PROMOTING, Phase.PAUSED])
def test_a_broken_canary_keeps_its_traffic_while_stable_does_not_answer(phase: Phase) -> None:
    before = begun(phase=phase, weight=5.0)
    decision = canary.decide(before, seen(DOWN, error="it ended"))
    assert (decision.phase, decision.pause, decision.weight) == (Phase.PAUSED, PauseReason.STABLE, 5.0)
    after = canary.apply(before, decision)
    answering = replace(DOWN, ready=True)
    assert canary.decide(after, seen(answering, error="it ended")).phase is Phase.ROLLING_BACK


def test_a_rollback_that_is_decided_stays_one_whatever_becomes_of_stable() -> None:
    decision = canary.decide(begun(phase=Phase.ROLLING_BACK, why="bad"), seen(DOWN, weight=0.0))
    assert (decision.phase, decision.weight) == (Phase.ROLLED_BACK, 0.0)


def test_a_return_is_not_frozen_by_the_version_that_it_replaces() -> None:
    back = begun(restored_by="ada", evidence={})
    decision = canary.decide(back, seen(DOWN, weight=0.0))
    assert (decision.phase, decision.weight) == (Phase.PROMOTING, 100.0)
