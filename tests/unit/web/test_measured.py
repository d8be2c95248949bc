"""Evaluation reports, as far as a page shows them."""

from __future__ import annotations

from typing import Any

import pytest

from gatewright.domain.errors import ReportError
from gatewright.rules.summary import summary
from gatewright.web.measured import measured, measured_in
from tests.unit.web.judgements import evaluation


def test_a_report_from_its_file_is_the_one_in_memory() -> None:
    assert measured_in({**summary(evaluation()), "warnings": ["w"]}) == measured(evaluation())


def test_the_selection_rate_counts_positive_predictions() -> None:
    group = measured(evaluation()).groups[0]
    # Outcomes run over label, candidate, baseline: (30, 5, 6, 10, 4, 2, 3, 30).
    assert group.candidate == pytest.approx((6 + 10 + 3 + 30) / 90)
    assert group.baseline == pytest.approx((5 + 10 + 2 + 30) / 90)


@pytest.mark.parametrize("body", [{}, {"metric_version": "accuracy/1"}])
def test_something_else_is_no_report(body: dict[str, Any]) -> None:
    with pytest.raises(ReportError):
        measured_in(body)
