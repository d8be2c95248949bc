"""A schema to begin with: what a sample can tell, and what it must not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gatewright.rules.data import violations
from gatewright.rules.schema import Column, Schema
from gatewright.rules.schema_guesses import guess, schema_text
from gatewright.store.schema_files import read_schema

ROWS = 200
TABLE = pl.DataFrame(
    {
        "id": range(ROWS),
        "serial number": [f"n{n}" for n in range(ROWS)],
        "age": [n % 90 for n in range(ROWS)],
        "MAR": [1 + n % 5 for n in range(ROWS)],
        "grade": ["A: \"é\"" if n % 2 else "no" for n in range(ROWS)],
        "rare": ["x"] * (ROWS - 1) + ["Ann Lee"],
        "income": [None if n % 10 == 0 else n / 3 for n in range(ROWS)],
        "ratio": [float("nan") if n == 0 else n / 7 for n in range(ROWS)],
        "firstName": ["Ann", "Bob"] * (ROWS // 2),
        "birth_date": [date(1970, 1, 1 + n % 28) for n in range(ROWS)],
        "seen": [date(2024, 2, 1 + n % 28) for n in range(ROWS)],
        "no": [n % 2 == 0 for n in range(ROWS)],
    }
)  # fmt: skip


def text_of(table: pl.DataFrame) -> str:
    return schema_text(*guess(table.lazy()), "data/set.parquet")


def schema_of(table: pl.DataFrame, folder: Path) -> Schema:
    (folder / "schema.yaml").write_text(text_of(table), encoding="utf-8")
    return read_schema(folder / "schema.yaml")


def test_the_schema_is_read_back_and_holds_for_its_own_data(tmp_path: Path) -> None:
    schema = schema_of(TABLE, tmp_path)
    assert violations(schema, TABLE.lazy()) == ()
    assert list(schema.columns) == TABLE.columns


def test_what_each_column_seems_to_be(tmp_path: Path) -> None:
    columns = schema_of(TABLE, tmp_path).columns
    assert columns["id"] == Column(type="int", unique=True)
    assert columns["serial number"] == Column(type="string")
    assert columns["age"] == Column(type="int", sensitive=True)
    assert columns["MAR"] == Column(type="int", enum=(1, 2, 3, 4, 5), sensitive=True)
    assert columns["grade"] == Column(type="string", enum=('A: "é"', "no"))
    assert columns["income"] == Column(type="float", nullable=True)
    assert columns["ratio"] == Column(type="float", nullable=True)
    assert columns["firstName"] == Column(type="string", personal=True)
    assert columns["birth_date"] == Column(type="date", personal=True)
    assert columns["seen"] == Column(type="date")
    assert columns["no"] == Column(type="bool")


def test_ends_of_the_sample_are_comments_only(tmp_path: Path) -> None:
    assert all(column.range is None for column in schema_of(TABLE, tmp_path).columns.values())
    assert "age: {type: int, sensitive: true}  # seen 0 to 89, range: [?, ?]; sensitive by its name?" in text_of(TABLE)
    wider = TABLE.with_columns(age=pl.col("age") + 1000)
    assert violations(schema_of(TABLE, tmp_path), wider.lazy()) == ()


def test_values_of_somebody_are_written_nowhere() -> None:
    text = text_of(TABLE)
    assert "Ann" not in text, "a personal column, and a value of one row"
    assert "1970" not in text
    assert "# no value stands twice: unique: true?" in text


@pytest.mark.parametrize(
    "name", ["email", "Email_Address", "customerPhone", "lastName", "zip", "IP", "dob", "patientId"]
)
def test_names_that_sound_personal(name: str) -> None:
    assert guess(pl.LazyFrame({name: [1]}))[1][0].personal


@pytest.mark.parametrize("name", ["SEX", "RAC1P", "AGEP", "NATIVITY", "ethnicGroup", "marital_status", "age"])
def test_names_that_sound_sensitive(name: str) -> None:
    assert guess(pl.LazyFrame({name: [1]}))[1][0].sensitive


def test_one_value_makes_no_enum(tmp_path: Path) -> None:
    assert schema_of(pl.DataFrame({"year": [2015] * 50}), tmp_path).columns["year"] == Column(type="int")


@pytest.mark.parametrize(
    "name", ["filename_count_total", "chip", "shipped", "message", "average", "marketing", "stage"]
)
def test_names_that_only_look_alike(name: str) -> None:
    found = guess(pl.LazyFrame({name: [1]}))[1][0]
    assert not found.personal
    assert not found.sensitive


def test_types_without_a_schema_type_are_told_and_left_out() -> None:
    text = text_of(pl.DataFrame({"id": [1, 2], "tags": [["a"], ["b"]]}))
    assert "  # tags: no schema type describes list(" in text


def test_an_empty_column(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": [1, 2], "x": pl.Series([None, None], dtype=pl.Int64)})
    assert schema_of(table, tmp_path).columns["x"] == Column(type="int", nullable=True)
