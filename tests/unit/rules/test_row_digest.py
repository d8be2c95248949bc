"""The digest of rows: blind to layout, sharp for every value, and the same on every machine."""

from __future__ import annotations

import math
import struct
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.rules.row_digest import count_rows, digest_rows

VALUES: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "i": (pl.Int64(), st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)),
    "u": (pl.UInt64(), st.none() | st.integers(0, 2**64 - 1)),
    "f": (pl.Float64(), st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1.0, 0.5, 5e-324])),
    "s": (pl.String(), st.none() | st.text("ab\0é", max_size=3)),
    "b": (pl.Boolean(), st.none() | st.booleans()),
    "d": (pl.Date(), st.none() | st.dates()),
    "t": (pl.Datetime("us"), st.none() | st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))),
    "l": (pl.List(pl.Int8()), st.none() | st.lists(st.none() | st.integers(-3, 3), max_size=2)),
}
rows = st.lists(st.fixed_dictionaries({name: values for name, (_, values) in VALUES.items()}), min_size=1, max_size=12)
SCHEMA = {name: dtype for name, (dtype, _) in VALUES.items()}


def table(records: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(records, schema=SCHEMA)


def key(record: dict[str, Any]) -> tuple[str, ...]:
    """What makes two rows the same row: NaN is NaN, and 0.0 is -0.0."""
    number = record["f"]
    return repr(0.0 if number == 0 else number), *(repr(record[name]) for name in SCHEMA if name != "f")


@settings(max_examples=30)
@given(rows, st.randoms(use_true_random=False))
def test_layout_does_not_matter(records: list[dict[str, Any]], random: Any) -> None:
    shuffled, columns = random.sample(records, len(records)), random.sample(list(SCHEMA), len(SCHEMA))
    parts = [table([record]).lazy() for record in shuffled]
    other = pl.concat(parts).select(columns)
    assert digest_rows(other, "i") == digest_rows(table(records).lazy(), "i")


@settings(max_examples=30)
@given(rows, rows)
def test_other_rows_have_another_digest_and_are_counted_like_a_person_would(
    before: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    now = now + before[::2]
    old, new = Counter(map(key, before)), Counter(map(key, now))
    counted = count_rows(table(before).lazy(), table(now).lazy(), list(SCHEMA))
    assert (counted.added, counted.removed) == ((new - old).total(), (old - new).total())
    same = digest_rows(table(before).lazy()).rows == digest_rows(table(now).lazy()).rows
    assert same == (old == new)


@settings(max_examples=30)
@given(rows, st.data())
def test_one_cell_changes_it_and_without_the_label_only_other_cells_do(
    records: list[dict[str, Any]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(records) - 1))
    name = data.draw(st.sampled_from(list(SCHEMA)))
    changed = [{**record} for record in records]
    changed[at][name] = data.draw(VALUES[name][1])
    before, now = digest_rows(table(records).lazy(), "i"), digest_rows(table(changed).lazy(), "i")
    differs = Counter(map(key, records)) != Counter(map(key, changed))
    assert (before.rows != now.rows) == differs
    assert (before.unlabelled != now.unlabelled) == (differs and name != "i")


@pytest.mark.parametrize("dtype", [pl.Int8(), pl.UInt8(), pl.Int64(), pl.UInt64(), pl.Float32(), pl.Float64()])
def test_a_number_is_the_same_in_every_type_that_holds_it(dtype: pl.DataType) -> None:
    numbers = pl.DataFrame({"x": pl.Series([0, 7, 7, None, 100], dtype=dtype)})
    assert digest_rows(numbers.lazy()) == digest_rows(numbers.cast(pl.Int32()).lazy())


def test_text_is_the_same_as_category_and_time_in_every_unit() -> None:
    texts = pl.DataFrame({"x": ["a", "b", None, "a"]})
    assert digest_rows(texts.lazy()) == digest_rows(texts.cast(pl.Categorical()).lazy())
    moment = pl.DataFrame({"x": [datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC), None]})
    digests = {digest_rows(moment.cast(pl.Datetime(unit, "UTC")).lazy()) for unit in ("ms", "us", "ns")}
    assert len(digests) == 1
    later = moment.cast(pl.Datetime("ns", "UTC")).with_columns(pl.col("x") + pl.duration(nanoseconds=1))
    assert digest_rows(later.lazy()) not in digests


def test_values_do_not_change_places() -> None:
    assert digest_rows(pl.LazyFrame({"a": [1], "b": [2]})) != digest_rows(pl.LazyFrame({"a": [2], "b": [1]}))
    assert digest_rows(pl.LazyFrame({"a": [1, 2]})) != digest_rows(pl.LazyFrame({"b": [1, 2]}))
    assert digest_rows(pl.LazyFrame({"a": [1, 1]})) != digest_rows(pl.LazyFrame({"a": [1]}))


def test_form_1_gives_these_numbers_for_ever() -> None:
    """Pointer files hold them. If this fails, the form has changed and needs a new name."""
    frame = pl.LazyFrame(
        {
            "id": pl.Series([1, -2, None], dtype=pl.Int32),
            "share": [0.5, float("nan"), 3.0],
            "name": ["Ann", "", None],
            "since": [date(2026, 1, 1), None, date(1969, 12, 31)],
            "at": [datetime(2026, 1, 1, 12) + timedelta(microseconds=1), None, datetime(1960, 1, 1)],
            "y": [True, False, True],
        }
    )
    found = digest_rows(frame, "y")
    assert (found.rows, found.unlabelled) == (
        "db737c13e45bca5ae43923578d4e4996",
        by_the_book(frame.drop("y").collect()),
    )
    assert found.rows == by_the_book(frame.collect())


def by_the_book(frame: pl.DataFrame) -> str:
    """The form once more, value by value in Python's own whole numbers, for the types of the test above."""

    def mix(word: int) -> int:
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
        return word ^ (word >> 31)

    def cell(name: str, value: Any, lane: int) -> int:
        seed = int.from_bytes(sha256(b"gatewright rows/1\0" + name.encode()).digest()[8 * lane :][:8], "little")
        word, tag = 0, 0
        match value:
            case None:
                tag = 1
            case datetime():
                word = (value - datetime(1970, 1, 1)) // timedelta(microseconds=1)
            case date():
                word = (value - date(1970, 1, 1)).days
            case str():
                word = int.from_bytes(sha256(value.encode()).digest()[8 * lane :][:8], "little")
            case float() if not value.is_integer():
                bits = 0x7FF8 << 48 if math.isnan(value) else int.from_bytes(struct.pack("<d", value), "little")
                word, tag = bits, 2
            case _:
                word = int(value)
        return mix(word % 2**64 ^ seed) + tag * (seed | 1)

    lanes = [
        sum(mix(sum(cell(name, value, lane) for name, value in row.items()) % 2**64) for row in frame.to_dicts())
        for lane in (0, 1)
    ]
    return "".join(f"{lane % 2**64:016x}" for lane in lanes)


def test_many_rows_go_through_in_parts(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": range(300_000)}).with_columns(y=pl.col("id") % 2)
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts"
    parts.mkdir()
    frame.write_parquet(whole)
    frame.sort("y").slice(0, 100_000).write_parquet(parts / "1.parquet", row_group_size=7_001)
    frame.sort("y").slice(100_000).write_parquet(parts / "2.parquet", compression="gzip")
    one, two = pl.scan_parquet(whole), pl.scan_parquet(parts)
    assert digest_rows(one, "y") == digest_rows(two, "y")
    counted = count_rows(one, pl.concat([two, pl.LazyFrame({"id": [5, -1], "y": [1, 0]})]), ["id", "y"])
    assert (counted.added, counted.removed) == (2, 0)
