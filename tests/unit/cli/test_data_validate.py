"""`gatewright data validate` from a shell's point of view."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from gatewright.cli.data import data
from gatewright.cli.failures import BadCommand
from gatewright.domain.errors import DataError, StageFailed, UnusableInput

SCHEMA = """
columns:
  id: {type: int, unique: true}
  age: {type: int, range: [0, 120]}
  sex: {type: string, enum: [f, m], sensitive: true}
  phone: {type: string, personal: true, regex: '[0-4]\\d*'}
  y: {type: int}
rules:
- {name: adults, expr: "age > 20 OR sex = 'f'"}
drift: {reference: people}
"""
SECRET = "77777"


def write(path: Path, seed: int, moved: int = 0) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "id": np.arange(3000) + 100_000 * seed,
            "age": rng.integers(21, 90, 3000) + moved,
            "sex": rng.choice(["f", "m"], 3000),
            "phone": ["4"] * 2999 + [SECRET if moved else "4"],
            "y": rng.integers(0, 2, 3000),
        }
    )
    frame.write_parquet(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "schema.yaml").write_text(SCHEMA)
    write(tmp_path / "data" / "2015.parquet", 1)
    write(tmp_path / "data" / "2016.parquet", 2)
    write(tmp_path / "data" / "2017.parquet", 3, moved=40)
    return tmp_path


@pytest.fixture
def run(root: Path) -> Callable[..., Result]:
    def call(*words: str) -> Result:
        return CliRunner().invoke(data, [*words, "-C", str(root)])

    for year in (2015, 2016, 2017):
        added = call("add", "people", f"data/{year}.parquet", "--label", "y", "--data-to", f"{year}-12-31")
        assert added.exit_code == 0, added.output
    return call


def test_good_data_passes_against_the_version_before(run: Callable[..., Result]) -> None:
    result = run("validate", "people", "2016")
    assert result.exit_code == 0
    assert result.output.startswith("people 2016-12-31-")
    assert ": pass, 3,000 rows\ndrift from people 2015-12-31-" in result.output


def test_the_first_version_has_nothing_to_drift_from(run: Callable[..., Result]) -> None:
    result = run("validate", "people@2015")
    assert result.exit_code == 0
    assert "drift from people was NOT judged: there is no version of people before this one" in result.output


def test_every_breach_at_once_and_no_personal_value(run: Callable[..., Result]) -> None:
    result = run("validate", "people", "--output", "json")
    assert isinstance(result.exception, StageFailed)
    report = json.loads(result.output)
    assert {(found["column"], found["rule"]) for found in report["violations"]} == {
        ("age", "range"), ("phone", "regex"),
    }  # fmt: skip
    (phone,) = [found for found in report["violations"] if found["column"] == "phone"]
    assert phone["example_rows"] == [{"row": "3,000", "id": "302999", "phone": "(personal: not shown)"}]
    assert [column["name"] for column in report["drift"]["columns"] if column["status"] == "fail"] == ["age"]
    assert report["data"]["version"].startswith("2017-12-31-")
    assert SECRET not in result.output


@pytest.mark.parametrize("output", ["text", "markdown", "html"])
def test_no_form_tells_a_personal_value(run: Callable[..., Result], output: str) -> None:
    result = run("validate", "people", "--output", output)
    assert "personal: not shown" in result.output
    assert "age: range: " in result.output
    assert SECRET not in result.output


def test_a_path_needs_no_version(run: Callable[..., Result], root: Path) -> None:
    write(root / "new.parquet", 9)
    result = run("validate", "new.parquet")
    assert isinstance(result.exception, StageFailed), "drift from the latest version, which has moved"
    assert run("validate", "new.parquet", "--reference", "people@2015").exit_code == 0
    assert "new.parquet: pass" in run("validate", "new.parquet", "--reference", "people@2015").output


def test_the_page_is_whole_and_has_a_picture_of_each_column(run: Callable[..., Result], root: Path) -> None:
    run("validate", "people", "--output", "html", "--file", str(root / "page.html"))
    page = (root / "page.html").read_text(encoding="utf-8")
    pictures = [part.partition("</svg>")[0] + "</svg>" for part in page.split("<figure>")[1:]]
    titles = [ElementTree.fromstring(each)[0].text for each in pictures]
    assert titles[0] == "age: reference and now", "the worst comes first"
    assert sorted(map(str, titles[1:])) == ["sex: reference and now", "y: reference and now"]
    assert "✗ fail" in page
    assert "http-equiv" in page
    assert "<script" not in page


def test_a_name_in_the_data_stays_text(run: Callable[..., Result], root: Path) -> None:
    evil = "<b>x</b>"
    pl.read_parquet(root / "data" / "2016.parquet").with_columns(sex=pl.lit(evil)).write_parquet(root / "evil.parquet")
    assert evil not in run("validate", "evil.parquet", "--output", "html").output
    assert evil not in run("validate", "evil.parquet", "--output", "markdown").output


def test_what_cannot_be_used(run: Callable[..., Result], root: Path) -> None:
    assert isinstance(run("validate").exception, BadCommand)
    assert isinstance(run("validate", "nothing").exception, UnusableInput)
    assert isinstance(run("validate", "people", "--reference", "nobody").exception, UnusableInput)
    assert isinstance(run("validate", "people", "--schema", "none.yaml").exception, UnusableInput)
    text = SCHEMA.replace("age > 20 OR", "age > 20 OR id IN (SELECT 1) OR").replace(
        "{reference: people}", "{reference: people, ignore: [agee]}"
    )
    (root / "data" / "schema.yaml").write_text(text)
    error = run("validate", "people").exception
    assert isinstance(error, DataError)
    assert {(problem.where.line, problem.field) for problem in error.problems} == {
        (10, "drift.ignore[0]"),
        (9, "rules[0].expr"),
    }
