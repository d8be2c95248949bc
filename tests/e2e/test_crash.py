"""`gatewright run` killed by SIGKILL between an effect and its record, then resumed: the end is the same."""

from __future__ import annotations

import signal

import pytest

from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import Load

STAGES = {
    "train and register": ("before-write:candidate.json", "after-commit:register", "before-write:version.json"),
    "canary start": ("after-commit:rollout-start", "after-commit:rollout-pending", "before-write:rollout.json"),
    "weight change": ("before-commit:route", "after-commit:rollout-progressing", "after-commit:route"),
    "promotion": (
        "after-commit:rollout-promoting",
        "before-commit:fence",
        "after-commit:fence",
        "after-commit:rollout-promoted",
        "before-write:deployment-record.json",
    ),
}
PARAMETERS = [
    pytest.param(names, id=stage, marks=pytest.mark.xdist_group(f"live-{1 + number % 2}"))
    for number, (stage, names) in enumerate(STAGES.items())
]


@pytest.mark.parametrize("failpoints", PARAMETERS)
def test_a_killed_run_resumes_to_the_same_end(project: Project, failpoints: tuple[str, ...]) -> None:
    project.new_model()
    words: tuple[str, ...] = ("run",)
    with Load(project.port) as load:
        for failpoint in failpoints:
            killed = project.command(*words, failpoints=failpoint)
            assert killed.returncode == -signal.SIGKILL, f"{failpoint}: {killed.stdout}{killed.stderr}"
            words = ("run", "--resume", project.runs()[-1])
        done = project.command(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        check_ended(project, words[2], "promoted")
    assert not load.failures
    assert load.answers.total() > 100
