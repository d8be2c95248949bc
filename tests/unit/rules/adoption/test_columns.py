from __future__ import annotations

import pytest

from gatewright.domain.adoption import DataTable, LabelFacts, TableColumn
from gatewright.rules.adoption.columns import (
    attributes,
    floor_text,
    id_column,
    label_column,
    label_gap,
    rows_gap,
    slice_columns,
)


def column(name: str, distinct: int = 2, *, kind: str = "int", **more: object) -> TableColumn:
    values = tuple(range(distinct)) if 2 <= distinct <= 20 and kind == "int" else ()
    return TableColumn(name=name, kind=kind, distinct=distinct, values=values, **more)  # type: ignore[arg-type]


def table(*columns: TableColumn) -> DataTable:
    return DataTable(path="data/a.csv", rows=1000, columns=columns)


@pytest.mark.parametrize(
    ("names", "code", "label", "sure"),
    [
        ([column("age", 80), column("left"), column("sex")], 'y = df["left"]', "left", True),
        ([column("age", 80), column("left"), column("sex")], 'LABEL: str = "left"', "left", True),
        ([column("age", 80), column("left"), column("sex")], 'x = df.drop(columns=["left"])', "left", True),
        ([column("age", 80), column("left"), column("sex")], 'y = df["elsewhere"]', "sex", False),
        ([column("target"), column("sex")], "", "target", True),
        ([column("income", 900), column("is_late"), column("sex")], "", "is_late", False),
        ([column("price", 900, kind="float"), column("rooms", 5)], "", "price", False),
        ([column("price", 900, kind="float"), column("area", 800, kind="float")], "", "price", False),
    ],
)
def test_the_label_is_the_codes_before_that_of_names(
    names: list[TableColumn], code: str, label: str, sure: bool
) -> None:
    guess = label_column(table(*names), code)
    assert guess is not None
    assert (guess.value, guess.sure) == (label, sure)


def test_no_label_is_taken_from_ids_personal_columns_and_measures() -> None:
    found = table(column("id", 1000), column("user_name", personal=True), column("area", 800, kind="float"))
    assert label_column(found, "") is None


def test_an_id_is_unique_and_called_so() -> None:
    found = table(column("area", 1000), column("customer_id", 1000), column("zip_id", 999))
    guess = id_column(found, "label")
    assert guess is not None
    assert guess.value == "customer_id"
    assert id_column(table(column("area", 1000), column("id", 1000, nulls=1)), "label") is None


def test_groups_are_sensitive_columns_first_and_never_the_label() -> None:
    found = table(
        column("area"), column("sex", sensitive=True), column("label"), column("race", 9, sensitive=True),
        column("region"), column("kind"), column("age", 80, sensitive=True), column("group_id", 4),
    )  # fmt: skip
    assert [guess.value for guess in attributes(found, "label")] == ["sex", "race"]
    assert [guess.value for guess in slice_columns(found, "label")] == ["sex", "race", "area", "region"]


@pytest.mark.parametrize(
    ("label", "gap"),
    [
        (column("kind", 3, kind="string"), "kind holds text"),
        (column("kind", 2, nulls=4), "4 rows have no kind"),
        (column("kind", 1), "kind has one value in all rows"),
        (column("day", 9, kind="date"), "day is of type date"),
        (column("kind"), None),
        (column("price", 900, kind="float"), None),
    ],
)
def test_why_a_column_cannot_be_a_label(label: TableColumn, gap: str | None) -> None:
    found = label_gap(label)
    assert found is None if gap is None else found is not None and gap in found


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (LabelFacts(task="binary", classes=(0, 1), floor=0.6), "min: 0.61"),
        (LabelFacts(task="binary", classes=(0, 1), floor=0.5948), "min: 0.6"),
        (LabelFacts(task="binary", classes=(0, 1), floor=0.997), "min: 0.99"),
        (LabelFacts(task="regression", floor=12.3456), "max: 12.3"),
    ],
)
def test_the_floor_is_above_a_model_that_learned_nothing(facts: LabelFacts, text: str) -> None:
    assert floor_text(facts)[0] == text


def test_few_evaluation_rows_are_told_with_the_number_that_decides() -> None:
    facts = LabelFacts(task="binary", classes=(0, 1), floor=0.5)
    found = rows_gap(500, facts)
    assert found is not None
    assert "about 1,546 decide" in found
    assert rows_gap(1546, facts) is None
    assert rows_gap(10, LabelFacts(task="regression", floor=1.0)) is None
