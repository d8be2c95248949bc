"""The overall gate: non-inferiority with a margin, and what it says when the rows are too few."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import EvaluationReport, PairedEstimate, SliceEvidence
from gatewright.domain.gate import OverallGate, Verdict
from gatewright.rules.gates.overall import judge_overall
from tests.fixtures.cells import report

# Right by both, worse, better, wrong by both, of rows whose label is 0; see OUTCOMES.
RIGHT, WORSE, BETTER, WRONG = 0, 2, 1, 3


def counted(right: int, worse: int, better: int, wrong: int) -> EvaluationReport:
    cells = [0] * 8
    cells[RIGHT], cells[WORSE], cells[BETTER], cells[WRONG] = right, worse, better, wrong
    return report(cells)


def measured(
    candidate: float, baseline: float, spread: float, rows: int = 1000, metric: str = "rmse"
) -> EvaluationReport:
    """A mean metric whose difference has the standard error `spread`."""
    score = PairedEstimate(
        rows=rows,
        candidate=candidate,
        candidate_var=spread**2 / 2,
        baseline=baseline,
        baseline_var=spread**2 / 2,
        covariance=0.0,
    )
    evidence = SliceEvidence(rows=rows, scores={metric: score})
    return replace(counted(1, 0, 0, 0), task="regression", metric=metric, overall=evidence, outcomes=())


def test_passes_when_the_margin_is_excluded() -> None:
    result = judge_overall(OverallGate(), counted(8900, 50, 50, 1000))
    assert result.verdict is Verdict.PASS
    (found,) = result.comparisons
    assert found.harm is not None
    assert found.harm.value == 0.0
    assert 0.0 < found.harm.high < 0.02
    assert found.rows == 10_000
    assert found.candidate == found.baseline == 0.895


def test_fails_when_the_measured_drop_exceeds_the_margin() -> None:
    result = judge_overall(OverallGate(), counted(8700, 260, 40, 1000))
    assert result.verdict is Verdict.FAIL
    assert "0.022 below the baseline's" in result.why
    assert "more than the margin of 0.02" in result.why


def test_says_how_many_rows_would_decide() -> None:
    result = judge_overall(OverallGate(), counted(88, 2, 2, 8))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.needed_n is not None
    assert result.needed_n > 100
    assert f"about {result.needed_n:,} rows would decide" in result.why
    assert not result.warns


def test_no_disagreement_in_a_handful_of_rows_proves_nothing() -> None:
    """A normal interval would have no width here, and would pass five rows."""
    assert judge_overall(OverallGate(), counted(5, 0, 0, 0)).verdict is Verdict.INCONCLUSIVE
    assert judge_overall(OverallGate(), counted(2000, 0, 0, 0)).verdict is Verdict.PASS


def test_a_small_significant_regression_is_allowed_unless_said_otherwise() -> None:
    small = counted(8700, 200, 60, 1040)
    assert judge_overall(OverallGate(), small).verdict is Verdict.PASS
    strict = judge_overall(OverallGate(allow_small_regression=False), small)
    assert strict.verdict is Verdict.FAIL
    assert "a significant regression" in strict.why
    tiny = counted(98_000, 800, 700, 500)
    assert judge_overall(OverallGate(allow_small_regression=False), tiny).verdict is Verdict.PASS


@pytest.mark.parametrize(("floor", "verdict"), [(0.89, Verdict.PASS), (0.9, Verdict.FAIL)])
def test_the_floor_is_absolute(floor: float, verdict: Verdict) -> None:
    result = judge_overall(OverallGate(min=floor), counted(8900, 50, 50, 1000))
    assert result.verdict is verdict
    assert result.comparisons[1].kind == "level"
    assert result.comparisons[1].limit == floor


def test_the_floor_decides_alone_without_a_baseline() -> None:
    first = replace(counted(8900, 50, 50, 1000), baseline_digest=None)
    assert judge_overall(OverallGate(min=0.7), first).verdict is Verdict.PASS
    assert judge_overall(OverallGate(min=0.95), first).verdict is Verdict.FAIL


def test_an_error_is_judged_the_other_way_round_and_in_shares_of_the_baseline() -> None:
    assert judge_overall(OverallGate(), measured(100.0, 100.0, 0.5)).verdict is Verdict.PASS
    worse = judge_overall(OverallGate(), measured(103.0, 100.0, 0.5))
    assert worse.verdict is Verdict.FAIL
    assert "103 is 3 % above the baseline's 100" in worse.why
    assert judge_overall(OverallGate(), measured(97.0, 100.0, 0.5)).verdict is Verdict.PASS
    wide = judge_overall(OverallGate(), measured(100.0, 100.0, 5.0))
    assert wide.verdict is Verdict.INCONCLUSIVE
    assert wide.needed_n is not None


def test_a_ceiling_is_the_floor_of_an_error() -> None:
    assert judge_overall(OverallGate(max=99.0), measured(100.0, 100.0, 0.5)).verdict is Verdict.FAIL
    assert judge_overall(OverallGate(max=101.0), measured(100.0, 100.0, 0.5)).verdict is Verdict.PASS


@pytest.mark.parametrize("metric", ["precision", "f1", "balanced_accuracy", "recall"])
def test_other_counts_are_judged_by_resampling_them(metric: str) -> None:
    cells = [4000, 60, 60, 400, 300, 50, 50, 3000]
    same = judge_overall(OverallGate(), replace(report(cells), metric=metric), seed=1)
    assert same.verdict is Verdict.PASS
    again = judge_overall(OverallGate(), replace(report(cells), metric=metric), seed=1)
    assert same == again
    lost = [3400, 60, 660, 400, 300, 650, 50, 2400]
    assert judge_overall(OverallGate(), replace(report(lost), metric=metric)).verdict is Verdict.FAIL


def test_a_metric_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(UnusableInput, match="auc was not measured"):
        judge_overall(OverallGate(), replace(counted(900, 5, 5, 90), metric="auc"))


def test_a_drop_beyond_the_margin_that_may_be_chance_is_inconclusive() -> None:
    """Of 300 rows 30 differ, 19 of them for the worse: 2.7 points, p about .08."""
    result = judge_overall(OverallGate(), counted(240, 19, 11, 30))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "more than the margin of 0.02, but it may be chance" in result.why
    assert result.needed_n is not None
    factor = result.needed_n / 300 * 1.1
    more = counted(*(round(number * factor) for number in (240, 19, 11, 30)))
    assert judge_overall(OverallGate(), more).verdict is Verdict.FAIL


def test_at_alpha_one_half_the_bound_is_the_measured_drop() -> None:
    gate = OverallGate(margin=0.02, alpha=0.5)
    result = judge_overall(gate, counted(9000, 60, 50, 890))
    assert result.verdict is Verdict.PASS
    harm = result.comparisons[0].harm
    assert harm is not None
    assert harm.high == pytest.approx(0.001, abs=1e-6)


def test_two_equal_differences_of_a_mean_prove_nothing() -> None:
    result = judge_overall(OverallGate(), measured(1.0, 1.0, 0.0, rows=2))
    assert (result.verdict, result.needed_n) == (Verdict.INCONCLUSIVE, 30)
    assert "not enough evidence in 2 rows" in result.why
    assert judge_overall(OverallGate(), measured(1.0, 1.0, 0.0, rows=30)).verdict is Verdict.PASS


def test_confidence_is_told_as_it_is() -> None:
    assert "with 97.5 % confidence" in judge_overall(OverallGate(alpha=0.025), counted(9000, 50, 50, 900)).why
