"""Which models are meant, what is refused, and that a comparison leaves nothing behind; nothing is scored here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from gatewright.cli.render import Quiet
from gatewright.domain.documents import plain
from gatewright.domain.errors import (
    DigestChanged,
    GatewrightError,
    Interrupted,
    StageFailed,
    UnusableInput,
    WorldFailed,
)
from gatewright.domain.lineage import Candidate
from gatewright.effects.files import measure_artifact
from gatewright.engine.comparing import compare
from gatewright.ports import Job, JobResult, Progress
from gatewright.store.runs import CANDIDATE, LOCK, Handoff, RunFolder
from gatewright.workspace import STATE, Workspace
from tests.fixtures import toy

AT = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Scoring:
    """An executor whose scoring process ends so; it notes the jobs, and which files each was given."""

    code: int
    says: str = '{"error": "model.skops holds no model", "fix": "x"}'
    ended: Literal["exited", "timeout", "interrupted"] = "exited"
    jobs: list[dict[str, object]] = field(default_factory=list)

    def run(self, job: Job, progress: Progress) -> JobResult:
        self.jobs.append(json.loads(Path(job.argv[-1]).read_text(encoding="utf-8")))
        assert Path(str(self.jobs[-1]["data"])).is_file()
        if self.code == Interrupted.exit_code:
            raise Interrupted("scoring was interrupted", fix="gatewright run --resume RUN")
        job.log.parent.mkdir(exist_ok=True)
        job.log.write_text(f"loading\n{self.says}\n", encoding="utf-8")
        return JobResult(code=self.code, ended=self.ended, seconds=0.1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions, the first one serving, and evaluation data beside training data of the same name."""
    root = toy.write_project(tmp_path_factory.mktemp("comparing") / "project", port=1)
    for kind, serving in (("good", True), ("useless", False)):
        toy.register(root, kind, serving=serving)
    return root


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(Path(shutil.copytree(made, tmp_path / "project")))
    yield opened
    opened.database.close()
    assert list(opened.root.glob(f"{STATE}/compare-*")) == [], "a scratch folder is left"


def run_with(workspace: Workspace, name: str, *, model: str = toy.MODEL, folder: str | None = None) -> RunFolder:
    """A run, and with `folder` its candidate there."""
    run = workspace.runs.create(name)

    def write(handoff: str, body: dict[str, object]) -> None:
        run.write(handoff, Handoff(run=name, stage="x", status="passed", started_at=AT, ended_at=AT, body=body))

    write(LOCK, {"model": model})
    if folder is not None:
        artifact = replace(measure_artifact(workspace.root / folder), uri=folder)
        candidate = Candidate(model=model, artifact=artifact, data="x", commit="x", params={}, trained_at=AT)
        write(CANDIDATE, {"candidate": plain(candidate)})
    return run


@pytest.mark.parametrize(
    ("names", "says", "remedy"),
    [
        (("3", "1"), "toy has no version 3", "known: production (version 1); versions 1, 2; runs r2"),
        (("9" * 30, "1"), f"there is no model '{'9' * 30}'", "known: production (version 1)"),
        (("0", "1"), "toy has no version 0", "versions 1, 2"),
        (("best", "1"), "there is no model 'best'", "versions 1, 2; runs r2"),
        (("../runs/r2", "1"), "there is no model '../runs/r2'", "runs r2"),
        (("2", "2"), "version 2 and version 2 are the same model", "compare it with another one; known: "),
        (("1", "production"), "version 1 and version 1 (production) are the same model", "known: "),
        (("r2", "2"), "run r2 and version 2 are the same model", "known: "),
        (("r1", "1"), "run r1 has trained no model", "runs r2"),
        (("1", "twin-1"), "run twin-1 is of model twin, not toy", "two models of one name"),
    ],
)
def test_models_that_cannot_be_compared(names: tuple[str, str], says: str, remedy: str, workspace: Workspace) -> None:
    run_with(workspace, "r1")
    run_with(workspace, "r2", folder="trained/useless")
    run_with(workspace, "twin-1", model="twin", folder="trained/useless")
    with pytest.raises(UnusableInput) as refused:
        compare(workspace, *names, Quiet())
    assert says in refused.value.what
    assert remedy in refused.value.fix


def test_nothing_serves_yet(workspace: Workspace) -> None:
    workspace.registry.mark_serving(toy.MODEL, None)
    with pytest.raises(UnusableInput, match="toy has no version in production yet") as refused:
        compare(workspace, "2", "production", Quiet())
    assert refused.value.fix == "known: versions 1, 2"


def test_no_model_at_all(tmp_path: Path) -> None:
    root = toy.write_project(tmp_path / "fresh", port=1)
    opened = Workspace.open(root)
    with pytest.raises(UnusableInput) as refused:
        compare(opened, "1", "2", Quiet())
    opened.database.close()
    assert refused.value.fix == "there is no model yet: gatewright run"


