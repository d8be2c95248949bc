"""Counts per slice and group, the summary made of them, and the way back."""

from __future__ import annotations

import copy
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.domain.accuracy_counts import EvaluationReport, GroupCounts, Latency, SliceCounts
from gatewright.domain.documents import plain
from gatewright.domain.errors import ReportError, UnusableInput
from gatewright.domain.project import EvaluationSection, FairnessSection, SliceSpec
from gatewright.rules.evaluation import evaluate, measures, notes, parity, report_from, summary

QUICK = Latency(p50_ms=1.0, p99_ms=2.5, samples=1000)
SLOW = Latency(p50_ms=2.0, p99_ms=5.0, samples=1000)
ROWS = {
    "id": [1, 2, 3, 4, 5, 6],
    "label": [1, 0, 1, 0, 1, 0],
    "candidate": [1, 0, 1, 1, 0, 0],
    "baseline": [1, 1, 1, 1, 0, 0],
    "SEX": [1, 1, 2, 2, 2, None],
    "RAC1P": [1, 6, 1, 6, 6, 1],
    "AGEP": [17, 18, 24, 25, 65, None],
}


def measured(
    rows: dict[str, Any] | pl.DataFrame, *slices: SliceSpec, fairness: tuple[str, ...] = ()
) -> EvaluationReport:
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    has_baseline = "baseline" in frame.columns
    return evaluate(
        frame,
        EvaluationSection(label="employed", slices=slices),
        FairnessSection(attributes=fairness),
        model="employment",
        candidate_digest="sha256:c",
        baseline_digest="sha256:b" if has_baseline else None,
        evaluation_digest="sha256:e",
        candidate_latency=QUICK,
        baseline_latency=SLOW if has_baseline else None,
    )


def by(*columns: str, bins: tuple[float, ...] | None = None) -> SliceSpec:
    return SliceSpec(columns=columns, bins=bins)


def test_counts_overall_and_per_value() -> None:
    report = measured(ROWS, by("SEX"))
    assert report.overall == SliceCounts(rows=6, candidate=4, baseline=3)
    assert report.slices == {
        "SEX=1": SliceCounts(rows=2, candidate=2, baseline=1),
        "SEX=2": SliceCounts(rows=3, candidate=1, baseline=1),
        "SEX=null": SliceCounts(rows=1, candidate=1, baseline=1),
    }
    assert list(report.slices) == ["SEX=1", "SEX=2", "SEX=null"]


def test_bins_are_half_open_and_name_what_lies_outside() -> None:
    report = measured(ROWS, by("AGEP", bins=(18, 25, 65)))
    assert {name: counts.rows for name, counts in report.slices.items()} == {
        "AGEP<18": 1,
        "AGEP=[18,25)": 2,
        "AGEP=[25,65)": 1,
        "AGEP>=65": 1,
        "AGEP=null": 1,
    }
    assert list(measured(ROWS, by("AGEP", bins=(24.5,))).slices) == ["AGEP<24.5", "AGEP>=24.5", "AGEP=null"]


def test_intersections() -> None:
    report = measured(ROWS, by("SEX", "RAC1P"))
    assert list(report.slices) == [
        "SEX=1 & RAC1P=1",
        "SEX=1 & RAC1P=6",
        "SEX=2 & RAC1P=1",
        "SEX=2 & RAC1P=6",
        "SEX=null & RAC1P=1",
    ]
    assert report.slices["SEX=2 & RAC1P=6"] == SliceCounts(rows=2, candidate=0, baseline=0)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1.0, 2.5, float("nan")], ["x=1", "x=2.5", "x=null"]),
        ([True, False, None], ["x=false", "x=true", "x=null"]),
        (["b", "a", ""], ['x=""', "x=a", "x=b"]),
        (["null", None, "a & y=1"], ['x="a & y=1"', 'x="null"', "x=null"]),
    ],
)
def test_names_of_values(values: list[Any], names: list[str]) -> None:
    rows = {"id": [1, 2, 3], "label": [1, 0, 1], "candidate": [1, 0, 1], "x": values}
    assert list(measured(rows, by("x")).slices) == names


def test_without_a_baseline_nothing_is_said_about_one() -> None:
    report = measured({name: values for name, values in ROWS.items() if name != "baseline"}, by("SEX"))
    assert report.overall == SliceCounts(rows=6, candidate=4)
    assert summary(report)["baseline"] is None
    with pytest.raises(UnusableInput, match="no baseline"):
        measures(report, "baseline")


def test_parity_counts_whom_each_model_selects() -> None:
    report = measured(ROWS, fairness=("SEX", "RAC1P"))
    assert report.parity["SEX"] == {
        "1": GroupCounts(rows=2, candidate=1, baseline=2),
        "2": GroupCounts(rows=3, candidate=2, baseline=2),
        "null": GroupCounts(rows=1, candidate=0, baseline=0),
    }
    found = parity(report, "candidate", min_rows=2)
    assert (found.attribute, found.highest, found.lowest, found.left_out) == ("RAC1P", "1", "6", ("SEX=null",))
    assert found.difference == pytest.approx(2 / 3 - 1 / 3)
    before = parity(report, "baseline", min_rows=2)
    assert (before.attribute, before.highest, before.lowest) == ("SEX", "1", "2")
    assert before.difference == pytest.approx(1 / 3)
    assert "fairness: groups under 2 rows are left out: SEX=null" in notes(report, min_rows=2)


