"""Counts of the one query are those of a plain loop over the values."""

from __future__ import annotations

import math
import re
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.rules.data import violations
from gatewright.rules.schema import Column, Schema

REGEX = "[a-c]{1,2}"
ints = st.one_of(st.none(), st.integers(-5, 5))
floats = st.one_of(st.none(), st.sampled_from([math.nan, math.inf, -math.inf]), st.integers(-6, 6).map(lambda n: n / 2))
texts = st.one_of(st.none(), st.text("abcd\n ", max_size=3))
ends = st.one_of(st.none(), st.integers(-4, 4))


@st.composite
def limits(draw: st.DrawFn) -> tuple[int | None, int | None]:
    low, high = draw(ends), draw(ends)
    return (high, low) if low is not None and high is not None and low > high else (low, high)


def naive(column: Column, values: list[Any]) -> dict[str, int]:
    """What a person would count, value by value."""
    present = [value for value in values if value is not None]
    numbers = [value for value in present if not (isinstance(value, float) and math.isnan(value))]
    counts = {
        "null": 0 if column.nullable else len(values) - len(present),
        "nan": 0 if column.nullable else len(present) - len(numbers),
        "infinite": sum(isinstance(value, float) and math.isinf(value) for value in numbers),
        "duplicate": 0,
    }
    if column.range:
        low, high = column.range
        counts["range"] = sum((low is not None and n < low) or (high is not None and n > high) for n in numbers)
    if column.enum:
        counts["enum"] = sum(value not in column.enum for value in numbers)
    if column.regex:
        counts["regex"] = sum(re.fullmatch(column.regex, value) is None for value in present)
    if column.unique:
        different = len(set(numbers)) + (len(numbers) < len(present))
        counts["duplicate"] = len(present) - different
    return {rule: count for rule, count in counts.items() if count}


def compare(column: Column, values: list[Any], dtype: pl.DataType) -> None:
    frame = pl.LazyFrame({"x": pl.Series(values, dtype=dtype, strict=True)})
    found = violations(Schema(columns={"x": column}), frame)
    assert {item.rule: item.count for item in found} == naive(column, values)


@settings(max_examples=60, deadline=None)
@given(st.lists(ints, min_size=1), limits(), st.sets(st.integers(-5, 5), min_size=1), st.booleans(), st.booleans())
def test_whole_numbers(
    values: list[int | None], range_: tuple[int | None, int | None], enum: set[int], nullable: bool, unique: bool
) -> None:
    column = Column(type="int", range=range_, enum=tuple(enum), nullable=nullable, unique=unique)
    compare(column, values, pl.Int16())


@settings(max_examples=60, deadline=None)
@given(st.lists(floats, min_size=1), limits(), st.sets(st.integers(-3, 3), min_size=1), st.booleans(), st.booleans())
def test_fractions(
    values: list[float | None], range_: tuple[int | None, int | None], enum: set[int], nullable: bool, unique: bool
) -> None:
    column = Column(type="float", range=range_, enum=tuple(enum), nullable=nullable, unique=unique)
    compare(column, values, pl.Float64())


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1), st.sets(st.text("abcd", max_size=2), min_size=1), st.booleans(), st.booleans())
def test_texts(values: list[str | None], enum: set[str], nullable: bool, unique: bool) -> None:
    column = Column(type="string", enum=tuple(enum), regex=REGEX, nullable=nullable, unique=unique)
    compare(column, values, pl.String())
