"""The page of a rollout: what it shows besides the picture."""

from __future__ import annotations

from dataclasses import replace

from gatewright.domain.evidence import Durations
from gatewright.domain.rollout import Phase
from gatewright.stats import durations
from gatewright.web.rollout_page import rollout_page
from tests.scenarios.rollout_story import Story, begun
from tests.scenarios.test_slices import EQUAL, watched


def test_differences_slices_and_percentiles_are_on_the_page() -> None:
    story = Story(rollout=watched(), labelled=0.5, groups={**EQUAL, "SEX=2": (0.5, 0.16, 0.08)})
    story.until(Phase.ROLLED_BACK)
    seen = Durations(canary=durations.count([12.0] * 50), stable=durations.count([10.0] * 5000))
    page = rollout_page(replace(story.rollout, durations=seen), [], [])
    assert "slices: in SEX=2 the canary has" in page
    assert "<td>SEX=2</td><td>quality</td>" in page
    assert "All together: e " in page
    assert page.count(" pp [") == 3
    assert "canary 12.5 ms [" in page
    assert ", –]" in page


def test_a_rollout_without_any_of_them_has_a_page_too() -> None:
    page = rollout_page(begun(), [], [])
    assert "Slices" not in page
    assert "99th percentile" not in page
    assert " pp [" not in page
