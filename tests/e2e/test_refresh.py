"""`gatewright evalset refresh` as a person types it, with the model that serves: traffic becomes a checked version."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import skops.io
from sklearn.metrics import accuracy_score

from tests.fixtures import toy
from tests.fixtures.live import Project

pytestmark = pytest.mark.slow
REFRESH = ("evalset", "refresh", "--from", "traffic.parquet", "--time", "at", "--rows", "400", "--allocation", "neyman")
REFRESH += ("--annotators", "2", "--overlap", "0.25", "--created-by", "ada", "--output", "json")
TRAFFIC = toy.people(3_000, offset=50_000).with_columns(
    # Production is wrong about some of those whom it is least sure of.
    employed=pl.when(pl.col("AGE").is_between(28, 34) & (pl.col("id") % 3 == 0))
    .then(1 - pl.col("employed"))
    .otherwise("employed")
)
TRUTH = dict(TRAFFIC.select(pl.col("id").cast(pl.String), pl.col("employed").cast(pl.String)).rows())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A model serves, and traffic of the last days lies in a table."""
    root = toy.write_project(tmp_path / "project", port=1)
    toy.register(root, "good", serving=True)
    now = datetime.now(UTC).replace(tzinfo=None)
    moments = [now - timedelta(minutes=place) for place in range(TRAFFIC.height)]
    TRAFFIC.drop("employed").with_columns(at=pl.Series(moments)).write_parquet(root / "traffic.parquet")
    return Project(root=root, port=1)


def refreshed(project: Project, *, code: int) -> dict[str, Any]:
    done = project.command(*REFRESH)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def label(queue: Path, labels: Path) -> None:
    """Both annotators tell the truth."""
    for file in queue.glob("*.csv"):
        with file.open(newline="") as read, (labels / file.name).open("w", newline="") as written:
            rows = list(csv.DictReader(read))
            writer = csv.DictWriter(written, rows[0].keys())
            writer.writeheader()
            writer.writerows({**row, "employed": TRUTH[row["task"]]} for row in rows)


def weighted_accuracy(project: Project, data: Path) -> float:
    """Of the serving model on the rows at `data`, by scikit-learn."""
    rows = pl.read_parquet(data)
    (model,) = (project.root / "trained" / "good").glob("*.skops")
    fitted = skops.io.load(model, trusted=skops.io.get_untrusted_types(file=model))
    answers = fitted.predict(rows.select("AGE", "SEX", "REGION").to_numpy().astype(float))
    return float(accuracy_score(rows["employed"], answers, sample_weight=rows["weight"]))


def test_traffic_becomes_a_new_version_on_which_production_is_scored_again(project: Project) -> None:
    waiting = refreshed(project, code=6)
    folder = Path(waiting["path"])
    assert (waiting["waiting"], len(waiting["exported"])) == (True, 2)
    exported = (folder / "export" / waiting["exported"][0]).read_text().splitlines()[0]
    assert not {"weight", "stratum", "random"} & set(exported.split(","))

    label(folder / "export", folder / "labels")
    done = refreshed(project, code=0)
    agreement = done["answers"]["agreement"]
    assert (agreement["annotators"], agreement["krippendorff"], done["answers"]["disputed"]) == (["a1", "a2"], 1.0, 0)
    states = {each["check"]: each["state"] for each in done["checked"]["findings"]}
    assert states.keys() == {"age", "weights", "psi", "separation", "leakage"}
    assert set(states.values()) <= {"pass", "warn"}

    shown = project.command("data", "show", "people-eval", "--role", "eval", "--output", "json")
    version = json.loads(shown.stdout)
    new, old = done["rescored"]["new"], done["rescored"]["old"]
    assert (version["rows"], version["digest"]) == (400, new["evaluation"]["digest"])
    assert version["lineage"]["parent_evaluation"] == old["evaluation"]["version"]
    assert new["value"] == pytest.approx(weighted_accuracy(project, project.root / version["uri"]), abs=1e-12)
    assert old["value"] > new["value"] >= 0.8
    assert project.command("data", "verify", "people-eval").stdout.count("verified") == 2
    assert project.command("evalset", "refresh", "--if-due").stdout.startswith("not due until ")
