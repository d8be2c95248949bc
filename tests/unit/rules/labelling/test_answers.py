"""Labelled files: what is read of each format, and every problem at its file and line."""

from __future__ import annotations

import json

import pytest

from gatewright.domain.errors import Problem, UnusableInput
from gatewright.domain.labelling import Answer
from gatewright.rules.labelling.answers import answers
from gatewright.rules.labelling.resolution import Resolved, resolved, typed
from gatewright.rules.schema import Column

TASKS = ("1", "2", "3", "4")
CODE = Column(type="int8", enum=(0, 1))


def read(text: str, file: str = "f.csv") -> list[Answer | Problem]:
    return list(answers(text, file, id="id", label="employed"))


def told(text: str) -> list[tuple[str, str, str | None, int | None]]:
    return [(each.task, each.annotator, each.value, each.line) for each in read(text) if isinstance(each, Answer)]


def problems(text: str) -> list[str]:
    return [str(each) for each in read(text) if isinstance(each, Problem)]


def test_csv() -> None:
    assert told("task,annotator,employed\n1,ann,1\n2,,0\n3,bob,\n") == [
        ("1", "ann", "1", 2),
        ("2", "a1", "0", 3),
        ("3", "bob", None, 4),
    ]
    assert told("\ufeffid,label\n7, 1 \n") == [("7", "a1", "1", 2)]
    assert problems("x,label\n1,1\n") == ["f.csv:1: has no column task or id; there are: x, label"]
    assert problems("id,label\n1,1\n2\n,1\n") == [
        "f.csv:3: has another number of cells than the header",
        "f.csv:4: id: is missing: which row is this?",
    ]
    assert problems('id,label\n1,"1\n')[0].startswith("f.csv:2: is not CSV")


def test_json_lines() -> None:
    lines = ('{"task": 1, "data": {"AGE": 3}, "employed": 1.0}', "", '{"id": "2", "label": true, "annotator": "bob"}')
    text = "\n".join((*lines, '{"task": 3}'))
    assert told(text) == [("1", "a1", "1", 1), ("2", "bob", "true", 3), ("3", "a1", None, 4)]
    assert problems('{"task": 1, "employed": [1, 0]}\n{"task": 1,\n') == [
        "f.csv:1: employed: is [1, 0]: one value is needed",
        "f.csv:2: is not a JSON object: Expecting property name enclosed in double quotes: line 1 column 12 (char 11)",
    ]


def test_label_studio() -> None:
    export = [
        {
            "id": 501,
            "data": {"task": 1, "AGE": 30},
            "annotations": [
                {"completed_by": {"id": 3, "email": "ann@x"}, "result": [{"value": {"choices": ["1"]}}]},
                {"completed_by": 4, "result": [{"value": {"choices": ["0"]}}]},
                {"completed_by": 5, "was_cancelled": True, "result": []},
            ],
        },
        {"id": 502, "data": {"task": 2}, "annotations": [{"completed_by": 4, "result": [{"value": {"number": 0}}]}]},
        {"id": 503, "data": {"task": 3}, "annotations": [{"completed_by": 4, "result": []}]},
    ]
    found = told("[\n" + ",\n".join(json.dumps(task) for task in export) + "\n]\n")
    assert found == [("1", "ann@x", "1", 2), ("1", "4", "0", 2), ("2", "4", "0", 3), ("3", "4", None, 4)]
    flat = [{"id": 9, "task": 4, "employed": "1", "annotator": 3}]
    assert told(json.dumps(flat)) == [("4", "3", "1", 1)]
    two = [{"data": {"task": 1}, "annotations": [{"result": [{"value": {"choices": ["1", "0"]}}]}]}]
    assert problems(json.dumps(two)) == ["f.csv:1: annotations: holds 2 labels of a1: one is needed"]
    assert problems('[\n{"data": {"task": 1}, "annotations": 3},\n7,\n{"a"\n') == [
        "f.csv:2: annotations: is no list of annotations",
        "f.csv:3: is 7, not a task",
        "f.csv:4: is not JSON: Expecting ':' delimiter: line 5 column 1 (char 51)",
    ]


