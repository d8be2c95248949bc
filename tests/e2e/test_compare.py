"""Two registered versions and the real scoring process: the verdict, and a workspace that is as it was before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures import toy
from tests.fixtures.live import Project

TABLES = ("versions", "serving", "records", "rollouts", "quarantine")


def state(project: Project) -> tuple[list[list[tuple[object, ...]]], set[Path]]:
    """The rows that a comparison could write, and every file but what is only remembered and the database's own."""
    rows = [project.query(f"SELECT * FROM {table}") for table in TABLES]
    files = {path.relative_to(project.root) for path in project.root.rglob("*") if path.is_file()}
    remembered = {path for path in files if "predictions" in path.parts or path.name == "digests.json"}
    return rows, {path for path in files - remembered if not path.name.startswith("state.db")}


@pytest.mark.slow
def test_a_version_that_is_worse_in_one_region_fails_against_production_and_nothing_changes(tmp_path: Path) -> None:
    project = Project(root=tmp_path / "project", port=1)
    toy.write_project(project.root, port=1, gates={"mode": "statistical"})
    for kind in ("good", "unfair to region 3"):
        toy.register(project.root, kind, serving=kind == "good")
    before = state(project)
    done = project.command("compare", "2", "production", "--gate", "--output", "json")
    assert done.returncode == 1, done.stdout + done.stderr
    document = json.loads(done.stdout)
    worst = next(result for result in document["results"] if result["gate"] == "slices")
    assert [each["verdict"] for each in worst["comparisons"] if each["slice"] == "REGION=3"] == ["fail"]
    assert document["report"]["baseline"]["overall_accuracy"] == 1.0
    assert document["report"]["evidence"]["latency_ratio"] is not None
    assert state(project) == before
