"""A dirty table, and the exact count of everything that is wrong with it."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from gatewright.rules.data import HIDDEN, Violation, judge_data, violations
from gatewright.rules.schema import Column, RowLimits, Schema

ROWS = 8
INF, NAN = float("inf"), float("nan")
SCHEMA = Schema(
    columns={
        "id": Column(type="int", unique=True),
        "age": Column(type="int", range=(0, 99)),
        "sex": Column(type="int8", enum=(1, 2)),
        "score": Column(type="float", range=(0, None)),
        "country": Column(type="string", enum=("DE", "FR"), nullable=True),
        "phone": Column(type="string", regex=r"\+\d+", personal=True),
        "joined": Column(type="date"),
        "gone": Column(type="bool"),
    },
    rows=RowLimits(min=10),
)
DIRTY = pl.LazyFrame(
    {
        "id": [1, 2, 2, 3, 3, 3, 4, None],
        "age": [-1, 0, 99, 100, 101, 50, None, None],
        "sex": pl.Series([1, 2, 3, 3, 1, 2, 9, None], dtype=pl.Int16),
        "score": [0.5, -0.5, NAN, NAN, INF, -INF, None, 1.0],
        "country": ["DE", "FR", "de", "XX", "XX", None, None, "DE"],
        "phone": ["+1", "+22", "33", "+", "x+1", "+1 ", "", None],
        "joined": [date(2020, 1, day) for day in range(1, 9)],
        "added": [0] * ROWS,
    }
)


def found_in(schema: Schema, frame: pl.LazyFrame, **more: Any) -> dict[tuple[str, str], Violation]:
    return {(item.column, item.rule): item for item in violations(schema, frame, **more)}


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each query that is run."""
    calls: list[dict[str, Any]] = []
    original = pl.LazyFrame.collect

    def collect(self: pl.LazyFrame, **arguments: Any) -> Any:
        calls.append(arguments)
        return original(self, **arguments)

    monkeypatch.setattr(pl.LazyFrame, "collect", collect)
    return calls


def test_every_rule_is_counted_exactly() -> None:
    counts = {key: item.count for key, item in found_in(SCHEMA, DIRTY).items()}
    assert counts == {
        ("", "rows"): ROWS,
        ("gone", "missing"): ROWS,
        ("added", "extra"): ROWS,
        ("id", "null"): 1,
        ("id", "duplicate"): 3,
        ("age", "null"): 2,
        ("age", "range"): 3,
        ("sex", "type"): ROWS,
        ("sex", "null"): 1,
        ("sex", "enum"): 3,
        ("score", "null"): 1,
        ("score", "nan"): 2,
        ("score", "infinite"): 2,
        ("score", "range"): 2,
        ("country", "enum"): 3,
        ("phone", "null"): 1,
        ("phone", "regex"): 5,
    }


def test_a_violation_says_what_was_found_and_what_is_allowed() -> None:
    found = found_in(SCHEMA, DIRTY)
    assert str(found["age", "range"]) == "age: range: 3 of 8 rows; allowed: 0 to 99; for example -1, 100, 101"
    assert found["country", "enum"].examples == ("'de'", "'XX'")
    assert found["id", "duplicate"].examples == ("2", "3")
    assert found["sex", "type"].allowed == "int8, not int16"
    assert found["score", "range"].allowed == "at least 0"


def test_personal_values_are_never_shown() -> None:
    assert found_in(SCHEMA, DIRTY)["phone", "regex"].examples == (HIDDEN,)


def test_at_most_five_examples() -> None:
    schema = Schema(columns={"n": Column(type="int", range=(None, 0))})
    violation = found_in(schema, pl.LazyFrame({"n": list(range(1, 100))}))["n", "range"]
    assert violation.count == 99
    assert violation.examples == ("1", "2", "3", "4", "5")


def test_clean_data_costs_one_streaming_query(collected: list[dict[str, Any]]) -> None:
    schema = Schema(
        columns={"a": Column(type="int", range=(0, 9), unique=True), "b": Column(type="string", regex="x+")}
    )
    assert violations(schema, pl.LazyFrame({"a": [1, 2], "b": ["x", "xx"]})) == ()
    assert collected == [{"engine": "streaming"}]


