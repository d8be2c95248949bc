"""A disk that is full, at every place that writes: exit 4, nothing half-written, and on it goes once there is space."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.domain.errors import GatewrightError, StageFailed, WorldFailed
from gatewright.effects.files import write_atomic
from gatewright.effects.reserve import Reserve
from gatewright.engine.opening import choose_run, open_run
from gatewright.engine.pipeline import STAGES, Stage, run_all, run_stage
from gatewright.store.runs import RunFolder
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.small_disk import PAGE, SmallDisk, mounted

ENOUGH = 64


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "small", megabytes=4) as disk:
        toy.write_project(disk.folder / "project", port=1)
        yield disk


@pytest.fixture
def workspace(disk: SmallDisk) -> Iterator[Workspace]:
    workspace = Workspace.open(disk.folder / "project")
    yield workspace
    workspace.database.close()


def stage(name: str) -> Stage:
    return next(stage for stage in STAGES if stage.name == name)


def passed(workspace: Workspace, run: RunFolder, last: str) -> None:
    for each in STAGES[: STAGES.index(stage(last)) + 1]:
        run_stage(workspace, run, each, Silent())


def unfinished(workspace: Workspace) -> list[Path]:
    """What a write that was not completed could have left."""
    hidden = [path for path in (workspace.root / ".gatewright").rglob(".*") if path.name != ".held"]
    return [*hidden, *(workspace.root / ".gatewright").glob("*-journal")]


def check_whole(workspace: Workspace, run: RunFolder) -> None:
    assert unfinished(workspace) == []
    for path in run.path.glob("*.json"):
        json.loads(path.read_bytes())
    assert workspace.database.rows("PRAGMA integrity_check")[0][0] == "ok"
    assert workspace.records.first_broken() is None


def refused(disk: SmallDisk, workspace: Workspace, run: RunFolder, name: str, left: int) -> WorldFailed | None:
    """What stage `name` says with `left` free pages; None when that is enough for it."""
    disk.fill(left=left)
    try:
        run_stage(workspace, run, stage(name), Silent())
    except WorldFailed as error:
        return error
    finally:
        disk.free()
    return None


@pytest.mark.parametrize(
    "name", ["validate", pytest.param("gate", marks=pytest.mark.slow), pytest.param("register", marks=pytest.mark.slow)]
)
def test_a_stage_without_space_leaves_nothing_half_done(disk: SmallDisk, workspace: Workspace, name: str) -> None:
    run = open_run(workspace, bootstrap_by="ada")
    if name != "validate":
        passed(workspace, run, STAGES[STAGES.index(stage(name)) - 1].name)
    left = 0
    while error := refused(disk, workspace, run, name, left):
        assert error.exit_code == 4
        assert "No space left on device" in str(error) or "database or disk is full" in str(error)
        assert "free" in error.fix
        handoff = run.read(stage(name).handoff)
        assert handoff is None or handoff.status == "passed"  # whole, and only what is made from it is missing
        check_whole(workspace, run)
        left += 1
        assert left < ENOUGH
    assert left > 0
    check_whole(workspace, run)


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 1, 2, 3, 4])
def test_predictions_log_and_latency_are_written_whole_or_not_at_all(
    disk: SmallDisk, workspace: Workspace, left: int
) -> None:
    run = open_run(workspace, bootstrap_by="ada")
    passed(workspace, run, "train")
    error = refused(disk, workspace, run, "evaluate", left)
    assert error is not None
    assert error.exit_code == 4
    assert "No space left on device" in str(error), str(error)
    assert not (run.path / "evaluation-report.json").exists()
    check_whole(workspace, run)
    run_stage(workspace, run, stage("evaluate"), Silent())
    assert json.loads((run.path / "evaluation-report.json").read_text())["status"] == "passed"


@pytest.mark.slow
def test_the_terminal_record_is_written_once_there_is_space(disk: SmallDisk, workspace: Workspace) -> None:
    toy.configure(workspace.root, port=1, gates={"mode": "point", "overall": {"min": 0.9999}})
    strict = Workspace.open(workspace.root)
    toy.write_recipe(workspace.root, kind="useless", seed=1)
    run = open_run(strict, bootstrap_by="ada")
    passed(strict, run, "evaluate")
    verdict = run_until_the_record(disk, strict, run)
    assert verdict.exit_code == 4
    assert strict.records.terminal(run.id) is None
    check_whole(strict, run)
    with pytest.raises(StageFailed, match="overall gate"):
        run_all(strict, choose_run(strict, None), Silent())
    kinds = [record.kind for record in strict.records.all() if record.run == run.id]
    assert kinds == ["stopped"]
    assert json.loads((run.path / "deployment-record.json").read_text())["status"] == "stopped"
    check_whole(strict, run)
    strict.database.close()


def run_until_the_record(disk: SmallDisk, workspace: Workspace, run: RunFolder) -> GatewrightError:
    """The gate stage fails; its verdict still finds space, the record of the end no more."""
    for left in range(ENOUGH):
        disk.fill(left=left)
        try:
            run_stage(workspace, run, stage("gate"), Silent())
        except WorldFailed as error:
            if (run.path / "verdict.json").exists():
                return error
        finally:
            disk.free()
    raise AssertionError("the record was never refused")


def test_a_run_on_a_full_disk_says_so_and_goes_on_later(disk: SmallDisk) -> None:
    root = disk.folder / "project"
    program = [str(Path(sys.executable).with_name("gatewright"))]

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *words], cwd=root, capture_output=True, text=True, timeout=60)

    disk.fill()
    full = command("run", "--bootstrap-by", "ada")
    assert full.returncode == 4, full.stderr
    assert "No space left" in full.stderr or "disk is full" in full.stderr or "unable to open" in full.stderr
    assert "Traceback" not in full.stderr
    disk.free()
    opened = command("validate", "--bootstrap-by", "ada")
    assert opened.returncode == 0, opened.stderr
    assert command("records", "verify").returncode == 0


def test_what_is_written_in_a_reserve_finds_space_again_and_again(disk: SmallDisk) -> None:
    reserve = Reserve(disk.folder / "reserve", 16 * PAGE)
    reserve.write_atomic(disk.folder / "routes.json", b"before")
    disk.fill()
    with pytest.raises(WorldFailed, match="No space left on device"):
        write_atomic(disk.folder / "other.json", b"x")
    for content in (b"one" * PAGE, b"two" * PAGE):
        reserve.write_atomic(disk.folder / "routes.json", content)
        assert (disk.folder / "routes.json").read_bytes() == content
    assert list(disk.folder.glob(".*")) == []
