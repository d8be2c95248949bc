"""Rules in SQL: rows where they are false are counted; where they have no answer, that is said."""

from __future__ import annotations

import polars as pl

from gatewright.rules.data import EXAMPLE_ROWS, HIDDEN, judge_data
from gatewright.rules.schema import Column, Rule, Schema

SCHEMA = Schema(
    columns={
        "id": Column(type="int", unique=True),
        "age": Column(type="int", nullable=True),
        "name": Column(type="string", personal=True),
    },
    rules=(
        Rule(name="adults", expr="age >= 18"),
        Rule(name="named", expr="length(name) > 1 OR age < 3"),
    ),
)
FRAME = pl.LazyFrame({"id": [7, 8, 9, 10], "age": [17, 18, None, 2], "name": ["a", "bb", "c", "d"]})


def test_false_is_counted_and_null_is_told() -> None:
    found = judge_data(SCHEMA, FRAME)
    assert {each.rule: each.count for each in found.violations} == {"adults": 2, "named": 1}
    assert found.unjudged == {"adults": 1, "named": 1}
    assert found.status == "fail"


def test_example_rows_have_their_number_and_their_keys_and_no_personal_value() -> None:
    adults, named = judge_data(SCHEMA, FRAME).violations
    assert adults.example_rows == ({"row": "1", "id": "7", "age": "17"}, {"row": "4", "id": "10", "age": "2"})
    assert named.example_rows == ({"row": "1", "id": "7", "name": HIDDEN, "age": "17"},)
    assert str(adults) == "adults: 2 of 4 rows; allowed: age >= 18"


def test_a_rule_that_cannot_be_asked_is_told_and_the_others_are_asked() -> None:
    found = judge_data(SCHEMA, FRAME.drop("age").with_columns(name=pl.lit(5)))
    assert found.unjudged["adults"] == "there is no column age"
    assert isinstance(found.unjudged["named"], str)
    assert ("age", "missing") in {(each.column, each.rule) for each in found.violations}
    assert found.status == "fail"


def test_text_is_asked_as_what_it_can_be_read_as() -> None:
    text = pl.LazyFrame({"id": ["7", "8"], "age": ["17", "old"], "name": ["aa", "bb"]})
    found = judge_data(SCHEMA, text, typed=False)
    assert {(each.column, each.rule): each.count for each in found.violations} == {
        ("", "adults"): 1,
        ("age", "type"): 1,
    }
    assert found.unjudged == {"adults": 1}


def test_the_first_rows_are_shown_and_no_more_than_twenty() -> None:
    frame = pl.LazyFrame({"id": range(100), "age": [1] * 100, "name": ["xx"] * 100})
    (adults,) = judge_data(SCHEMA, frame).violations
    assert [row["row"] for row in adults.example_rows] == [str(number) for number in range(1, EXAMPLE_ROWS + 1)]


def test_duplicates_of_a_large_table_are_found_in_a_part_of_it() -> None:
    schema = Schema(columns={"id": Column(type="int", unique=True)})
    ids = pl.int_range(1_100_000, eager=True).alias("id")
    frame = pl.LazyFrame({"id": pl.concat([ids, pl.Series("id", [5])])})
    (found,) = judge_data(schema, frame).violations
    assert (found.count, found.examples) == (1, ("5",))
    assert [row["row"] for row in found.example_rows] == ["6", "1,100,001"]
