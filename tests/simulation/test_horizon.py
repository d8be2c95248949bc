"""The plan of `rollout preflight` against rollouts by the real rules, their requests drawn at random (seeded)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import Block
from gatewright.domain.rollout import Phase, Step
from gatewright.domain.shadow import Shadow
from gatewright.rules import horizon
from tests.scenarios.rollout_story import POLICY, Story, begun

REPLICATES = 15
QUICK = replace(
    POLICY,
    steps=(Step(weight=10, hold=Duration(30)), Step(weight=50, hold=Duration(30))),
    tick=Duration(10),
    max_extension=Duration(36000),
)
PATIENT = replace(QUICK, steps=(Step(weight=30, hold=Duration(900)), Step(weight=50, hold=Duration(600))))


@dataclass
class RandomStory(Story):
    """A story whose requests and bad events are Poisson and binomial."""

    seed: int = 0
    random: np.random.Generator = field(default_factory=np.random.default_rng)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def _block(self, metric: str, seconds: float, shares: tuple[float, float]) -> Block:
        expected = self.per_second * seconds * np.array([(self.shown or 0.0) / 100, 1 - (self.shown or 0.0) / 100])
        canary_n, stable_n = (int(n) for n in self.random.poisson(expected))
        return Block(
            canary_n=canary_n,
            canary_bad=int(self.random.binomial(canary_n, shares[0])),
            stable_n=stable_n,
            stable_bad=int(self.random.binomial(stable_n, shares[1])),
        )


def seconds_of_steps(policy: object, per_second: float, seed: int) -> list[float]:
    """How long each step took."""
    story = RandomStory(rollout=begun(policy=policy), per_second=per_second, seed=seed)
    ends, begin = [], 0.0
    for _ in range(6000):
        step, phase = story.rollout.step, story.rollout.phase
        story.tick(10.0)
        now = (story.now - begun().started_at).total_seconds()
        if phase is Phase.PENDING:
            begin = now
        elif (story.rollout.step, story.rollout.phase) != (step, phase):
            ends.append(now - begin)
            begin = now
        if story.rollout.phase is not Phase.PROGRESSING and phase is not Phase.PENDING:
            break
    return ends


@pytest.mark.parametrize(("per_second", "policy"), [(200.0, QUICK), (20.0, QUICK), (5.0, PATIENT)])
def test_the_plan_is_within_a_factor_of_what_happens(per_second: float, policy: object) -> None:
    plan = horizon.plan(begun(policy=policy), per_second)
    took = [times for seed in range(REPLICATES) if len(times := seconds_of_steps(policy, per_second, seed)) == 2]
    assert len(took) >= REPLICATES - 2
    for index, step in enumerate(plan.steps):
        seen = median(times[index] for times in took)
        print(f"{per_second:g}/s step {index + 1}: planned {step.expected_s:.0f} s, median {seen:.0f} s")
        assert 0.5 <= seen / step.expected_s <= 1.6


def test_a_plan_that_cannot_conclude_ends_in_a_pause() -> None:
    short = replace(QUICK, max_extension=Duration(60))
    assert not horizon.plan(begun(policy=short), 5.0).concludes
    story = RandomStory(rollout=begun(policy=short), per_second=5.0, seed=1)
    assert story.until(Phase.PAUSED).step == 0


@pytest.mark.parametrize(("per_second", "share"), [(200.0, 0.05), (2.0, 1.0), (0.05, 1.0)])
def test_step_0_takes_what_its_plan_says(per_second: float, share: float) -> None:
    """Its copies come evenly: long before the hold ends, as it ends, and so rarely that most looks see none."""
    policy = replace(QUICK, shadow=Shadow(hold=Duration(120), share=share), min_requests=20)
    plan = horizon.plan(begun(policy=policy), per_second).shadow
    assert plan is not None
    story = Story(rollout=begun(policy=policy), per_second=per_second)
    while story.rollout.phase is not Phase.SHADOWING:
        story.tick(10.0)
    start = story.now
    while story.rollout.phase is Phase.SHADOWING:
        story.tick(10.0)
    took = (story.now - start).total_seconds()
    print(f"{per_second:g}/s, share {share:g}: planned {plan.expected_s:.0f} s, took {took:.0f} s")
    assert 0.8 <= took / plan.expected_s <= 1.2
    assert plan.concludes


def test_a_step_0_that_cannot_conclude_ends_in_a_pause() -> None:
    policy = replace(QUICK, shadow=Shadow(hold=Duration(60)), max_extension=Duration(60), min_requests=300)
    plan = horizon.plan(begun(policy=policy), 2.0)
    assert [step.name for step in plan.weak] == ["0 (shadow)", "1 (10 %)", "2 (50 %)"]
    assert Story(rollout=begun(policy=policy), per_second=2.0).until(Phase.PAUSED).weight == 0


def test_a_rollout_without_shadow_has_no_step_0() -> None:
    assert horizon.plan(begun(policy=QUICK), 20.0).shadow is None
    alone = begun(policy=replace(QUICK, shadow=Shadow()), restored_by="ada")
    assert horizon.plan(alone, 20.0).shadow is None
