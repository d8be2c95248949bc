"""Evaluations in other ways than the usual one: a command of the team's own, a golden baseline, reused predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import GatewrightError
from gatewright.domain.lineage import Candidate
from gatewright.engine.opening import open_run
from gatewright.engine.pipeline import STAGES, run_stage
from gatewright.ports import Registration
from gatewright.rules.report import report_from
from gatewright.store.codec import decode
from gatewright.store.runs import RunFolder
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy

PORT = 1  # nothing here comes as far as traffic
PREDICT = """
import sys

import polars as pl

model, role, data, output = sys.argv[1:]
rows = pl.read_parquet(data).sample(fraction=1.0, shuffle=True, seed=1)
print(f"predicting with the {role}", flush=True)
rows.select("id", prediction=(pl.col("AGE") > 30).cast(int), score=pl.col("AGE") / 60).write_csv(output)
"""
COMMAND = ["python", "predict.py", "{model.path}", "{model.role}", "{data.path}", "{output.path}"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = toy.write_project(tmp_path / "project", port=PORT)
    (root / "predict.py").write_text(PREDICT.lstrip(), encoding="utf-8")
    return root


def evaluated(root: Path, until: str = "evaluate", **sections: Any) -> tuple[Workspace, RunFolder, Silent]:
    """A run that has come as far as `until`, and what it told on the way."""
    toy.configure(root, port=PORT, **sections)
    workspace = Workspace.open(root)
    run = open_run(workspace, bootstrap_by="ada")
    progress = Silent()
    for stage in STAGES:
        run_stage(workspace, run, stage, progress)
        if stage.name == until:
            break
    return workspace, run, progress


def registered(workspace: Workspace, run: RunFolder) -> int:
    candidate = decode(Candidate, canonical_json(run.need("candidate", "train").body["candidate"]))
    registration = Registration(candidate=candidate, data_digest=candidate.data, report_digest="sha256:0", run=run.id)
    return workspace.registry.register(registration).number


def evaluation(**changes: Any) -> dict[str, Any]:
    return {"label": "employed", "slices": ["SEX"], "latency_samples": 299, **changes}


def test_a_command_of_one_s_own_predicts(root: Path) -> None:
    gates = {"mode": "point", "overall": {"min": 0.7}, "latency": "none"}
    _, run, _ = evaluated(root, "gate", evaluation=evaluation(command=COMMAND, metrics=["auc"]), gates=gates)
    report = report_from(run.need("evaluation-report", "evaluate").body)
    assert report.candidate_latency is None
    assert report.overall.scores["auc"].candidate == 1.0
    assert "predicting with the candidate" in (run.path / "logs" / "predict-candidate.log").read_text()
    assert "latency" not in run.need("evaluation-report", "evaluate").outputs


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("sys.exit(3)", 1, "evaluation.command failed"),
        ("sys.exit(0)", 2, "left no file"),
        ("rows = rows.head(10)", 2, "440 ids are missing"),
    ],
)
def test_a_command_that_does_not_answer_stops_the_run(root: Path, line: str, code: int, message: str) -> None:
    script = root / "predict.py"
    script.write_text(script.read_text().replace("print(", f"{line}\nprint("))
    with pytest.raises(GatewrightError, match=message) as caught:
        evaluated(root, evaluation=evaluation(command=COMMAND))
    assert caught.value.exit_code == code


def test_the_golden_baseline_is_a_registered_version(root: Path) -> None:
    workspace, run, _ = evaluated(root)
    number = registered(workspace, run)
    toy.write_recipe(root, kind="useless", seed=1)
    gates = {"mode": "point", "overall": {"min": 0.0}, "golden": {"version": number}}
    _, run, progress = evaluated(root, gates=gates)
    golden = report_from(run.need("evaluation-report", "evaluate").body).golden
    assert golden is not None
    right = [outcome.baseline == outcome.label for outcome in golden.outcomes]
    assert sum(count for count, good in zip(golden.overall.cells, right, strict=True) if good) > 400
    assert any(told.startswith("reused the predictions of the golden") for told in progress.told), progress.told


def test_a_golden_version_that_is_not_there_is_named(root: Path) -> None:
    gates = {"mode": "point", "overall": {"min": 0.7}, "golden": {"version": 9}}
    with pytest.raises(GatewrightError, match="toy has no version 9"):
        evaluated(root, gates=gates)
