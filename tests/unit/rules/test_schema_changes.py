from __future__ import annotations

import numpy as np
import pytest

from gatewright.rules.data_drift import column_psi
from gatewright.rules.schema_changes import schema_changes, widens

TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]


def holds(before: str, now: str) -> bool:
    """Whether numpy says that no value of `before` changes in `now`."""
    return bool(np.can_cast(np.dtype(before), np.dtype(now), casting="safe"))


@pytest.mark.parametrize("before", TYPES)
@pytest.mark.parametrize("now", TYPES)
def test_widening_is_what_numpy_calls_safe(before: str, now: str) -> None:
    # numpy calls 64-bit integers safe in float64, although the larger ones are rounded.
    expected = holds(before, now) and not (before in ("int64", "uint64") and now == "float64")
    assert widens(before, now) == expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [("string", "category", True), ("category", "string", True), ("date", "datetime", False), ("bool", "int8", False)],
)
def test_other_types(before: str, now: str, expected: bool) -> None:
    assert widens(before, now) == expected


def test_the_breaking_ones_come_first() -> None:
    found = schema_changes({"a": "int8", "z": "int64"}, {"a": "int16", "z": "string", "n": "bool"})
    assert [(change.column, change.what, change.breaking) for change in found] == [
        ("z", "retyped", True), ("a", "widened", False), ("n", "added", False),
    ]  # fmt: skip


def test_the_nearest_of_several_is_the_renamed_one() -> None:
    values = {"age": {"values": {"1": 50, "2": 50}}, "sex": {"values": {"1": 90, "2": 10}}}
    now = {"gender": {"values": {"1": 91, "2": 9}}, "years": {"values": {"1": 49, "2": 51}}}
    found = schema_changes(
        {"age": "int8", "sex": "int8"},
        {"years": "int8", "gender": "int8"},
        stats=({"columns": values}, {"columns": now}),
    )
    assert [change.words.split(",")[0] for change in found] == [
        "age is gone and years is new", "sex is gone and gender is new",
    ]  # fmt: skip


def test_unlike_values_or_types_are_no_rename() -> None:
    stats = ({"columns": {"a1": {"values": {"x": 9}}}}, {"columns": {"a2": {"values": {"y": 9}}}})
    assert {change.what for change in schema_changes({"a1": "string"}, {"a2": "string"}, stats=stats)} == {
        "dropped", "added",
    }  # fmt: skip
    assert {change.what for change in schema_changes({"a1": "int8"}, {"a2": "string"})} == {"dropped", "added"}
    assert {change.what for change in schema_changes({"a1": "int8"}, {"a2": "int8"})} == {"dropped", "added"}


def test_histograms_with_other_edges_are_laid_over_each_other() -> None:
    before = {"low": 0, "high": 100, "counts": [10] * 20}
    same = {"low": 0, "high": 50, "counts": [10] * 20}
    moved = column_psi(before, same)
    assert moved is not None
    assert moved.estimated
    assert moved.value > 1
    wider = column_psi(before, {"low": 0, "high": 100.5, "counts": [10] * 20})
    assert wider is not None
    assert wider.value < 0.02


def test_few_values_against_a_histogram() -> None:
    found = column_psi({"low": 0, "high": 20, "counts": [5] * 20}, {"values": {"3": 50, "4": 50}})
    assert found is not None
    assert found.value > 1
    assert column_psi({"low": 0, "high": 20, "counts": [5] * 20}, {"values": {"x": 50}}) is None
    assert column_psi({"nulls": 0.0}, {"values": {"x": 50}}) is None
