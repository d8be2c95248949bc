"""The judge is independent, each invariant can break, and the part of JSON Schema that it knows holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash import checker, facts, file_invariants, schema, traffic_invariants
from tests.crash.bugs import BUGS
from tests.house.test_oracles import imported

JUDGE = (checker, facts, file_invariants, schema, traffic_invariants)


def test_the_judge_knows_nothing_of_the_product() -> None:
    ours = {module.__name__ for module in JUDGE}
    for module in JUDGE:
        for name in imported(Path(str(module.__file__)).read_text()):
            first = name.partition(".")[0]
            known = any(f"{name}.".startswith(f"{other}.") for other in ours)
            assert known or first in ("__future__", *sys.stdlib_module_names), f"{module.__name__} imports {name}"


def test_each_invariant_is_broken_by_some_seeded_bug() -> None:
    assert {bug.found_by for bug in BUGS.values()} == {*checker.INVARIANTS, "stale"}


def test_the_page_tells_each_seeded_bug() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "crash-tests.md").read_text()
    for name, bug in BUGS.items():
        where = "what the first controller changes" if bug.found_by == "stale" else bug.found_by
        assert f"| {name} | {bug.scenario} | {where} |" in page


@pytest.mark.parametrize(
    ("part", "value", "misfit"),
    [
        ({"type": "integer"}, True, "the document is True, no integer"),
        ({"type": ["string", "null"]}, 1, "the document is 1, no ['string', 'null']"),
        ({"type": "number", "minimum": 0}, -0.5, "the document is -0.5, at least 0 is allowed"),
        ({"enum": ["a", "b"]}, "c", "the document is 'c', not one of ['a', 'b']"),
        ({"required": ["a"]}, {}, "the document has no a"),
        ({"additionalProperties": False}, {"a": 1}, "the document.a is not known"),
        ({"additionalProperties": {"type": "null"}}, {"a": 1}, "the document.a is 1, no null"),
        ({"$ref": "#/$defs/D"}, 1, "the document is 1, no string"),
        (
            {"anyOf": [{"type": "null"}, {"type": "string"}]},
            1,
            "the document fits no option: the document is 1, no null",
        ),
        ({"items": {"type": "null"}, "prefixItems": [{"type": "string"}]}, ["a", 1], "the document[1] is 1, no null"),
        ({"minItems": 2}, [1], "the document has 1 items"),
        ({"minLength": 1}, "", "the document is too short"),
    ],
)
def test_a_document_that_does_not_fit_is_told(part: dict[str, Any], value: Any, misfit: str) -> None:
    assert schema.misfits({**part, "$defs": {"D": {"type": "string"}}}, value) == [misfit]


def test_a_document_that_fits_is_not_told() -> None:
    form = {"type": "object", "required": ["a"], "properties": {"a": {"anyOf": [{"type": "null"}, {"minimum": 1}]}}}
    assert schema.misfits(form, {"a": None, "b": [1]}) == []
    assert schema.misfits(form, {"a": 2}) == []
