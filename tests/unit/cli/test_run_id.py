"""`gatewright run --run-id`, and a watch that starts it: one id, one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatewright.engine.opening import open_run
from gatewright.workspace import Workspace
from tests.fixtures.repository import commit_all
from tests.fixtures.watched import change, watched_project
from tests.unit.cli.conftest import Shell

RUN = "20260701-120000-0a1b2c3d"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Code that stage validate stops at, so that a run ends soon."""
    project = watched_project(tmp_path / "w", trigger={"kind": "local"})
    (project / "training" / "wrong.py").write_text("import os\n", encoding="utf-8")
    commit_all(project)
    monkeypatch.chdir(project)
    return project


def runs(root: Path) -> list[str]:
    folder = root / ".gatewright" / "runs"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_watch_starts_a_run_waits_for_it_and_ends_as_it_does(root: Path, shell: Shell) -> None:
    change(root, 1)
    told = shell("data", "watch", "--once", "--wait", "--settle", "0", "--output", "json")
    (run,) = runs(root)
    assert json.loads(told.out.splitlines()[-1])["run"] == run
    assert (told.code, f"run {run}: stopped, validate" in told.err) == (1, True)
    assert f"run {run}" in (root / ".gatewright" / "watch" / f"{run}.log").read_text("utf-8")
    again = shell("run", "--run-id", run)
    assert (again.code, "has ended: stopped" in again.err) == (1, True)
    assert runs(root) == [run]
    records = json.loads(shell("records", "--output", "json").out)
    assert [record["kind"] for record in records] == ["promoted", "stopped"]


def test_an_id_is_opened_once_also_when_its_folder_was_left_empty(root: Path) -> None:
    change(root, 1)
    workspace = Workspace.open(root)
    (root / ".gatewright" / "runs" / RUN).mkdir(parents=True)  # killed before its lock was written
    first = open_run(workspace, run_id=RUN)
    lock = (first.path / "lock.json").read_bytes()
    second = open_run(workspace, run_id=RUN)
    assert (second.id, (second.path / "lock.json").read_bytes()) == (RUN, lock)
    assert runs(root) == [RUN]
    assert workspace.records.terminal(RUN) is None
    workspace.database.close()


def test_a_run_that_another_process_works_on_is_left_alone(root: Path, shell: Shell) -> None:
    workspace = Workspace.open(root)
    run = open_run(workspace, run_id=RUN)
    with run.hold():
        told = shell("run", "--run-id", RUN)
    assert (told.code, f"another process works on run {RUN}" in told.out) == (0, True)
    workspace.database.close()


@pytest.mark.usefixtures("root")
def test_an_id_of_another_form_and_two_wishes_are_refused(shell: Shell) -> None:
    for words in (("--run-id", "../x"), ("--run-id", RUN, "--resume", RUN)):
        assert shell("run", *words).code == 2
