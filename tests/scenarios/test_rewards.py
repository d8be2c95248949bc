"""Stories of rewards: answers that are more or less good, told a minute later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import Block, History, Losses, Observation, SliceObservation
from gatewright.domain.rollout import LiveSlice, PauseReason, Phase, QualityMargins, Rollout
from gatewright.rules import evidence, horizon
from gatewright.stats import betting
from tests.scenarios.rollout_story import POLICY, Story, rollout

PAST = History(
    requests=5000, errors=10, slow=50, slow_after_ms=40.0, labelled=2000, wrong=400.0, wrong_squares=120.0
)  # mean reward .8, deviation .14


def losses(sizes: Block, means: tuple[float, float]) -> Losses:
    """As many losses as the block has requests, each a tenth above or below the mean of its arm."""
    n = sizes.canary_n, sizes.stable_n
    arms = [betting.spread([mean - 0.1, mean + 0.1] * (size // 2)) for size, mean in zip(n, means, strict=True)]
    return Losses(canary=arms[0], stable=arms[1])


@dataclass
class Rewarded(Story):
    """`wrong` are mean losses of (canary, stable); each loss is a tenth above or below."""

    def _labels(self, seconds: float) -> tuple[Observation, ...]:
        told: Iterable[Observation] = super()._labels(seconds)
        return tuple(
            replace(each, block=losses(each.block, self.wrong)) for each in told if isinstance(each.block, Block)
        )


@dataclass
class Grouped(Rewarded):
    """The same, by group."""

    def _slices(self, seconds: float) -> tuple[SliceObservation, ...]:
        return tuple(
            replace(seen, block=losses(seen.block, self.groups[seen.key.name][1:]))
            for seen in super()._slices(seconds)
            if isinstance(seen.block, Block)
        )


def watched(**changes: object) -> Rollout:
    wanted = {"quality": QualityMargins(by="reward"), "max_extension": Duration(3600), **changes}
    return evidence.begin(rollout(policy=replace(POLICY, **wanted)), PAST)  # type: ignore[arg-type]


def test_a_canary_that_earns_as_much_is_promoted_once_rewards_show_it() -> None:
    story = Rewarded(rollout=watched(), labelled=0.5, wrong=(0.2, 0.2))
    story.until(Phase.PROMOTED)
    assert story.weights == [5, 25, 50, 100]
    standing = evidence.standings(story.rollout)[-1]
    assert (standing.metric, standing.by_reward, standing.acceptable) == ("quality", True, True)


def test_a_canary_that_earns_less_is_rolled_back_with_both_mean_rewards() -> None:
    story = Rewarded(rollout=watched(), labelled=0.5, wrong=(0.26, 0.2))
    story.until(Phase.ROLLED_BACK)
    assert "quality: the canary earns a mean reward of 0.7400, stable 0.8000 (e " in story.rollout.why
    assert (story.now - story.rollout.started_at).total_seconds() > 60


def test_a_canary_that_earns_less_by_the_margin_waits_for_a_person() -> None:
    story = Rewarded(rollout=watched(max_extension=Duration(300)), labelled=0.5, wrong=(0.205, 0.2))
    story.until(Phase.PROMOTED)
    between = Rewarded(
        rollout=watched(quality=QualityMargins(by="reward", rollback_margin=0.02), max_extension=Duration(300)),
        labelled=0.5,
        wrong=(0.22, 0.2),
    )
    between.until(Phase.PAUSED)
    assert (between.rollout.pause, between.rollout.step) == (PauseReason.INCONCLUSIVE, 2)
    assert "quality not yet shown acceptable" in between.rollout.why


def test_without_rewards_the_last_hold_stands_still() -> None:
    story = Rewarded(rollout=watched(max_extension=Duration(120)), labelled=0.0)
    story.until(Phase.PAUSED)
    assert "no labels of both versions yet" in story.rollout.why


def test_fewer_rewards_are_needed_when_they_differ_less() -> None:
    exact = evidence.begin(watched(), replace(PAST, wrong=400.0, wrong_squares=80.1))
    needed = [betting.enough_losses(each.evidence["quality"].acceptable, 10) for each in (watched(), exact)]
    assert needed[0] > 10 * needed[1]


def test_where_it_goes_can_be_told_from_rewards_too() -> None:
    story = Rewarded(rollout=watched(), labelled=0.5, wrong=(0.26, 0.2))
    while story.rollout.phase is not Phase.PROGRESSING or not story.rollout.evidence["quality"].worse.canary_n:
        story.tick()
    ahead = horizon.project(story.rollout)
    assert ahead is not None
    assert ahead.towards == "rollback"
    assert all(step.evidence_s < 10_000 for step in horizon.plan(watched(), 300.0).steps)


def test_a_group_that_earns_less_is_named() -> None:
    begun = watched(slices=(LiveSlice(columns=("SEX",)),))
    story = Grouped(
        rollout=begun, labelled=0.5, wrong=(0.2, 0.2), groups={"SEX=1": (0.5, 0.2, 0.2), "SEX=2": (0.5, 0.3, 0.2)}
    )
    story.until(Phase.ROLLED_BACK)
    assert "slices: in SEX=2 the canary earns a mean reward of 0.7000, stable 0.8000 (e " in story.rollout.why
