"""The schema file: every problem at once, at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.domain.errors import DataError, UnusableInput
from gatewright.rules.schema import Column, RowLimits, Schema
from gatewright.store.schema_files import read_schema

GOOD = """\
columns:
  id: {type: int64, unique: true}
  age: {type: int, range: [0, 99], sensitive: true}
  share: {type: float, range: [null, 0.5], nullable: true}
  city: {type: string, enum: [Bern, "no"], regex: '\\w+', personal: true}
rows: {min: 1000, max_change: 0.5}
"""


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_text(GOOD)
    assert read_schema(tmp_path / "schema.yaml") == Schema(
        columns={
            "id": Column(type="int64", unique=True),
            "age": Column(type="int", range=(0, 99), sensitive=True),
            "share": Column(type="float", range=(None, 0.5), nullable=True),
            "city": Column(type="string", enum=("Bern", "no"), regex="\\w+", personal=True),
        },
        rows=RowLimits(min=1000, max_change=0.5),
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("type: int,", "type: integer,", "schema.yaml:3:15: columns.age.type"),
        ("range: [0, 99]", "rnage: [0, 99]", "did you mean 'range'"),
        ("range: [0, 99]", "range: [99, 0]", "schema.yaml:3:27: columns.age.range: the lower end 99"),
        ("range: [0, 99]", "range: [0]", "columns.age.range"),
        ("range: [0, 99]", "range: [0, .inf]", "columns.age.range"),
        ("'\\w+'", "'(?=a)'", "columns.city.regex: is no regular expression: look-around"),
        ("[Bern,", "[7,", "columns.city.enum[0]: 7 is not a value"),
        ("unique: true", "unique: yes", "columns.id.unique"),
        ("min: 1000", "min: 0", "rows.min"),
        ("rows:", "row:", "did you mean 'rows'"),
        ("  age:", "  id:", "stands twice"),
        (GOOD, "columns: {}\n", "columns"),
        (GOOD, "", "empty"),
    ],
)
def test_a_bad_file(tmp_path: Path, before: str, after: str, words: str) -> None:
    assert before in GOOD
    (tmp_path / "schema.yaml").write_text(GOOD.replace(before, after, 1))
    with pytest.raises(DataError) as caught:
        read_schema(tmp_path / "schema.yaml")
    assert words in str(caught.value)


def test_every_contradiction_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("[0, 99]", "[99, 0]").replace("Bern", "7").replace("'\\w+'", "'('")
    (tmp_path / "schema.yaml").write_text(bad)
    with pytest.raises(DataError) as caught:
        read_schema(tmp_path / "schema.yaml")
    assert [problem.where.line for problem in caught.value.problems] == [3, 5, 5]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="does not exist"):
        read_schema(tmp_path / "schema.yaml")
