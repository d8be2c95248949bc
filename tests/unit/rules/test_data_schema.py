"""Types, fingerprints, and rules that cannot be meant."""

from __future__ import annotations

import pytest

from gatewright.rules.schema import Column, Schema, accepts, contradictions, fingerprint


@pytest.mark.parametrize(
    ("declared", "stored", "expected"),
    [
        ("int", "int8", True),
        ("int", "uint64", True),
        ("int64", "int32", False),
        ("int", "float64", False),
        ("float", "int64", False),
        ("float", "float32", True),
        ("string", "category", True),
        ("string", "int8", False),
        ("datetime", "date", False),
    ],
)
def test_types(declared: str, stored: str, expected: bool) -> None:
    assert accepts(declared, stored) is expected


def test_fingerprint_knows_names_and_types_but_no_order() -> None:
    assert fingerprint({"a": "int8", "b": "string"}) == fingerprint({"b": "string", "a": "int8"})
    assert fingerprint({"a": "int8"}) != fingerprint({"a": "int16"})
    assert fingerprint({"a": "int8"}) != fingerprint({"b": "int8"})


@pytest.mark.parametrize(
    ("column", "at", "words"),
    [
        (Column(type="int", range=(5, 1)), ("columns", "x", "range"), "greater than the upper end"),
        (Column(type="int", range=(None, None)), ("columns", "x", "range"), "at least one end"),
        (Column(type="int", range=(0, 1, 2)), ("columns", "x", "range"), "two ends, this has 3"),
        (Column(type="string", range=(0, 1)), ("columns", "x", "range"), "only a number"),
        (Column(type="int", regex="a"), ("columns", "x", "regex"), "only a string column"),
        (Column(type="int", enum=(1, "2")), ("columns", "x", "enum", 1), "'2' is not a value"),
        (Column(type="int", enum=(True,)), ("columns", "x", "enum", 0), "True is not a value"),
        (Column(type="bool", enum=(1,)), ("columns", "x", "enum", 0), "1 is not a value"),
    ],
)
def test_contradictions_name_their_place(column: Column, at: tuple[str | int, ...], words: str) -> None:
    ((found, what),) = contradictions(Schema(columns={"x": column}))
    assert found == at
    assert words in what


def test_a_sound_schema_has_none() -> None:
    columns = {
        "a": Column(type="int8", range=(0, None), enum=(1, 2)),
        "b": Column(type="float", range=(0, 0.5)),
        "c": Column(type="string", regex="x", enum=("x",)),
        "d": Column(type="bool", enum=(True,)),
    }
    assert list(contradictions(Schema(columns=columns))) == []
