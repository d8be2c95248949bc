"""Counts per slice and group, and rows that cannot be judged."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import SliceEvidence
from gatewright.domain.project import SliceSpec
from tests.fixtures.predictions import NO_BASELINE, ROWS, by, counted, measured


def test_counts_overall_and_per_value() -> None:
    report = measured(ROWS, by("SEX"))
    triples = [(outcome.label, outcome.candidate, outcome.baseline) for outcome in report.outcomes]
    assert triples == [(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 1)]
    assert report.overall == SliceEvidence(rows=6, cells=(1, 1, 1, 1, 2))
    assert list(report.slices) == ["SEX=1", "SEX=2", "SEX=null"]
    assert [counted(report, name) for name in report.slices] == [(2, 2, 1), (3, 1, 1), (1, 1, 1)]


def test_bins_are_half_open_and_name_what_lies_outside() -> None:
    report = measured(ROWS, by("AGEP", bins=(18, 25, 65)))
    rows = {name: evidence.rows for name, evidence in report.slices.items()}
    assert rows == {"AGEP<18": 1, "AGEP=[18,25)": 2, "AGEP=[25,65)": 1, "AGEP>=65": 1, "AGEP=null": 1}
    assert list(measured(ROWS, by("AGEP", bins=(24.5,))).slices) == ["AGEP<24.5", "AGEP>=24.5", "AGEP=null"]


def test_bins_of_numbers_far_apart() -> None:
    ages = [17.0, 18.0, 24.0, 1e9, float("nan"), None]
    report = measured(ROWS | {"AGEP": ages}, by("AGEP", bins=(18, 1e9)))
    rows = {name: evidence.rows for name, evidence in report.slices.items()}
    assert rows == {"AGEP<18": 1, "AGEP=[18,1000000000)": 2, "AGEP>=1000000000": 1, "AGEP=null": 2}


def test_intersections() -> None:
    report = measured(ROWS, by("SEX", "RAC1P"), by("SEX", "AGEP", bins=(18,)))
    assert list(report.slices) == [
        "SEX=1 & RAC1P=1", "SEX=1 & RAC1P=6", "SEX=2 & RAC1P=1", "SEX=2 & RAC1P=6", "SEX=null & RAC1P=1",
        "SEX=1 & AGEP<18", "SEX=1 & AGEP>=18", "SEX=2 & AGEP>=18", "SEX=null & AGEP=null",
    ]  # fmt: skip
    assert counted(report, "SEX=2 & RAC1P=6") == (2, 0, 0)


def test_conditions_hold_or_do_not() -> None:
    young = SliceSpec(where="AGEP < 30 AND SEX = 2", name="young women")
    nobody = SliceSpec(where="AGEP > 99", name="the oldest")
    report = measured(ROWS, young, by("SEX"), nobody)
    assert list(report.slices) == ["young women", "SEX=1", "SEX=2", "SEX=null"]
    assert counted(report, "young women") == (2, 1, 1)
    assert report.notes == ("the oldest: no row of the evaluation set is in this slice",)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("AGEP <", "no condition on a row: unable to parse"),
        ("AGEP + 1", "its values are Int64"),
        ("AGEP > AVG(AGEP)", "it looks at more than one row"),
        ("ROW_NUMBER() OVER () > 3 AND AGEP > 1", "it looks at more than one row"),
        ("1 = 1", "it names no column"),
        ("HEIGHT > 1", "the predictions lack HEIGHT"),
        ("SEX LIKE 'a%'", "no condition on a row"),
    ],
)
def test_what_is_no_condition_is_refused(where: str, message: str) -> None:
    with pytest.raises(UnusableInput, match=message):
        measured(ROWS, SliceSpec(where=where, name="x"))


def test_text_that_only_looks_like_a_window_is_fine() -> None:
    rows = ROWS | {"name": ["over", "select", "a", "b", "c", None]}
    assert measured(rows, SliceSpec(where="name = 'over'", name="x")).slices["x"].rows == 1


def test_two_slices_of_one_name_are_refused() -> None:
    with pytest.raises(UnusableInput, match="two slices are called 'x'"):
        measured(ROWS, SliceSpec(where="SEX = 1", name="x"), SliceSpec(where="SEX = 2", name="x"))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1.0, 2.5, float("nan")], ["x=1", "x=2.5", "x=null"]),
        ([True, False, None], ["x=false", "x=true", "x=null"]),
        (["b", "a", ""], ['x=""', "x=a", "x=b"]),
        (["null", None, "a & y=1"], ['x="a & y=1"', 'x="null"', "x=null"]),
        ([-(1 << 60), 1 << 60, None], [f"x={-(1 << 60)}", f"x={1 << 60}", "x=null"]),
        ([None, None, None], ["x=null"]),
    ],
)
def test_names_of_values(values: list[Any], names: list[str]) -> None:
    rows = {"id": [1, 2, 3], "label": [1, 0, 1], "candidate": [1, 0, 1], "x": values}
    assert list(measured(rows, by("x")).slices) == names


@pytest.mark.parametrize(
    "kind", [pl.Int8, pl.UInt8, pl.UInt64, pl.Float32, pl.String, pl.Categorical, pl.Decimal(9, 0)]
)
def test_the_type_of_a_column_does_not_change_its_slices(kind: Any) -> None:
    frame = pl.DataFrame(ROWS).with_columns(pl.col("RAC1P").cast(pl.String).cast(kind))
    assert measured(frame, by("RAC1P")).slices == measured(ROWS, by("RAC1P")).slices


@pytest.mark.parametrize("kind", [pl.Boolean, pl.Int8, pl.UInt8, pl.Float64])
def test_the_type_of_labels_does_not_change_the_counts(kind: Any) -> None:
    frame = pl.DataFrame(ROWS).with_columns(pl.col("label", "candidate", "baseline").cast(kind))
    assert measured(frame).overall == measured(ROWS).overall


def test_without_a_baseline_nothing_is_said_about_one() -> None:
    report = measured(NO_BASELINE, by("SEX"))
    assert (report.baseline_digest, {outcome.baseline for outcome in report.outcomes}) == (None, {None})
    assert report.overall == SliceEvidence(rows=6, cells=(2, 1, 1, 2))


def test_the_golden_baseline_has_counts_of_its_own() -> None:
    report = measured(ROWS | {"golden": ROWS["label"]}, by("SEX"), fairness=("SEX",))
    golden = report.golden
    assert golden is not None
    assert (golden.baseline_digest, golden.groups, golden.candidate_latency) == ("sha256:g", {}, None)
    assert (counted(golden, "SEX=2"), counted(report, "SEX=2")) == ((3, 1, 3), (3, 1, 1))


def test_a_golden_baseline_on_the_first_deployment_is_no_baseline() -> None:
    report = measured(NO_BASELINE | {"golden": ROWS["label"]}, by("SEX"))
    assert {outcome.baseline for outcome in report.outcomes} == {None}
    assert report.golden is not None
    assert counted(report.golden, "SEX=2") == (3, 1, 3)


def test_a_hundred_classes_have_only_the_outcomes_that_occur() -> None:
    rows = {"id": range(300), "label": [n % 100 for n in range(300)], "candidate": [n % 97 for n in range(300)]}
    rows |= {"baseline": [(n * 7) % 100 for n in range(300)], "x": [n % 2 for n in range(300)]}
    report = measured(rows, by("x"), task="multiclass")
    assert len(report.outcomes) == len(report.overall.cells) <= 300
    assert sum(report.slices["x=0"].cells) == 150


@pytest.mark.parametrize("rows_at_once", [1, 2, 5, 6, 7])
def test_pieces_give_what_the_whole_gives(rows_at_once: int) -> None:
    frame = pl.DataFrame(ROWS | {"golden": ROWS["label"], "name": ["a", None, "b", "a", "c", "b"]})
    specs = (by("SEX"), by("name"), by("SEX", "AGEP", bins=(18, 25)), SliceSpec(where="SEX = 2", name="two"))
    whole = measured(frame, *specs, fairness=("SEX", "name"))
    assert measured(frame.lazy(), *specs, fairness=("SEX", "name"), rows_at_once=rows_at_once) == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidate": [1, 0, None, 1, 0, 0]}, "1 rows have no candidate"),
        ({"baseline": [1.0, 0.0, float("nan"), 1, 0, 0]}, "1 rows have no baseline"),
        ({"label": [None] * 6}, "6 rows have no label"),
        ({"id": [1, 1, 1, 2, 3, 4]}, "2 rows repeat an id"),
        ({"id": ["f", "e", "d", "c", "b", "f"]}, "1 rows repeat an id"),
        ({"candidate": ["1", "0", "1", "1", "0", "0"]}, "candidate is String but label is Int64"),
        ({"candidate": [True] * 6}, "candidate is Boolean but label is Int64"),
        ({"candidate": [1.0, 0.0, 1.0, 1.0, 0.5, 0.0]}, "candidate holds 0.5; classes are whole numbers"),
        ({"label": [0] * 6}, "no label is 1"),
    ],
)
@pytest.mark.parametrize("rows_at_once", [2, 100])
def test_rows_that_cannot_be_judged_are_refused(change: dict[str, Any], message: str, rows_at_once: int) -> None:
    with pytest.raises(UnusableInput, match=message):
        measured(ROWS | change, fairness=("SEX",), rows_at_once=rows_at_once)


@pytest.mark.parametrize("ids", [[6, 5, 4, 3, 2, 1], ["b", "a", "d", "c", "f", "e"], [1, 2, 6, 3, 4, 5]])
def test_ids_need_no_order(ids: list[Any]) -> None:
    assert measured(ROWS | {"id": ids}, rows_at_once=2).overall.rows == 6


def test_tables_that_cannot_be_judged_are_refused() -> None:
    refused: list[tuple[Any, SliceSpec, str]] = [
        (pl.DataFrame(ROWS).clear(), by("SEX"), "no rows"),
        (ROWS, by("DIS"), "the predictions lack DIS"),
        (ROWS, by("label"), "cannot be called label"),
        (ROWS, by("AGEP", bins=(25, 18)), "do not ascend"),
        (ROWS | {"SEX": list("abcdef")}, by("SEX", bins=(1,)), "bins need one numeric column"),
        (ROWS | {"SEX": [[1]] * 6}, by("SEX"), "no slice can be made of it"),
    ]
    for rows, spec, message in refused:
        with pytest.raises(UnusableInput, match=message):
            measured(rows, spec)


def test_more_slices_than_anybody_reads_are_refused() -> None:
    many: dict[str, Any] = {name: list(range(1001)) for name in ("id", "label", "candidate", "x")}
    texts = many | {"x": [f"{number}" for number in range(1001)], "y": ["a"] * 1001}
    for rows, spec, rows_at_once in [(many, by("x"), 2000), (texts, by("x", "y"), 2000), (texts, by("x"), 1000)]:
        with pytest.raises(UnusableInput, match="1,001 slices"):
            measured(rows, spec, rows_at_once=rows_at_once)


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("binary", {"metric": "rmse"}, "rmse is no metric of a binary task"),
        ("multiclass", {"metrics": ("auc",)}, "auc is no metric of a multiclass task"),
        ("binary", {"metric": "log_loss"}, "log_loss needs the model's probabilities"),
        ("binary", {"metric": "f1", "cluster": "RAC1P"}, "f1 cannot be measured with rows that belong together"),
        ("binary", {"cluster": "SEX"}, "1 rows have no SEX"),
    ],
)
def test_what_cannot_be_measured_is_refused(task: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableInput, match=message):
        measured(ROWS, task=task, **changes)


def test_a_probability_is_one() -> None:
    scores = {"candidate_score": [0.1] * 5 + [1.5], "baseline_score": [0.5] * 6}
    with pytest.raises(UnusableInput, match=r"candidate_score holds .*1\.5.*; a probability is 0 to 1"):
        measured(ROWS | scores)


@pytest.mark.parametrize(
    ("change", "task", "metric"),
    [
        ({"label": [1] * 6, "candidate_score": [0.5] * 6, "baseline_score": [0.5] * 6}, "binary", "auc"),
        ({"label": [2.0] * 6}, "regression", "r2"),
        ({"label": [1, 1, 1, 1, 1, 1], "cluster": None}, "binary", "accuracy"),
    ],
)
def test_a_primary_metric_that_all_rows_leave_undefined_is_told_at_once(
    change: dict[str, Any], task: Any, metric: str
) -> None:
    clustered = {"cluster": "user"} if "cluster" in change else {}
    rows = ROWS | change | {"user": [7] * 6}
    with pytest.raises(UnusableInput, match=f"{metric} is undefined on these 6 rows"):
        measured(rows, task=task, metric=metric, **clustered)


def test_a_single_row_has_no_rmse_to_compare() -> None:
    rows = {"id": [1], "label": [1.0], "candidate": [2.0], "baseline": [1.5]}
    with pytest.raises(UnusableInput, match="rmse is undefined on these 1 rows"):
        measured(rows, task="regression")
