"""A model that the team's own code loads, on real Envoy and real model servers: other code is another version."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.domain.documents import short
from tests.fixtures import entry_toy
from tests.fixtures.live import Project, check_ended
from tests.fixtures.load import Load
from tests.fixtures.ports import free_port
from tests.fixtures.repository import commit_all

pytestmark = [pytest.mark.xdist_group("live-3"), pytest.mark.timeout(300)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(root=tmp_path / "project", port=free_port())
    entry_toy.write_project(found.root, port=found.port)
    commit_all(found.root)
    try:
        yield found
    finally:
        found.command("serve", "stop")


def answer(project: Project, age: int) -> tuple[int, str]:
    """What production says of a person of that age, and the model that says it."""
    body = json.dumps({"instances": [{"AGE": age, "SEX": 1, "REGION": 1}]}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{project.port}/predict", body, timeout=10) as told:
        return json.loads(told.read())["predictions"][0], told.headers["x-gatewright-model"]


@pytest.mark.slow
def test_other_code_is_another_version_and_a_rollback_runs_the_old_code(project: Project) -> None:
    first = project.command("run", "--bootstrap-by", "ada")
    assert first.returncode == 0, first.stdout + first.stderr
    old = project.rollout().canary
    assert answer(project, 31) == (1, short(old))

    entry_toy.write_code(project.root, employed_from=32)
    commit_all(project.root, "another threshold")
    with Load(project.port) as load:
        second = project.command("run")
        assert second.returncode == 0, second.stdout + second.stderr
    assert not load.failures
    check_ended(project, project.runs()[-1], "promoted")
    new = project.rollout().canary
    assert new != old
    assert answer(project, 31) == (0, short(new))
    run = project.root / ".gatewright" / "runs" / project.runs()[-1]
    report = json.loads((run / "evaluation-report.json").read_text())
    # Both were scored in one process, under the same names of modules.
    assert report["baseline"]["overall_accuracy"] == 1.0
    assert 0.97 < report["overall_accuracy"] < 1.0
    proof = project.command("verify", "2")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "with 3 files of code as in commit" in " ".join(proof.stdout.replace("│", " ").split())

    (project.root / "training" / "model.py").write_text("raise SystemExit('the working tree was loaded')\n")
    back = project.command("rollout", "rollback", "--by", "ada", "--reason", "complaints")
    assert back.returncode == 0, back.stdout + back.stderr
    assert answer(project, 31) == (1, short(old))
    compared = project.command("compare", "1", "2", "--output", "json")
    assert compared.returncode in (0, 1, 3), compared.stdout + compared.stderr
    assert json.loads(compared.stdout)["report"]["overall_accuracy"] == 1.0


def test_a_function_that_is_not_there_is_told_before_anything_is_trained(project: Project) -> None:
    (project.root / "training" / "model.py").write_text("x = 1\n")
    done = project.command("run", "--bootstrap-by", "ada")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "model.py has no function load" in done.stderr
    run = project.root / ".gatewright" / "runs" / project.runs()[-1]
    assert not (run / "logs" / "train.log").exists()
    config = (project.root / "gatewright.yaml").read_text()
    (project.root / "gatewright.yaml").write_text(config.replace("training.model:load", "training.model"))
    told = project.command("config", "check")
    assert (told.returncode, "names no function: write module:function" in told.stderr) == (2, True), told.stderr
