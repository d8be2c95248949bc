"""The summary numbers that point mode compares."""

from __future__ import annotations

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.rules.measures import measures, notes, parity
from tests.fixtures.predictions import NO_BASELINE, ROWS, by, measured


def test_parity_counts_whom_each_model_selects() -> None:
    report = measured(ROWS, fairness=("SEX", "RAC1P"))
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


def test_measures_are_of_the_primary_metric() -> None:
    assert measures(measured(ROWS, by("SEX"), metric="recall")).overall_accuracy == round(2 / 3, 12)
    errors = {"id": [1, 2, 3, 4], "label": [0.0, 1.0, 2.0, 3.0], "candidate": [0.0, 1.0, 2.0, 5.0], "x": [1, 1, 2, 2]}
    found = measures(measured(errors, by("x"), task="regression"))
    assert (found.overall_accuracy, found.slices) == (1.0, {"x=1": 0.0, "x=2": pytest.approx(2**0.5)})


def test_a_slice_in_which_the_metric_is_undefined_is_left_out() -> None:
    scores = {"candidate_score": [0.9, 0.2, 0.8, 0.6, 0.4, 0.1], "baseline_score": [0.5] * 6}
    found = measures(measured(ROWS | scores | {"x": [1, 1, 1, 1, 1, 2]}, by("x"), metric="auc"))
    assert list(found.slices) == ["x=1"]


def test_a_report_without_a_baseline_has_no_measures_of_it() -> None:
    with pytest.raises(UnusableInput, match="no baseline"):
        measures(measured(NO_BASELINE), "baseline")
