"""`gatewright init` in repositories that have some of it: a report, a schema file, notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.scratch import onnx_repository, reporting_repository, shoppers, sklearn_repository
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_init import everything

OWN_SCHEMA = """\
# Reviewed by the data team.
columns:
  age: {type: int, range: [18, 60]}
  sex: {type: int, enum: [1, 2]}
  region: {type: int}
  spent: {type: int}
  bought: {type: int, enum: [0, 1]}
"""


def test_a_report_of_ones_own_leads_to_the_gates_in_ci(shell: Shell, empty: Path) -> None:
    reporting_repository(empty)
    before = everything(empty)
    told = shell("init", "--yes")
    assert told.code == 0
    for words in ("gatewright gate eval.json", "cp eval.json baselines/production.json", "no training script", "load("):
        assert words in told.out
    after = everything(empty)
    written = after.pop(".jenkins/gatewright-gate.groovy").decode()  # the team's Jenkinsfile has to load it
    assert after == before
    assert written.index("sh 'python evaluate.py'") < written.index("sh 'gatewright gate eval.json'")
    again = json.loads(shell("init", "--yes", "--output", "json").out)
    assert [each["state"] for each in again["files"]] == ["same"]


@pytest.mark.parametrize(
    ("target", "path"), [("github", ".github/workflows/gatewright-gate.yml"), ("gitlab", ".gitlab-ci.yml")]
)
def test_the_gates_of_a_report_on_each_ci(shell: Shell, empty: Path, target: str, path: str) -> None:
    reporting_repository(empty)
    (empty / "requirements.txt").write_text("polars==1.0\n")
    assert shell("init", "--yes", "--target", target).code == 0
    text = (empty / path).read_text()
    steps = (
        "pip install -r requirements.txt",
        "pip install gatewright==",
        "python evaluate.py",
        "gatewright gate eval",
    )
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert "ci generate" not in text


def test_a_script_whose_words_nobody_knows_gets_lines_and_no_file(shell: Shell, empty: Path) -> None:
    reporting_repository(empty)
    script = empty / "evaluate.py"
    text = script.read_text().replace('"data/shop.csv"', "sys.argv[1]")
    script.write_text(text.replace("import csv", "import csv\nimport sys"))
    before = everything(empty)
    told = shell("init", "--yes")
    assert told.code == 0
    assert everything(empty) == before
    for words in (
        "evaluate.py wants words that are not known here",
        "pip install gatewright==",
        "python evaluate.py …",
    ):
        assert words in told.out


def test_training_in_notebooks_only_is_said_with_what_to_do(shell: Shell, empty: Path) -> None:
    for name in ("explore.ipynb", "notebooks/train model.ipynb"):
        (empty / name).parent.mkdir(exist_ok=True)
        (empty / name).write_text('{"cells": []}')
    (empty / "data").mkdir()
    (empty / "data" / "shop.csv").write_text(shoppers(300))
    document = json.loads(shell("init", "--yes", "--output", "json").out)
    (gap,) = [gap for gap in document["missing"] if "notebooks" in gap["what"]]
    assert "only notebooks (notebooks/train model.ipynb, explore.ipynb): they are not read" in gap["what"]
    assert "jupyter nbconvert --to script 'notebooks/train model.ipynb'" in gap["fix"]


def test_a_schema_file_of_the_teams_is_kept_and_the_data_judged_by_it(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    (empty / "data" / "schema.yaml").write_text(OWN_SCHEMA)
    document = json.loads(shell("init", "--yes", "--dry-run", "--output", "json").out)
    assert [each["state"] for each in document["files"] if each["path"] == "data/schema.yaml"] == ["kept"]
    told = shell("init", "--yes")
    assert told.code == 0, told.err
    assert (empty / "data" / "schema.yaml").read_text() == OWN_SCHEMA
    for words in (
        "kept: your schema file, 5 columns",
        "data/shop-eval.csv: fail, 200 rows",
        "id: {type: string, unique: true, optional: true}",
        "A run would stop there",
    ):
        assert words in told.out
    assert shell("init", "--yes", "--force").code == 0
    assert (empty / "data" / "schema.yaml").read_text() == OWN_SCHEMA


def test_suggestions_that_nobody_has_reviewed_are_made_anew_by_force(shell: Shell, empty: Path) -> None:
    sklearn_repository(empty)
    assert shell("init", "--yes").code == 0
    schema = empty / "data" / "schema.yaml"
    suggested = schema.read_text()
    schema.write_text(suggested.replace("enum: [0, 1]", "enum: [0, 1, 2]"))
    assert shell("init", "--yes", "--force").code == 0
    assert schema.read_text() == suggested


def test_what_init_says_of_a_kept_schema_is_what_data_validate_says(shell: Shell, empty: Path) -> None:
    onnx_repository(empty)
    lines = [*OWN_SCHEMA.splitlines(), "  id: {type: string, unique: true, optional: true}", ""]
    (empty / "data" / "schema.yaml").write_text("\n".join(lines))
    document = json.loads(shell("init", "--yes", "--name", "shop", "--output", "json").out)
    said = {each["path"]: each["violations"] for each in document["by_your_schema"]}
    assert len(said) == 2
    for path, violations in said.items():
        assert json.loads(shell("data", "validate", path, "--output", "json").out)["violations"] == violations
        assert [each["column"] for each in violations] == ["age"]


def test_a_kept_schema_that_the_data_keeps_to_lets_the_data_pass(shell: Shell, empty: Path) -> None:
    onnx_repository(empty)
    lines = [*OWN_SCHEMA.replace("60", "99").splitlines(), "  id: {type: string, unique: true, optional: true}", ""]
    (empty / "data" / "schema.yaml").write_text("\n".join(lines))
    told = shell("init", "--yes", "--name", "shop")
    assert "A run would stop there" not in told.out
    assert shell("data", "validate", "shop-train").code == shell("data", "validate", "shop-eval").code == 0
