"""What goes wrong before live traffic: each fault stops the run at its stage, by name, with its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
from click.testing import CliRunner

from gatewright.cli.data import data
from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import DigestChanged, GatewrightError, StageFailed, UnusableInput
from gatewright.domain.lineage import Candidate
from gatewright.engine.opening import choose_run, open_run
from gatewright.engine.pipeline import STAGES, run_all, run_stage
from gatewright.ports import Registration
from gatewright.store.codec import decode
from gatewright.store.runs import RunFolder
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.live import stray_processes

PORT = 1  # nothing here comes as far as traffic
TRAIN = ["python", "training/train.py", "{data.path}", "{output.dir}"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return toy.write_project(tmp_path / "project", port=PORT)


def opened(root: Path) -> Workspace:
    return Workspace.open(root)


def fails(root: Path, **sections: Any) -> tuple[GatewrightError, Workspace, RunFolder]:
    """The error of a first run under these sections of the configuration."""
    toy.configure(root, port=PORT, **sections)
    workspace = opened(root)
    run = open_run(workspace, bootstrap_by="ada")
    with pytest.raises(GatewrightError) as caught:
        run_all(workspace, run, Silent())
    return caught.value, workspace, run


def pass_through(workspace: Workspace, run: RunFolder, last: str) -> None:
    for stage in STAGES:
        run_stage(workspace, run, stage, Silent())
        if stage.name == last:
            return


def check_stopped(workspace: Workspace, run: RunFolder, stage: str) -> None:
    record = workspace.records.terminal(run.id)
    assert record is not None
    assert (record.kind, record.why.partition(":")[0]) == ("stopped", stage)
    assert json.loads((run.path / "deployment-record.json").read_text())["status"] == "stopped"
    assert workspace.database.rows("SELECT * FROM versions") == []
    assert workspace.records.first_broken() is None


def test_a_lint_error_stops_the_run_and_is_named(root: Path) -> None:
    (root / "training" / "extra.py").write_text("import os\n")
    error, workspace, run = fails(root)
    assert error.exit_code == 1
    assert "training/extra.py:1" in str(error)
    check_stopped(workspace, run, "validate")


def test_a_breach_of_the_schema_stops_the_run_and_names_the_column(root: Path) -> None:
    toy.add_data(root, "broken", toy.people(600).with_columns(SEX=pl.lit(7, dtype=pl.Int64)))
    error, workspace, run = fails(root)
    assert error.exit_code == 1
    assert "SEX" in str(error)
    check_stopped(workspace, run, "validate")


def test_drift_stops_the_run_and_is_in_its_hand_off(root: Path) -> None:
    with (root / "data" / "schema.yaml").open("a") as file:
        file.write("drift: {reference: people-train, min_rows: 100}\n")
    toy.add_data(root, "moved", toy.people(600).with_columns(SEX=pl.lit(1, dtype=pl.Int64)))
    error, workspace, run = fails(root)
    assert error.exit_code == 1
    assert "SEX: drift from people-train" in str(error)
    check_stopped(workspace, run, "validate")
    handoff = run.need("validation", "validate")
    assert handoff.status == "failed"
    drift = handoff.body["data"]["train"]["drift"]
    assert handoff.inputs["drift reference of people-train"] == drift["digest"]
    assert [column["name"] for column in drift["columns"] if column["status"] == "fail"] == ["SEX"]
    assert "was NOT judged: it is train data, this is eval data" in str(handoff.body["warnings"])
    shown = CliRunner().invoke(data, ["validate", "--run", run.id, "--output", "json", "-C", str(root)])
    assert json.loads(shown.stdout) == list(handoff.body["data"].values())


def test_a_check_of_the_team_stops_the_run(root: Path) -> None:
    command = ["python", "-c", "print('three people too many'); raise SystemExit(1)", "{data.path}"]
    lint = {"lint": {"paths": ["training"]}, "dependencies": "none"}
    error, workspace, run = fails(root, checks={**lint, "data": {"command": command}})
    assert error.exit_code == 1
    assert "three people too many" in str(error)
    check_stopped(workspace, run, "validate")


def test_a_check_of_the_team_that_cannot_run_is_no_pass(root: Path) -> None:
    lint = {"lint": {"paths": ["training"]}, "dependencies": "none"}
    error, _, _ = fails(root, checks={**lint, "data": {"pandera": "nowhere:People"}})
    assert error.exit_code == 4
    assert "nowhere:People cannot be loaded" in str(error)


def test_a_training_command_that_fails_leaves_a_run_to_resume(root: Path) -> None:
    error, workspace, run = fails(root, train={"command": ["sh", "-c", "echo no luck; exit 3"]})
    assert (error.exit_code, "exit code 3" in str(error)) == (1, True)
    assert "no luck" in (run.path / "logs" / "train.log").read_text()
    assert workspace.records.terminal(run.id) is None
    toy.configure(root, port=PORT)
    mended = opened(root)
    progress = Silent()
    run_stage(mended, choose_run(mended, None), STAGES[1], progress)
    assert any(told.startswith("train passed") for told in progress.told)


@pytest.mark.parametrize("leaves", ["sleep 301", "sleep 302 & exec sleep 303", "setsid sleep 304 & sleep 305"])
def test_a_training_command_that_hangs_is_ended_with_all_it_started(root: Path, leaves: str) -> None:
    command = ["sh", "-c", f"cd {root}; {leaves}"]
    error, _, _ = fails(root, train={"command": command, "timeout": "1s"})
    assert error.exit_code == 1
    assert "did not end within 1s" in str(error)
    assert sleeping(root) == []


def test_what_a_training_command_leaves_running_is_ended(root: Path) -> None:
    error, _, _ = fails(root, train={"command": ["sh", "-c", f"cd {root}; setsid sleep 306 & exit 0"]})
    assert "left no model.skops and no signature.json" in str(error)
    assert error.exit_code == 1
    assert sleeping(root) == []


def sleeping(root: Path) -> list[int]:
    processes = psutil.process_iter(["cmdline", "cwd"])
    return [
        process.pid
        for process in processes
        if (process.info["cmdline"] or [""])[0] == "sleep" and process.info["cwd"] == str(root)
    ]


def test_data_that_changes_while_training_runs_is_refused(root: Path) -> None:
    change = "printf x >> data/train/train-0.parquet"
    command = ["sh", "-c", f'python training/train.py "$0" "$1" && {change}', "{data.path}", "{output.dir}"]
    error, workspace, run = fails(root, train={"command": command})
    assert isinstance(error, UnusableInput)
    assert "train-0.parquet" in str(error)
    assert not (run.path / "candidate.json").exists()
    assert workspace.records.terminal(run.id) is None


def test_a_slow_candidate_fails_the_latency_gate_only(root: Path) -> None:
    toy.write_recipe(root, kind="slow", seed=1)
    gates = {"mode": "point", "overall": {"min": 0.6}, "latency": {"p99": "1ms"}}
    error, workspace, run = fails(root, gates=gates)
    assert error.exit_code == 1
    assert str(error).startswith("latency gate: ")
    check_stopped(workspace, run, "gate")


def test_a_useless_candidate_fails_the_floor(root: Path) -> None:
    toy.write_recipe(root, kind="useless", seed=1)
    error, workspace, run = fails(root)
    assert error.exit_code == 1
    assert "overall gate: " in str(error)
    check_stopped(workspace, run, "gate")


def test_a_candidate_worse_in_one_region_fails_the_slice_gate_which_names_it(root: Path) -> None:
    toy.configure(root, port=PORT, gates={"mode": "point", "overall": {"margin": 0.5}, "slices": {"max_drop": 0.04}})
    workspace = opened(root)
    first = open_run(workspace, bootstrap_by="ada")
    pass_through(workspace, first, "train")
    candidate = decode(Candidate, canonical_json(first.need("candidate", "train").body["candidate"]))
    good = Registration(candidate=candidate, data_digest=candidate.data, report_digest="sha256:0", run=first.id)
    workspace.registry.mark_serving(toy.MODEL, workspace.registry.register(good))
    toy.write_recipe(root, kind="unfair to region 3", seed=1)
    run = open_run(workspace)
    with pytest.raises(StageFailed) as caught:
        run_all(workspace, run, Silent())
    assert "slices gate: " in str(caught.value)
    assert "REGION=3" in str(caught.value)
    assert [record.kind for record in workspace.records.all()] == ["aborted", "stopped"]
    assert "superseded" in workspace.records.all()[0].why


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run that has come as far as its verdict."""
    root = toy.write_project(tmp_path_factory.mktemp("evaluated") / "project", port=PORT)
    workspace = opened(root)
    run = open_run(workspace, bootstrap_by="ada")
    pass_through(workspace, run, "gate")
    workspace.database.close()
    return root, run.id


