"""A model that stands in for training: only when all that training reads is proven the same, to the last moment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.errors import DigestChanged
from gatewright.engine.ending import confirm, end_run
from gatewright.engine.opening import open_run
from gatewright.engine.pipeline import run_all, run_stage, stage_named
from gatewright.engine.planning import plan_run
from gatewright.store.runs import RunFolder
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.promoted import promote


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project whose model serves, and a newer evaluation set."""
    root = toy.write_project(tmp_path_factory.mktemp("made") / "project", port=1)
    version = toy.register(root, "good", serving=True)
    promote(root, root / version.artifact.uri)
    toy.people(500, offset=1000).write_parquet(root / "data" / "newer.parquet")
    toy.add_evaluation(root, "data/newer.parquet")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


def stages(workspace: Workspace, run: RunFolder, *names: str) -> list[str]:
    """Run these stages; what each told."""
    progress = Silent()
    for name in names:
        run_stage(workspace, run, stage_named(name), progress)
    return progress.told


def trained(run: RunFolder) -> bool:
    """Whether the training command ran."""
    return (run.path / "logs" / "train.log").exists()


def test_what_serves_is_judged_on_the_new_rows_and_confirmed_also_after_a_kill_before_the_record(root: Path) -> None:
    workspace = Workspace.open(root)
    run = open_run(workspace)
    stages(workspace, run, "validate", "train", "evaluate")
    stage_named("gate").work(workspace, run, Silent())
    assert workspace.records.terminal(run.id) is None
    assert (run_all(workspace, run, Silent()).status, trained(run)) == ("confirmed", False)
    record = workspace.records.terminal(run.id)
    assert record is not None
    assert "version 1 serves and stays: it passed on people-eval" in record.why
    report = json.loads((run.path / "evaluation-report.json").read_text())
    assert report["evidence"]["overall"]["rows"] == 500
    assert plan_run(workspace).plan.action == "nothing"
    assert run_all(workspace, run, Silent()).status == "confirmed"


def test_what_does_not_serve_any_more_is_not_confirmed(root: Path) -> None:
    workspace = Workspace.open(root)
    run = open_run(workspace)
    stages(workspace, run, "validate", "train")
    serving = workspace.registry.serving(toy.MODEL)
    workspace.registry.mark_serving(toy.MODEL, None)
    assert confirm(workspace, run) is None
    workspace.registry.mark_serving(toy.MODEL, serving)
    assert confirm(workspace, run) is not None


def new_code(root: Path) -> None:
    (root / "training" / "train.py").write_text((root / "training" / "train.py").read_text() + "# more\n")


def new_module(root: Path) -> None:
    (root / "training" / "extra.py").write_text("X = 1\n")


@pytest.mark.parametrize("change", [new_code, new_module])
def test_code_that_changes_after_the_plan_is_trained(root: Path, change: Callable[[Path], None]) -> None:
    workspace = Workspace.open(root)
    run = open_run(workspace)
    assert json.loads((run.path / "lock.json").read_text())["plan"]["reuse"]["called"] == "version 1"
    change(root)
    stages(workspace, run, "validate", "train")
    assert trained(run)


def test_other_bytes_do_not_stand_in(root: Path) -> None:
    workspace = Workspace.open(root)
    run = open_run(workspace)
    serving = workspace.registry.serving(toy.MODEL)
    assert serving is not None
    with (root / serving.artifact.uri / "model.skops").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DigestChanged):
        stages(workspace, run, "validate", "train")


@pytest.fixture(scope="module")
def passed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of other code whose verdict passed, and that has not ended."""
    root = Path(shutil.copytree(made, tmp_path_factory.mktemp("passed") / "project"))
    toy.write_recipe(root, kind="good", seed=7)
    workspace = Workspace.open(root)
    run = open_run(workspace)
    stages(workspace, run, "validate", "train", "evaluate", "gate")
    assert trained(run)
    workspace.database.close()
    return root


@pytest.fixture
def again(passed: Path, tmp_path: Path) -> Workspace:
    """A copy of its workspace."""
    return Workspace.open(Path(shutil.copytree(passed, tmp_path / "passed")))


@pytest.mark.parametrize(("kind", "stands"), [("aborted", True), ("rolled_back", False), ("stopped", False)])
def test_a_run_that_passed_its_gates_stands_in_unless_it_ended_badly(again: Workspace, kind: str, stands: bool) -> None:
    (first,) = again.runs.all()
    end_run(again, first, kind=kind, why="tests")
    plan = plan_run(again).plan
    assert (plan.action, plan.reuse is not None) == (("evaluate", True) if stands else ("everything", False))
    if stands:
        second = open_run(again)
        told = stages(again, second, "validate", "train")
        assert not trained(second)
        assert any(f"the model of run {first.id}" in line for line in told)
        handed = [json.loads((run.path / "candidate.json").read_text()) for run in (first, second)]
        assert handed[0]["candidate"] == handed[1]["candidate"]


@pytest.mark.parametrize("status", ["failed", "inconclusive", None])
def test_a_verdict_that_did_not_pass_proves_nothing(again: Workspace, status: str | None) -> None:
    (run,) = again.runs.all()
    assert plan_run(again).plan.reuse is not None
    verdict = run.need("verdict", "gate")
    (run.path / "verdict.json").unlink()
    if status is not None:
        run.write("verdict", replace(verdict, status=status))
    assert plan_run(again).plan.reuse is None


@pytest.mark.parametrize("name", ["lock", "candidate", "verdict"])
def test_an_edited_hand_off_proves_nothing(again: Workspace, name: str) -> None:
    path = again.runs.all()[0].path / f"{name}.json"
    path.write_text(path.read_text().replace('"passed"', '"passed" ', 1).replace('"toy"', '"toi"'))
    path.write_text(path.read_text().replace("sha256:", "sha256:0", 1))
    assert plan_run(again).plan.reuse is None
