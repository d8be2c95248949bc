"""Evaluation reports, of this release and an older one, as far as a page shows them."""

from __future__ import annotations

from typing import Any

import pytest

from gatewright.domain.errors import ReportError
from gatewright.rules.summary import summary
from gatewright.web.measured import measured, measured_in
from tests.unit.web.judgements import evaluation
from tests.unit.web.test_markdown import older


def test_a_report_from_its_file_is_the_one_in_memory() -> None:
    assert measured_in({**summary(evaluation()), "warnings": ["w"]}) == measured(evaluation())


def test_the_selection_rate_counts_positive_predictions() -> None:
    group = measured(evaluation()).groups[0]
    # Outcomes run over label, candidate, baseline: (30, 5, 5, 10, 4, 3, 3, 30).
    assert group.candidate == pytest.approx((5 + 10 + 3 + 30) / 90)
    assert group.baseline == pytest.approx((5 + 10 + 3 + 30) / 90)


def test_an_older_report_has_plain_numbers_and_no_bound() -> None:
    found = measured_in(older()["evaluation-report"].body)
    assert found.candidate_latency is not None
    assert found.candidate_latency.p99_upper_ms == found.candidate_latency.p99_ms == 1.0
    assert found.slices[0].slice == "SEX=1"
    assert found.slices[0].change == pytest.approx(-0.08)
    assert found.groups[0].candidate == 0.25


@pytest.mark.parametrize("body", [{}, {"metric_version": "accuracy/1"}, {"metric_version": "accuracy/1", "counts": []}])
def test_something_else_is_no_report(body: dict[str, Any]) -> None:
    with pytest.raises(ReportError):
        measured_in(body)
