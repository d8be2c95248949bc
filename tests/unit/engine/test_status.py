"""What `rollout status` is made from: percentiles as JSON, whose unknown ends are null."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.evidence import Durations
from gatewright.engine.status import rollout_view
from gatewright.stats import durations
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.scenarios.rollout_story import begun


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(toy.write_project(tmp_path / "project", port=1))


def test_percentiles_are_told_with_null_for_an_end_that_is_not_known(workspace: Workspace) -> None:
    seen = Durations(canary=(), stable=durations.count([5.0] * 40))
    told = rollout_view(workspace, replace(begun(), durations=seen))["p99_ms"]
    assert told["canary"] is None
    assert told["stable"]["high"] is None
    assert told["stable"]["value"] == pytest.approx(5.0, rel=0.05)


def test_a_rollout_that_saw_nothing_has_no_percentiles_and_no_slices(workspace: Workspace) -> None:
    told = rollout_view(workspace, begun())
    assert (told["p99_ms"], told["slices"]) == (None, None)
    assert [each["difference"] for each in told["standings"]] == [None, None]