def from_(*rows: tuple[str, str, str | None], resolve: str = "majority", column: Column | None = CODE) -> Resolved:
    said = [
        Answer(task=task, annotator=who, value=value, file="f.csv", line=place)
        for place, (task, who, value) in enumerate(rows, start=2)
    ]
    return resolved(said, TASKS, column, resolve=resolve)


def test_every_problem_is_told_at_once_with_its_line() -> None:
    found = from_(
        ("9", "a1", "1"),
        ("1", "a1", "2"),
        ("2", "a1", "yes"),
        ("3", "a1", "1"),
        ("3", "a1", "0"),
        ("4", "a1", "1"),
        ("4", "a2", "0"),
    )
    assert [str(problem) for problem in found.problems] == [
        "f.csv:2: the sample has no row '9'",
        "f.csv:3: row 1: 2 is no label; allowed: 0, 1",
        "f.csv:4: row 2: 'yes' is no int",
        "f.csv:6: row 3: a1 says 0 here and 1 in f.csv:5",
        "f.csv:8: row 4: a tie: 1 (a1), 0 (a2); let one more person label it, or --resolve annotator:NAME",
    ]
    assert found.missing == (), "a row with a wrong label is told once"


def test_the_same_label_twice_is_one_and_empty_ones_are_missing() -> None:
    found = from_(("1", "a1", "1"), ("1", "a1", "1"), ("2", "a1", None), ("3", "a1", "0"), ("4", "a1", "0"))
    assert found.problems == ()
    assert found.labels == {"1": 1, "3": 0, "4": 0}
    assert found.missing == ("2",)


@pytest.mark.parametrize(("resolve", "expected"), [("majority", 1), ("annotator:a3", 0)])
def test_who_decides(resolve: str, expected: int) -> None:
    found = from_(("1", "a1", "1"), ("1", "a2", "1"), ("1", "a3", "0"), resolve=resolve)
    assert found.labels == {"1": expected}
    assert found.disputed == 1


def test_the_median_of_numbers() -> None:
    number = Column(type="float", range=(0, 10))
    rows = [("1", "a1", "1.5"), ("1", "a2", "4"), ("1", "a3", "2"), ("2", "a1", "1"), ("2", "a2", "2")]
    found = from_(*rows, resolve="median", column=number)
    assert found.labels == {"1": 2.0, "2": 1.5}
    assert found.agreement.krippendorff is not None
    assert found.agreement.cohen is None
    text = from_(("1", "a1", "x"), ("1", "a2", "y"), resolve="median", column=Column(type="string"))
    assert "have no median" in str(text.problems[0])


def test_the_one_who_decides_said_nothing() -> None:
    found = from_(("1", "a1", "1"), ("1", "a2", "0"), resolve="annotator:ann")
    assert str(found.problems[0]) == "f.csv:3: row 1: 1 (a1), 0 (a2), and nothing of ann"


@pytest.mark.parametrize("resolve", ["mean", "annotator:", ""])
def test_ways_to_resolve_that_do_not_exist(resolve: str) -> None:
    with pytest.raises(UnusableInput, match="there is no way"):
        from_(resolve=resolve)


def test_agreement_is_of_the_rows_that_several_labelled() -> None:
    rows = [("1", "a1", "1"), ("1", "a2", "1"), ("2", "a1", "0"), ("2", "a2", "0"), ("3", "a1", "1"), ("3", "a2", "0")]
    found = from_(*rows, ("4", "a1", "0"), resolve="annotator:a1").agreement
    assert (found.annotators, found.rows) == (("a1", "a2"), 3)
    assert found.percent == pytest.approx(2 / 3)
    assert found.cohen == pytest.approx(0.4)
    alone = from_(("1", "a1", "1")).agreement
    assert (alone.rows, alone.percent, alone.krippendorff) == (0, None, None)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("1.0", None, 1),
        ("x", None, None),
        ("1.5", Column(type="int"), None),
        ("nan", Column(type="float"), None),
        ("11", Column(type="float", range=(0, 10)), None),
        ("true", Column(type="bool"), True),
        ("cat", Column(type="string", enum=("cat", "dog")), "cat"),
        ("cow", Column(type="string", enum=("cat", "dog")), None),
    ],
)
def test_labels_are_what_the_schema_says(text: str, column: Column | None, expected: object) -> None:
    value, why = typed(text, column)
    assert value == expected
    assert bool(why) == (expected is None)