def test_dirty_data_costs_one_more_short_query_for_each_broken_rule_and_one_for_the_keys(
    collected: list[dict[str, Any]],
) -> None:
    shown = [found for found in violations(SCHEMA, DIRTY) if found.example_rows]
    assert len(shown) == 13
    assert collected == [{"engine": "streaming"}] * (1 + len(shown) + 1)


def test_text_is_judged_by_what_it_can_be_read_as() -> None:
    schema = Schema(
        columns={
            "n": Column(type="int", range=(0, 10)),
            "f": Column(type="float"),
            "b": Column(type="bool"),
            "d": Column(type="date"),
            "t": Column(type="datetime"),
            "s": Column(type="string", enum=("1",)),
        }
    )
    text = pl.LazyFrame(
        {
            "n": ["1", "1.5", "abc", None, "99", " 1"],
            "f": ["1", "1e3", "nan", "x", "2.5", None],
            "b": ["true", "false", "1", "no", "True", "true"],
            "d": ["2026-01-31", "2026-02-31", "31.1.2026", "2026-01-31", "2026-01-31", "2026-01-31"],
            "t": [
                "2026-01-31T12:00:00Z",
                "2026-01-31 12:00:00",
                "2026-01-31T12:00:00.5+02:00",
                "2026-01-31",
                "12:00",
                "x",
            ],
            "s": ["1"] * 6,
        }
    )
    counts = {key: item.count for key, item in found_in(schema, text, typed=False).items()}
    assert counts == {
        ("n", "type"): 3,
        ("n", "null"): 1,
        ("n", "range"): 1,
        ("f", "type"): 1,
        ("f", "null"): 1,
        ("f", "nan"): 1,
        ("b", "type"): 3,
        ("d", "type"): 2,
        ("t", "type"): 2,
    }


def test_column_names_are_never_patterns() -> None:
    schema = Schema(columns={"*": Column(type="int", range=(0, 1)), "^b.*$": Column(type="int")})
    frame = pl.LazyFrame(
        {"*": [5, 0], "^b.*$": [None, 1], "bb": [1, 1]}, schema={"*": pl.Int8, "^b.*$": pl.Int8, "bb": pl.Int8}
    )
    counts = {key: item.count for key, item in found_in(schema, frame).items()}
    assert counts == {("*", "range"): 1, ("^b.*$", "null"): 1, ("bb", "extra"): 2}


def test_one_class_only() -> None:
    schema = Schema(columns={"y": Column(type="int")})
    assert found_in(schema, pl.LazyFrame({"y": [1, 1, 1]}), label="y")["y", "classes"].count == 3
    assert found_in(schema, pl.LazyFrame({"y": [1, 0, 1]}), label="y") == {}


@pytest.mark.parametrize(
    ("rows", "broken"), [(100, False), (150, False), (151, True), (200, True), (49, True), (50, False)]
)
def test_doubled_rows_change_too_much(rows: int, broken: bool) -> None:
    schema = Schema(columns={"y": Column(type="int")}, rows=RowLimits(max_change=0.5))
    found = violations(schema, pl.LazyFrame({"y": [1] * rows}), parent_rows=100)
    assert [item.rule for item in found] == (["rows"] if broken else [])


def test_no_rows_is_a_violation_of_every_schema() -> None:
    frame = pl.LazyFrame({"y": pl.Series([], dtype=pl.Int8)})
    assert [item.rule for item in violations(Schema(columns={"y": Column(type="int")}), frame)] == ["rows"]


@pytest.mark.parametrize(
    ("values", "dtype", "few"),
    [
        ([1, 1, None], pl.Int8, True),
        ([1, 2], pl.Int8, False),
        ([None, None], pl.Int8, True),
        ([1.0, float("nan")], pl.Float64, False),
        ([float("nan")] * 2, pl.Float64, True),
        ([True, False], pl.Boolean, False),
        (["a", None, "a"], pl.String, True),
        (["a", "b"], pl.Categorical, False),
        (["a", None], pl.Categorical, True),
    ],
)
def test_a_label_holds_two_values_or_more(values: list[object], dtype: type[pl.DataType], few: bool) -> None:
    found = judge_data(Schema(columns={}), pl.LazyFrame({"y": pl.Series(values, dtype=dtype)}), label="y")
    assert ("classes" in {each.rule for each in found.violations}) is few
