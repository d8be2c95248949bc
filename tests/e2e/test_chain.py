"""The whole chain on a toy project, with a real gateway and real model servers, under live traffic."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from gatewright.domain.documents import short
from tests.fixtures import toy
from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import Load

pytestmark = pytest.mark.xdist_group("live-2")


@pytest.mark.slow
def test_new_data_goes_live_and_then_nothing_is_left_to_do(project: Project) -> None:
    version = toy.add_data(project.root, "train-1", toy.people(700))
    project.new_model()
    with Load(project.port) as load:
        done = project.command("run")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"→ people-train {version}" in done.stdout
        check_ended(project, project.runs()[-1], "promoted")
    assert not load.failures
    promoted = project.rollout().canary
    assert short(promoted).removeprefix("sha256:")[:12] in load.models()
    runs = project.runs()
    again = project.command("run", "--if-changed")
    assert (again.returncode, "nothing changed" in again.stdout) == (0, True)
    assert project.runs() == runs


@pytest.mark.slow
def test_a_model_that_fails_on_live_rows_is_rolled_back_and_never_tried_again(project: Project) -> None:
    project.new_model("no imputer")
    with Load(project.port) as load:
        done = project.command("run")
        assert done.returncode == 1, done.stdout
        assert "the canary fails" in done.stderr or "error share" in done.stderr
        check_ended(project, project.runs()[-1], "rolled_back")
    assert not load.failures
    digest = project.rollout().canary
    assert project.query("SELECT count(*) FROM quarantine WHERE digest = ?", digest) == [(1,)]
    again = project.command("run")
    assert again.returncode == 2
    assert "this model was rolled back before" in again.stderr
    assert project.query("SELECT count(*) FROM rollouts WHERE run = ?", project.runs()[-1]) == [(0,)]


def test_ctrl_c_in_training_and_in_the_canary_leaves_a_run_that_resumes_to_its_end(project: Project) -> None:
    project.new_model()
    pipe = project.root / "training" / "wait"
    os.mkfifo(pipe)
    try:
        run = project.start("run")
        project.until("training waits", project.trains)
        interrupt(run)
    finally:
        pipe.unlink()
    name = project.runs()[-1]
    with Load(project.port) as load:
        resumed = project.start("run", "--resume", name)
        project.until(
            "a canary weight", lambda: sum(share >= 1 for share in project.shares().values()) == 2, limit_s=90
        )
        interrupt(resumed)
        done = project.command("run", "--resume", name)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("proven done") >= 5
        check_ended(project, name, "promoted")
    assert not load.failures


def interrupt(run: subprocess.Popen[str]) -> None:
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=20)
    assert run.returncode == 130, out + err
    assert "--resume" in err
