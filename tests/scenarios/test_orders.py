"""Approvals and haste, by the rules alone: given, given twice, given ahead, and overtaken by an abort."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.rollout import FULL, Command, PauseReason, Phase, Step, Verb
from gatewright.rules import orders
from tests.scenarios.rollout_story import CANARY, POLICY, Story, begun

GATED = replace(
    POLICY,
    steps=(
        Step(weight=5, hold=Duration(60)),
        Step(weight=25, hold=Duration(60), approval=True),
        Step(weight=50, hold=Duration(60), approval=True),
    ),
)


def waiting(story: Story, step: int) -> Story:
    """The story at the moment when the step after `step` waits for an approval."""
    found = story.until(Phase.PAUSED)
    assert (found.pause, found.step) == (PauseReason.APPROVAL, step)
    return story


@pytest.fixture
def story() -> Story:
    return Story(rollout=begun(policy=GATED))


def test_a_step_waits_for_its_approval_and_then_begins(story: Story) -> None:
    waiting(story, 0)
    for _ in range(50):
        assert story.tick().weight == 5
    assert "step 2 (25 %) needs an approval" in story.rollout.why
    story.say("approve")
    story.until_step(1)
    assert story.rollout.weight == 25
    assert story.rollout.approval is None


def test_an_approval_given_twice_lets_one_step_begin(story: Story) -> None:
    waiting(story, 0)
    story.say("approve")
    story.say("approve")
    story.until_step(1)
    waiting(story, 1)
    assert story.rollout.weight == 25


def test_an_approval_that_arrives_after_its_step_began_is_good_for_nothing(story: Story) -> None:
    waiting(story, 0)
    story.say("approve")
    story.tick()
    story.say("approve")  # as of a look that the rollout has left behind by the time it is read
    story.until_step(1)
    waiting(story, 1)


@pytest.mark.parametrize("changes", [{"step": 2}, {"step": 0}, {"step": None}, {"digest": "sha256:other"}])
def test_an_approval_is_bound_to_step_and_model(story: Story, changes: dict[str, object]) -> None:
    waiting(story, 0)
    right = Command(id=1, verb="approve", actor="ada", at=story.now, step=1, digest=CANARY)
    story.said.append(replace(right, **changes))  # type: ignore[arg-type]
    assert story.tick().phase is Phase.PAUSED
    assert story.rollout.approval is None


def test_an_approval_given_ahead_does_not_replace_the_evidence(story: Story) -> None:
    story.until_step(0)
    story.say("approve")
    story.tick()
    assert orders.needless(story.rollout, "approve") == "step 2 is approved already, by ada"
    story.per_second = 0.0
    for _ in range(30):
        assert story.tick().step == 0
    story.per_second = 300.0
    story.until_step(1)
    assert story.rollout.actor == "ada"


def test_resume_does_not_stand_for_an_approval(story: Story) -> None:
    waiting(story, 0)
    story.say("resume")
    assert story.tick().pause is PauseReason.APPROVAL
    refused = orders.refusal(story.rollout, "resume")
    assert refused is not None
    assert "approve" in refused[1]


def test_what_is_paused_by_hand_keeps_the_approval_until_it_is_resumed(story: Story) -> None:
    waiting(story, 0)
    story.say("pause")
    assert story.tick().pause is PauseReason.MANUAL
    story.say("approve")
    assert story.tick().pause is PauseReason.MANUAL
    story.say("resume")
    story.until_step(1)


def test_an_abort_wins_over_an_approval_of_the_same_look(story: Story) -> None:
    waiting(story, 0)
    story.say("approve")
    story.say("abort")
    assert story.tick().phase is Phase.ROLLING_BACK
    assert story.rollout.approval is None
    story.until(Phase.ROLLED_BACK)


def test_a_canary_that_turns_bad_while_it_waits_is_rolled_back(story: Story) -> None:
    waiting(story, 0)
    story.errors = (0.3, 0.002)
    assert story.until(Phase.ROLLED_BACK).why.startswith("errors")


def test_the_first_step_can_wait_for_an_approval_too() -> None:
    first = replace(POLICY, steps=(Step(weight=5, hold=Duration(60), approval=True), *POLICY.steps[1:]))
    story = Story(rollout=begun(policy=first))
    assert story.until(Phase.PAUSED).weight == 0.0
    assert story.rollout.pause is PauseReason.APPROVAL
    story.say("approve")
    story.until_step(0)
    assert (story.rollout.weight, story.rollout.actor) == (5, "ada")


def test_promote_skips_the_hold_of_one_step_only() -> None:
    patient = replace(POLICY, steps=tuple(replace(step, hold=Duration(6000)) for step in POLICY.steps))
    story = Story(rollout=begun(policy=patient))
    story.until_step(0)
    story.say("promote")
    story.until_step(1, at_most=60)
    assert story.rollout.actor == "ada"
    for _ in range(100):
        assert story.tick().step == 1


def test_promote_does_not_skip_the_evidence() -> None:
    story = Story(errors=(0.0077, 0.002))  # between the margins: neither worse nor acceptable
    story.until_step(0)
    story.say("promote")
    for _ in range(10):
        assert story.tick().step == 0
    assert story.rollout.hurry is not None
    assert "hold" not in story.rollout.why
    assert "not yet shown acceptable" in story.rollout.why


def test_promote_needs_the_approval_of_the_next_step() -> None:
    patient = replace(GATED, steps=tuple(replace(step, hold=Duration(6000)) for step in GATED.steps))
    story = Story(rollout=begun(policy=patient))
    story.until_step(0)
    story.say("promote")
    waiting(story, 0)
    assert story.rollout.held_s < 600


@pytest.mark.parametrize("paused", [False, True])
def test_promote_full_goes_to_all_traffic_and_names_who_asked(paused: bool) -> None:
    story = Story()
    story.until_step(0)
    if paused:
        story.say("pause")
        story.tick()
    story.say("promote-full")
    after = story.tick()
    assert (after.phase, after.weight, after.actor) == (Phase.PROMOTING, FULL, "ada")
    story.until(Phase.PROMOTED)


@pytest.mark.parametrize("together", [False, True])
def test_an_abort_wins_over_promote_full(together: bool) -> None:
    story = Story()
    story.until_step(0)
    story.say("promote-full")
    if not together:
        assert story.tick().phase is Phase.PROMOTING
    story.say("abort")
    assert story.tick().phase is Phase.ROLLING_BACK
    assert story.until(Phase.ROLLED_BACK).why == "aborted by ada"
    assert story.serving != CANARY


def test_promote_full_waits_until_canary_and_traffic_can_be_seen() -> None:
    story = Story()
    story.until_step(0)
    story.reachable = False
    story.say("promote-full")
    assert story.tick().weight == 5
    assert orders.needless(story.rollout, "promote-full") is not None
    story.reachable, story.ready = True, False
    assert story.tick().weight == 5
    story.ready = True
    assert (story.tick().phase, story.rollout.full) == (Phase.PROMOTING, None)


def test_a_pause_takes_back_a_promote_full_that_still_waits() -> None:
    story = Story()
    story.until_step(0)
    story.reachable = False
    story.say("promote-full")
    story.tick()
    story.say("pause")
    story.tick()
    story.reachable = True
    assert (story.tick().phase, story.rollout.weight) == (Phase.PAUSED, 5)


def test_promote_full_does_not_reach_a_canary_without_traffic() -> None:
    story = Story(ready=False)
    story.tick()
    story.say("promote-full")
    assert story.tick().phase is Phase.PENDING
    assert orders.refusal(story.rollout, "promote-full") is not None


@pytest.mark.parametrize(
    ("verb", "phase", "pause", "words"),
    [
        ("approve", Phase.PROGRESSING, None, "no step waits"),
        ("pause", Phase.PAUSED, PauseReason.MANUAL, "paused already"),
        ("resume", Phase.PROGRESSING, None, "not paused"),
        ("promote", Phase.PROMOTING, None, "on its way"),
        ("promote-full", Phase.PROMOTING, None, "on its way"),
    ],
)
def test_what_is_done_already_is_said(verb: Verb, phase: Phase, pause: PauseReason | None, words: str) -> None:
    found = orders.needless(begun(phase=phase, pause=pause, weight=5.0), verb)
    assert found is not None
    assert words in found


@pytest.mark.parametrize("verb", ["approve", "pause", "resume", "promote", "promote-full"])
def test_nothing_but_an_abort_is_heard_during_a_rollback(verb: Verb) -> None:
    back = begun(phase=Phase.ROLLING_BACK)
    assert orders.refusal(back, verb) is not None
    assert orders.refusal(back, "abort") is None
