"""Dataclasses from documents: strict, and in human words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, MinLen

from gatewright.config.nodes import parse
from gatewright.config.reader import read_as
from gatewright.domain.duration import Duration
from gatewright.domain.errors import ConfigError, ReportError, WithProblems
from gatewright.domain.evaluation import PairedEstimate
from gatewright.domain.gate import OverallGate, Share


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    margin: Share
    count: Annotated[int, Gt(0)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    name: Annotated[str, MinLen(1)] = "x"
    flag: bool = False
    number: float = 0.0
    bounded: Annotated[float, Ge(2), Le(3)] = 2.0
    share: Share | None = None
    hold: Duration = Duration(1.0)
    either: Annotated[float, Ge(0), Le(100)] | Duration = 4.0
    mode: Literal["point", "statistical"] = "point"
    colour: Colour = Colour.RED
    words: Annotated[tuple[str, ...], MinLen(1)] = ("a",)
    inner: Inner | None = None
    table: Mapping[str, Inner] | None = None
    at: datetime | None = None


def told(text: str, kind: Any = Sample) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_as(kind, parse(text.encode(), "f"))
    return [f"{p.where.line}:{p.where.column} {p.field} {p.what}" for p in caught.value.problems]


def test_a_good_document() -> None:
    text = """{name: y, flag: true, number: 5, share: 1, hold: 30m, either: 2h, mode: statistical, colour: green,
      words: [a, b], inner: {margin: 0.1}, table: {x: {margin: 0, count: 2}}, at: 2026-01-31T12:00:00Z}"""
    found = read_as(Sample, parse(text.encode(), "f"))
    assert found == Sample(
        name="y",
        flag=True,
        number=5.0,
        share=1.0,
        hold=Duration(1800.0),
        either=Duration(7200.0),
        mode="statistical",
        colour=Colour.GREEN,
        words=("a", "b"),
        inner=Inner(margin=0.1),
        table={"x": Inner(margin=0.0, count=2)},
        at=datetime(2026, 1, 31, 12, tzinfo=UTC),
    )
    assert type(found.number) is float


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: 5", '1:7 name 5 is not a non-empty text; put it in quotes: "5"'),
        ("name: ''", "1:7 name '' is not a non-empty text"),
        ("name:", "1:6 name nothing is not a non-empty text"),
        ("flag: no", "1:7 flag 'no' is not true or false; write true or false, without quotes"),
        ("flag: 1", "1:7 flag 1 is not true or false"),
        ("number: '5'", "1:9 number '5' is not a number; write 5 without quotes"),
        ("number: .nan", "1:9 number '.nan' is not a number"),
        ("number: 1e999", "1:9 number '1e999' is not a number"),
        ("number: true", "1:9 number true is not a number"),
        ("number: 0o17", "1:9 number '0o17' is not a number"),
        ("bounded: 4", "1:10 bounded 4 is not a number from 2 to 3"),
        ("share: 95", "1:8 share 95 is not a share: a share lies between 0 and 1; did you mean 0.95?"),
        ("share: -1", "1:8 share -1 is not a share: a share lies between 0 and 1"),
        ("share: 5 %", "1:8 share '5 %' is not a share: a share lies between 0 and 1; did you mean 0.05?"),
        ('share: "0.9 "', "1:8 share '0.9 ' is not a share: a share lies between 0 and 1; write 0.9 without quotes"),
        ("hold: 5", "1:7 hold 5: a duration is a number with a unit: 500ms, 15s, 30m, 4h or 1d; did you mean 5s?"),
        ("hold: 0s", "1:7 hold '0s': a duration is at least 1ms and at most 366d"),
        ("hold: 1000000000s", "1:7 hold '1000000000s': a duration is at least 1ms and at most 366d"),
        ("either: x", "1:9 either 'x' is not a number from 0 to 100, or a duration such as 500ms, 15s, 30m, 4h or 1d"),
        ("mode: pont", "1:7 mode 'pont' is not one of: point, statistical; did you mean 'point'?"),
        ("mode: 5", "1:7 mode 5 is not one of: point, statistical"),
        ("colour: gren", "1:9 colour 'gren' is not one of: red, green; did you mean 'green'?"),
        ("words: a", "1:8 words 'a' is not a list with at least 1 entry; write it as a list: [a]"),
        ("words: []", "1:8 words an empty list is not a list with at least 1 entry"),
        ("words: [a, 5]", '1:12 words[1] 5 is not text; put it in quotes: "5"'),
        ("inner: []", "1:8 inner an empty list is not a mapping with the keys: margin, count"),
        ("inner: {count: 1}", "1:1 inner.margin is missing: write a share: a share lies between 0 and 1"),
        ("inner: {margn: 1}", "1:9 inner unknown word 'margn': did you mean 'margin'? allowed: margin, count"),
        ("table: {x: {margin: 0, count: 1.5}}", "1:31 table.x.count 1.5 is not a whole number greater than 0"),
        ("table: {x: {margin: 0, count: 2.0}}", "1:31 table.x.count 2.0 is not a whole number greater than 0; write 2"),
        ("[]", "1:1  an empty list is not a mapping with the keys: "),
        ("at: yesterday", "1:5 at 'yesterday' is not a time such as 2026-01-31T12:00:00Z"),
    ],
)  # fmt: skip
def test_one_problem_one_line(text: str, expected: str) -> None:
    (found,) = told(text)
    assert found.startswith(expected)


def test_an_unknown_word_far_from_any_is_told_with_what_is_allowed() -> None:
    assert told("{margin: 0.1, zzz: 1}", Inner) == ["1:15  unknown word 'zzz': allowed: margin, count"]


def test_words_that_would_move_the_cursor_are_quoted() -> None:
    assert "\x1b" not in told('{margin: 1, "x\\ty": 1}', Inner)[0]


def test_part_of_a_document_has_its_own_places() -> None:
    document = parse(b"a:\n  b: [1, {margin: 2}]\n", "f")
    with pytest.raises(ReportError) as caught:
        read_as(Inner, document, error=ReportError, at=("a", "b", 1), what="the margins")
    assert str(caught.value).startswith("the margins has 1 problem\n  f:2:19: a.b[1].margin: 2 is not a share")


def test_part_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"f:1:4: a\.b: is missing"):
        read_as(Inner, parse(b"a: {}", "f"), at=("a", "b"))


def test_report_files_go_the_same_way() -> None:
    report = '{"rows": 10, "candidate": 0.5, "candidate_var": 1.5e-1, "baseline": null}'
    found = read_as(PairedEstimate, parse(report.encode(), "r", ReportError), error=ReportError)
    assert found == PairedEstimate(rows=10, candidate=0.5, candidate_var=0.15)
    broken = report.replace("1.5e-1", "NaN").replace('"rows": 10', '"rows": "10"').replace("0.5", "true")
    with pytest.raises(ReportError) as caught:
        read_as(PairedEstimate, parse(broken.encode(), "r", ReportError), error=ReportError)
    assert [problem.field for problem in caught.value.problems] == ["rows", "candidate", "candidate_var"]


def test_defaults_are_those_of_the_dataclass() -> None:
    assert read_as(OverallGate, parse(b"{}", "f")) == OverallGate()


def test_options_with_a_rule_of_their_own() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Own:
        port: int = 1

        def __post_init__(self) -> None:
            if self.port == 7:
                raise ValueError("seven is taken")

    with pytest.raises(WithProblems, match="seven is taken"):
        read_as(Own, parse(b"port: 7", "f"))