def edit_word(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def append_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


EDITS = {
    "lock.json": "lock.json",
    "validation.json": "validation.json",
    "candidate.json": "candidate.json",
    "evaluation-report.json": "evaluation-report.json",
    "verdict.json": "verdict.json",
    "model/model.skops": "the model in",
    "model/signature.json": "the model in",
    "predictions/predictions.parquet": "predictions.parquet",
    "../../../data/eval.parquet": "eval.parquet",
    "../../../data/train/train-0.parquet": "train-0.parquet",
}
NEXT = {"validation.json": "train", "predictions/predictions.parquet": "gate"}
NEXT |= {"../../../data/eval.parquet": "evaluate", "../../../data/train/train-0.parquet": "train"}


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_byte_is_refused_by_name(evaluated: tuple[Path, str], name: str) -> None:
    root, run_id = evaluated
    workspace = opened(root)
    run = workspace.runs.get(run_id)
    path = run.path / name
    content = path.read_bytes()
    if name.endswith(".json") and "/" not in name:
        edit_word(path, '"status": "passed"', '"status": "PASSED"')
    else:
        append_byte(path)
    try:
        with pytest.raises(UnusableInput, match=EDITS[name]) as caught:
            run_stage(workspace, run, named(NEXT.get(name, "register")), Silent())
        assert caught.value.exit_code == 2
        assert workspace.records.terminal(run_id) is None
        assert workspace.database.rows("SELECT * FROM versions") == []
    finally:
        path.write_bytes(content)


def named(name: str) -> Any:
    return next(stage for stage in STAGES if stage.name == name)


def test_a_stage_that_was_done_again_makes_those_after_it_worthless(root: Path) -> None:
    workspace = opened(root)
    run = open_run(workspace, bootstrap_by="ada")
    pass_through(workspace, run, "train")
    run_stage(workspace, run, STAGES[0], Silent())
    with pytest.raises(DigestChanged, match=r"validation\.json, from which candidate\.json was made"):
        run_all(workspace, run, Silent())


def test_only_one_process_works_on_a_run(root: Path) -> None:
    workspace = opened(root)
    run = open_run(workspace, bootstrap_by="ada")
    with RunFolder(run.path).hold(), pytest.raises(UnusableInput, match=f"another process works on run {run.id}"):
        run_all(workspace, run, Silent())
    with RunFolder(run.path).hold():
        second = open_run(workspace, bootstrap_by="ada")
    assert workspace.records.terminal(run.id) is None
    with pytest.raises(UnusableInput, match="2 runs are open") as caught:
        choose_run(workspace, None)
    assert run.id in str(caught.value)
    assert second.id in str(caught.value)
    third = open_run(workspace, bootstrap_by="ada")
    assert [found.id for found in workspace.runs.open()] == [third.id]
    assert {record.kind for record in workspace.records.all()} == {"aborted"}


def test_nothing_of_all_this_leaves_a_process(root: Path) -> None:
    workspace = opened(root)
    run = open_run(workspace, bootstrap_by="ada")
    pass_through(workspace, run, "train")
    assert stray_processes(root, set()) == []
