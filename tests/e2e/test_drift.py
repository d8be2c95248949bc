"""Predictions that move away from stable's, on the real gateway: no error, no slow answer, and yet the climb ends."""

from __future__ import annotations

import pytest

from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import Load

pytestmark = pytest.mark.xdist_group("live-1")
STEPS = {"steps": [{"weight": 50, "hold": "60s"}]}


def test_a_canary_that_answers_the_opposite_is_rolled_back_by_drift(project: Project) -> None:
    far = {"pause_margin": 0.05, "rollback_margin": 0.05}
    project.new_model("useless", gates="none", rollout={**STEPS, "drift": far})
    with Load(project.port, rate=150) as load:
        done = project.command("run")
    assert done.returncode == 1, done.stdout + done.stderr
    rollout = project.rollout()
    assert rollout.why.startswith("prediction drift above 0.05: prediction 1: "), rollout.why
    assert rollout.drift is not None
    assert sum(rollout.drift.canary) > 50
    assert rollout.evidence["errors"].worse.canary_bad == 0
    assert not load.failures
    check_ended(project, project.runs()[-1], "rolled_back")
