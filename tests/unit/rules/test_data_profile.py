"""What a pointer file tells about data: enough for drift, nothing about a person, never too much."""

from __future__ import annotations

import json

import polars as pl
import pytest

from gatewright.domain.documents import canonical_json
from gatewright.rules.profile import BINS, LIMIT, TOP, describe
from gatewright.rules.schema import Column, Schema


def test_few_values_are_listed_and_many_numbers_binned() -> None:
    frame = pl.LazyFrame({"few": [1, 1, 2, None], "many": [0.0, 1.0, 2.0, 100.0], "flag": [True, False, True, True]})
    many = frame.select(pl.all().repeat_by(30).explode()).with_columns(many=pl.int_range(pl.len()) % 100)
    columns = describe(many)["columns"]
    assert columns["few"] == {"nulls": 0.25, "values": {"1": 60, "2": 30}}
    assert columns["flag"] == {"nulls": 0.0, "values": {"true": 90, "false": 30}}
    assert columns["many"] == {"nulls": 0.0, "low": 0, "high": 99, "counts": [10, 10, 10, 10] + [5] * 16}


def test_bins_hold_every_finite_value() -> None:
    values = [float(n) for n in range(1000)] + [float("nan"), float("inf"), None]
    column = describe(pl.LazyFrame({"x": values}))["columns"]["x"]
    assert sum(column["counts"]) == 1000
    assert len(column["counts"]) == BINS
    assert (column["low"], column["high"]) == (0.0, 999.0)
    assert column["nans"] == pytest.approx(1 / 1003, abs=1e-6)


@pytest.mark.parametrize("distinct", [TOP - 1, TOP, TOP + 1, 2 * TOP, 3 * TOP])
def test_the_border_between_values_and_bins_is_exact(distinct: int) -> None:
    column = describe(pl.LazyFrame({"x": list(range(distinct)) * 3}))["columns"]["x"]
    assert ("values" in column) == (distinct <= TOP)
    assert ("counts" in column) == (distinct > TOP)


def test_rare_texts_stay_private() -> None:
    texts = ["common"] * 20 + [f"person {n}" for n in range(50)]
    assert describe(pl.LazyFrame({"x": texts}))["columns"]["x"] == {"nulls": 0.0, "values": {"common": 20}, "other": 50}


def test_personal_and_unique_columns_tell_only_their_nulls() -> None:
    schema = Schema(
        columns={"age": Column(type="int", personal=True, sensitive=True), "id": Column(type="int", unique=True)}
    )
    frame = pl.LazyFrame({"age": [90210, None], "id": [90211, 90212]})
    stats = describe(frame, schema, label="age")
    assert stats == {"columns": {"age": {"nulls": 0.5}, "id": {"nulls": 0.0}}}
    assert "9021" not in json.dumps(stats)


def test_label_and_groups() -> None:
    schema = Schema(columns={"sex": Column(type="int", sensitive=True), "y": Column(type="int")})
    stats = describe(pl.LazyFrame({"sex": [1, 1, 2, 2, 2], "y": [1, 0, 1, 1, 0]}), schema, label="y")
    assert stats["label"] == {"column": "y", "values": {"1": 3, "0": 2}, "rate": 0.6}
    assert stats["groups"] == {"sex": {"2": {"rows": 3, "rate": 0.666667}, "1": {"rows": 2, "rate": 0.5}}}


def test_a_label_that_is_not_binary_has_no_rate() -> None:
    assert describe(pl.LazyFrame({"y": ["a", "b", "c"]}), label="y")["label"] == {
        "column": "y",
        "values": {"a": 1, "b": 1, "c": 1},
    }


@pytest.mark.parametrize("width", [50, 700, pytest.param(2500, marks=pytest.mark.slow)])
def test_wide_tables_fit(width: int) -> None:
    frame = pl.LazyFrame({f"a_column_with_a_long_name_{n}": list(range(25)) for n in range(width)})
    stats = describe(frame)
    assert len(canonical_json(stats)) <= LIMIT
    assert len(stats["columns"]) + stats.get("left_out", 0) == width
    assert ("without_details" in stats) == (width > 50)


def test_huge_whole_numbers_survive_json() -> None:
    column = describe(pl.LazyFrame({"x": [2**62 + n * 2**40 for n in range(100)]}))["columns"]["x"]
    assert sum(column["counts"]) == 100
    assert isinstance(column["low"], float)