def test_bytes_that_are_gone_or_changed(workspace: Workspace) -> None:
    run_with(workspace, "r2", folder="trained/useless")
    (workspace.root / "trained" / "useless" / "model.skops").write_bytes(b"x")
    with pytest.raises(DigestChanged, match="the model in trained/useless changed"):
        compare(workspace, "r2", "1", Quiet())
    shutil.rmtree(workspace.root / "trained" / "useless")
    with pytest.raises(UnusableInput, match="the model of run r2 is not there any more: trained/useless holds no file"):
        compare(workspace, "r2", "1", Quiet())
    version = workspace.registry.numbered(toy.MODEL, 2)
    assert version is not None
    (workspace.root / version.artifact.uri / "signature.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnusableInput, match=r"the model of version 2 in .* is not the registered version 2"):
        compare(workspace, "1", "2", Quiet())
    shutil.rmtree(workspace.root / version.artifact.uri)
    with pytest.raises(UnusableInput, match="the model of version 2 is not there any more"):
        compare(workspace, "1", "2", Quiet())


def test_the_evaluation_set_must_be_one(workspace: Workspace) -> None:
    with pytest.raises(UnusableInput, match="people-eval has no version '2020'"):
        compare(workspace, "2", "1", Quiet(), on="2020")
    data = replace(workspace.project.data, evaluation="people-train")
    other = replace(workspace, project=replace(workspace.project, data=data))
    version = workspace.data_versions.latest("people-train", "train").version
    with pytest.raises(UnusableInput, match=f"people-train {version} is train data"):
        compare(other, "2", "1", Quiet(), on=version)
    with pytest.raises(UnusableInput, match="people-train has no version of role eval"):
        compare(other, "2", "1", Quiet())


def test_changed_evaluation_data_is_not_scored(workspace: Workspace) -> None:
    toy.people(3).write_parquet(workspace.root / "data" / "eval.parquet")
    with pytest.raises(DigestChanged, match="people-eval"):
        compare(replace(workspace, executor=Scoring(code=0)), "2", "1", Quiet())


@pytest.mark.parametrize(
    ("scoring", "error", "says"),
    [
        (Scoring(code=1), StageFailed, "the model cannot score the evaluation set: model.skops holds no model"),
        (Scoring(code=2), UnusableInput, "model.skops holds no model"),
        (Scoring(code=-9, says="?"), WorldFailed, "scoring ended with exit code -9: it gave no reason"),
        (Scoring(code=-9, ended="timeout"), WorldFailed, "scoring did not end within 3600 s"),
    ],
)
def test_scoring_that_fails_keeps_its_log_and_nothing_else(
    scoring: Scoring, error: type[GatewrightError], says: str, workspace: Workspace
) -> None:
    with pytest.raises(error) as failed:
        compare(replace(workspace, executor=scoring), "2", "production", Quiet())
    assert says in failed.value.what
    kept = workspace.root / STATE / "compare.log"
    assert failed.value.fix == f"see {kept}"
    assert kept.read_text(encoding="utf-8").startswith("loading\n")
    (job,) = scoring.jobs
    asked = {role: Path(str(job[role]["folder"])).parts[-3:-1] for role in ("candidate", "baseline")}  # type: ignore[index]
    assert asked == dict.fromkeys(asked, (STATE, "registry"))
    assert job["evaluation_digest"] == workspace.data_versions.latest("people-eval", "eval").digest


def test_the_named_version_of_the_evaluation_set_is_scored(workspace: Workspace) -> None:
    old = workspace.data_versions.latest("people-eval", "eval")
    newer = toy.people(500, offset=1000)
    newer.write_parquet(workspace.root / "data" / "newer.parquet")
    toy.add_evaluation(workspace.root, "data/newer.parquet")
    rows = []
    for on in (None, old.version):
        scoring = Scoring(code=1)
        with pytest.raises(StageFailed):
            compare(replace(workspace, executor=_Counting(scoring, rows)), "2", "1", Quiet(), on=on)
    assert rows == [500, 450]


class _Counting:
    """Counts the rows that the job names, while they lie there."""

    def __init__(self, scoring: Scoring, rows: list[int]) -> None:
        self._scoring, self._rows = scoring, rows

    def run(self, job: Job, progress: Progress) -> JobResult:
        result = self._scoring.run(job, progress)
        self._rows.append(pl.read_parquet(str(self._scoring.jobs[-1]["data"])).height)
        return result


def test_ctrl_c_says_that_nothing_was_changed(workspace: Workspace) -> None:
    with pytest.raises(Interrupted) as ended:
        compare(replace(workspace, executor=Scoring(code=130)), "2", "1", Quiet())
    assert ended.value.fix == "nothing was changed; start it again"


def test_what_a_killed_comparison_left_is_swept_but_not_one_that_goes_on(workspace: Workspace) -> None:
    state = workspace.root / STATE
    left, works = RunFolder(state / "compare-left"), RunFolder(state / "compare-works")
    for folder in (left, works):
        (folder.path / "data").mkdir(parents=True)
        with folder.hold():
            pass
    with works.hold(), pytest.raises(StageFailed):
        compare(replace(workspace, executor=Scoring(code=1)), "2", "1", Quiet())
    assert (left.path.exists(), works.path.exists()) == (False, True)
    shutil.rmtree(works.path)