def test_parity_without_two_large_groups_is_unknown() -> None:
    report = measured(ROWS, fairness=("SEX",))
    assert parity(report, "candidate", min_rows=3).difference is None
    assert measures(report, "candidate", min_rows=3).demographic_parity_diff is None
    assert measures(measured(ROWS)).demographic_parity_diff is None


def test_measures() -> None:
    report = measured(ROWS, by("SEX"), fairness=("SEX",))
    candidate, baseline = measures(report, "candidate", 1), measures(report, "baseline", 1)
    assert candidate.overall_accuracy == round(4 / 6, 12)
    assert candidate.slices == {"SEX=1": 1.0, "SEX=2": round(1 / 3, 12), "SEX=null": 1.0}
    assert candidate.slice_rows == {"SEX=1": 2, "SEX=2": 3, "SEX=null": 1}
    assert (candidate.latency_p99_ms, baseline.latency_p99_ms) == (2.5, 5.0)
    assert (candidate.rows, baseline.overall_accuracy) == (6, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidate": [1, 0, None, 1, 0, 0]}, "1 rows have no candidate"),
        ({"baseline": [1.0, 0.0, float("nan"), 1, 0, 0]}, "1 rows have no baseline"),
        ({"label": [None] * 6}, "6 rows have no label"),
        ({"id": [1, 1, 1, 2, 3, 4]}, "2 rows repeat an id"),
        ({"candidate": ["1", "0", "1", "1", "0", "0"]}, "candidate is String but label is Int64"),
        ({"candidate": [True] * 6}, "candidate is Boolean but label is Int64"),
        ({"label": [0] * 6}, "no label is 1"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableInput, match=message):
        measured(ROWS | change, fairness=("SEX",))


def test_tables_that_cannot_be_judged_are_refused() -> None:
    with pytest.raises(UnusableInput, match="no rows"):
        measured(pl.DataFrame(ROWS).clear())
    with pytest.raises(UnusableInput, match="the predictions lack DIS"):
        measured(ROWS, by("DIS"))
    with pytest.raises(UnusableInput, match="cannot be called label"):
        measured(ROWS, by("label"))
    with pytest.raises(UnusableInput, match="do not ascend"):
        measured(ROWS, by("AGEP", bins=(25, 18)))
    with pytest.raises(UnusableInput, match="bins need one numeric column"):
        measured(ROWS | {"SEX": list("abcdef")}, by("SEX", bins=(1,)))
    many = {name: list(range(1001)) for name in ("id", "label", "candidate", "x")}
    with pytest.raises(UnusableInput, match="1,001 slices"):
        measured(many, by("x"))


def test_the_summary_is_the_simple_form_with_the_counts() -> None:
    body = summary(measured(ROWS, by("SEX"), fairness=("RAC1P",)), min_rows=1)
    assert body["overall_accuracy"] == round(4 / 6, 12)
    assert body["latency_p99_ms"] == 2.5
    assert body["baseline"]["overall_accuracy"] == 0.5
    assert body["counts"]["slices"]["SEX=2"] == {"rows": 3, "candidate": 1, "baseline": 1}
    assert body["counts"]["candidate_latency"] == {"p50_ms": 1.0, "p99_ms": 2.5, "samples": 1000}


VALUES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1), st.one_of(st.none(), st.integers(0, 3))),
    min_size=1,
    max_size=40,
)


@given(VALUES, st.booleans())
def test_the_summary_can_be_read_back(values: list[tuple[int, int, int, int | None]], has_baseline: bool) -> None:
    label, candidate, baseline, group = (list(column) for column in zip(*values, strict=True))
    rows = {"id": list(range(len(values))), "label": [1, *label[1:]], "candidate": candidate, "x": group}
    report = measured(rows | ({"baseline": baseline} if has_baseline else {}), by("x"), fairness=("x",))
    assert sum(counts.rows for counts in report.slices.values()) == len(values)
    assert report_from(json.loads(json.dumps(plain(summary(report))))) == report


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("counts",), None, "counts: is missing"),
        (("counts", "overall", "rows"), 0, r"counts\.overall\.rows: is 0, not a whole number from 1"),
        (("counts", "overall", "candidate"), 7, "not a whole number from 0 to 6"),
        (("counts", "overall", "candidate"), True, "is True"),
        (("counts", "overall", "candidate"), "4", "is '4'"),
        (("counts", "overall", "baseline"), None, "is None"),
        (("counts", "slices", "SEX=1", "candidat"), 1, r"SEX=1\.candidat: is not known"),
        (("counts", "slices", "SEX=1"), 4, "is 4, not an object"),
        (("counts", "parity"), [], "not an object"),
        (("counts", "candidate_latency", "p99_ms"), float("nan"), "p99_ms: is nan"),
        (("counts", "candidate_latency", "samples"), 0, "samples"),
        (("baseline_digest",), None, "the report names no baseline"),
        (("metric_version",), "accuracy/2", "this release reads 'accuracy/1'"),
        (("model",), 4, "model: is 4, not text"),
        (("notes",), "none", "notes"),
    ],
)
def test_a_report_that_was_tampered_with_is_refused(path: tuple[str, ...], value: Any, message: str) -> None:
    body = copy.deepcopy(plain(summary(measured(ROWS, by("SEX"), fairness=("SEX",)))))
    inner = body
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    with pytest.raises(ReportError, match=message):
        report_from(body)
