"""Stories of groups: a canary that is as good on the whole, and worse for some."""

from __future__ import annotations

from dataclasses import replace

from gatewright.domain.duration import Duration
from gatewright.domain.rollout import LiveSlice, PauseReason, Phase, QualityMargins, Rollout
from gatewright.rules import evidence, live_slices
from tests.scenarios.rollout_story import POLICY, Story, rollout
from tests.scenarios.test_quality_and_drift import PAST

SLICES = (LiveSlice(columns=("SEX",)), LiveSlice(columns=("AGEP",), bins=(30.0,)))
EQUAL = {"SEX=1": (0.5, 0.08, 0.08), "SEX=2": (0.5, 0.08, 0.08), "AGEP<30": (0.3, 0.08, 0.08)}


def watched(**changes: object) -> Rollout:
    wanted = {"quality": QualityMargins(), "slices": SLICES, "max_extension": Duration(3600), **changes}
    return evidence.begin(rollout(policy=replace(POLICY, **wanted)), PAST)  # type: ignore[arg-type]


def test_a_canary_as_good_in_every_group_is_promoted() -> None:
    story = Story(rollout=watched(), labelled=0.5, groups=EQUAL)
    story.until(Phase.PROMOTED)
    found = live_slices.standing(story.rollout)
    assert found is not None
    assert (found.followed, found.degraded) == (6, False)
    assert found.e < 1


def test_a_canary_worse_for_one_group_alone_is_rolled_back_by_its_name() -> None:
    groups = {**EQUAL, "SEX=1": (0.5, 0.0, 0.08), "SEX=2": (0.5, 0.16, 0.08)}
    story = Story(rollout=watched(), labelled=0.5, groups=groups)
    story.until(Phase.ROLLED_BACK)
    assert "slices: in SEX=2 the canary has 1" in story.rollout.why
    assert "% of its labelled answers wrong, stable 8.0" in story.rollout.why
    assert "the mean of 6; limit 1000" in story.rollout.why
    assert not any(standing.degraded for standing in evidence.standings(story.rollout))


def test_a_group_of_which_nobody_hears_keeps_the_last_step_open() -> None:
    groups = {name: of for name, of in EQUAL.items() if name.startswith("SEX")}
    story = Story(rollout=watched(max_extension=Duration(120)), labelled=0.5, groups=groups)
    story.until(Phase.PAUSED)
    assert (story.rollout.pause, story.rollout.step) == (PauseReason.INCONCLUSIVE, 2)
    assert "no slice by AGEP was seen: is it an input of the model?" in story.rollout.why


def test_slices_that_are_never_told_keep_the_last_step_open() -> None:
    story = Story(rollout=watched(max_extension=Duration(120)), labelled=0.5)
    story.until(Phase.PAUSED)
    assert story.rollout.step == 2
    assert "slices not observed yet: 300 answers of stable are needed to choose them" in story.rollout.why
