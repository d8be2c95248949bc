"""The fairness gate: the cap, and a worsening that is shown or excluded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatewright.domain.evaluation import EvaluationReport, SliceEvidence
from gatewright.domain.gate import FairnessGate, Verdict
from gatewright.domain.metrics import FairnessMetric
from gatewright.rules.gates.fairness import judge_fairness
from tests.fixtures.cells import evidence, report

PARITY: FairnessMetric = "demographic_parity_difference"


def group(rows: int, candidate: float, baseline: float) -> SliceEvidence:
    """Rows with label 1, of which each model selects a share; the models differ on as few rows as possible."""
    both = round(rows * min(candidate, baseline))
    only_candidate = round(rows * candidate) - both
    only_baseline = round(rows * baseline) - both
    rest = rows - both - only_candidate - only_baseline
    return evidence([0, 0, 0, 0, rest, only_baseline, only_candidate, both])


def of_groups(**groups: SliceEvidence) -> EvaluationReport:
    return report([1, 0, 0, 0, 0, 0, 0, 0], groups={"SEX": groups})


def test_passes_when_the_gap_is_narrow_and_no_wider() -> None:
    result = judge_fairness(FairnessGate(), of_groups(m=group(5000, 0.5, 0.5), f=group(5000, 0.45, 0.45)))
    assert result.verdict is Verdict.PASS
    assert "demographic parity difference of SEX 0.05 (m and f) is within the cap of 0.2" in result.why
    assert "a worsening of 0.05 is excluded" in result.why


def test_a_gap_above_the_cap_fails() -> None:
    result = judge_fairness(FairnessGate(), of_groups(m=group(5000, 0.7, 0.7), f=group(5000, 0.45, 0.45)))
    assert result.verdict is Verdict.FAIL
    assert "above the cap of 0.2" in result.why


def test_a_ratchet_lets_an_old_gap_be_but_not_grow() -> None:
    gate = FairnessGate(already_over="ratchet")
    same = judge_fairness(gate, of_groups(m=group(5000, 0.7, 0.7), f=group(5000, 0.45, 0.45)))
    assert same.verdict is Verdict.PASS
    assert "(ratchet)" in same.why
    grown = judge_fairness(gate, of_groups(m=group(5000, 0.71, 0.7), f=group(5000, 0.45, 0.45)))
    assert grown.verdict is Verdict.FAIL
    new = judge_fairness(gate, of_groups(m=group(5000, 0.7, 0.6), f=group(5000, 0.45, 0.45)))
    assert new.verdict is Verdict.FAIL


def test_a_significant_worsening_fails_below_the_cap() -> None:
    result = judge_fairness(FairnessGate(), of_groups(m=group(5000, 0.5, 0.46), f=group(5000, 0.45, 0.45)))
    assert result.verdict is Verdict.FAIL
    assert "a significant worsening" in result.why
    change = next(found for found in result.comparisons if found.kind == "change")
    assert change.harm is not None
    assert change.harm.low < change.harm.value < change.harm.high


def test_a_worsening_that_is_neither_shown_nor_excluded_only_warns() -> None:
    rough = evidence([0, 0, 0, 0, 40, 40, 40, 80])
    result = judge_fairness(FairnessGate(), of_groups(m=rough, f=rough))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.warns
    assert result.needed_n is not None
    assert result.needed_n > 400
    assert not judge_fairness(FairnessGate(on_inconclusive_change="block"), of_groups(m=rough, f=rough)).warns


def test_small_groups_are_left_out_and_named() -> None:
    result = judge_fairness(
        FairnessGate(), of_groups(m=group(5000, 0.5, 0.5), f=group(5000, 0.5, 0.5), x=group(50, 1.0, 1.0))
    )
    assert result.verdict is Verdict.PASS
    assert result.evidence["groups_left_out"] == ["SEX=x"]
    assert "groups left out as too small: SEX=x" in result.why


def test_a_gap_that_cannot_be_known_blocks() -> None:
    result = judge_fairness(FairnessGate(), of_groups(m=group(5000, 0.5, 0.5), x=group(50, 1.0, 1.0)))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert not result.warns
    assert judge_fairness(FairnessGate(on_inconclusive="warn"), of_groups(m=group(500, 0.5, 0.5))).warns


def test_only_the_cap_counts_without_a_baseline() -> None:
    first = replace(of_groups(m=group(5000, 0.5, 0.5), f=group(5000, 0.45, 0.45)), baseline_digest=None)
    result = judge_fairness(FairnessGate(), first)
    assert result.verdict is Verdict.PASS
    assert [found.kind for found in result.comparisons] == ["level"]


@pytest.mark.parametrize(
    "metric",
    [PARITY, "demographic_parity_ratio", "equalized_odds_difference", "equal_opportunity_difference"],
)
def test_every_gap_can_be_judged(metric: FairnessMetric) -> None:
    fair = of_groups(m=group(5000, 0.5, 0.5), f=group(5000, 0.48, 0.48))
    assert judge_fairness(FairnessGate(metric=metric), fair).verdict is Verdict.PASS
    unfair = of_groups(m=group(5000, 0.8, 0.5), f=group(5000, 0.48, 0.48))
    assert judge_fairness(FairnessGate(metric=metric), unfair).verdict is Verdict.FAIL


def test_several_gaps_share_the_level() -> None:
    fair = of_groups(m=group(5000, 0.5, 0.5), f=group(5000, 0.48, 0.48))
    gate = FairnessGate(metric=(PARITY, "equal_opportunity_difference"))
    result = judge_fairness(gate, fair)
    changes = [found for found in result.comparisons if found.kind == "change"]
    assert len(changes) == 2
    assert all(
        found.p is not None and found.p_adjusted is not None and found.p <= found.p_adjusted for found in changes
    )


def test_the_same_seed_gives_the_same_numbers() -> None:
    rows = of_groups(m=group(500, 0.52, 0.5), f=group(500, 0.48, 0.48))
    assert judge_fairness(FairnessGate(), rows, seed=4) == judge_fairness(FairnessGate(), rows, seed=4)


def test_an_attribute_without_a_gap_is_not_covered_by_another_one() -> None:
    known = {"m": group(5000, 0.5, 0.5), "f": group(5000, 0.45, 0.45)}
    alone = {"1": group(5000, 0.5, 0.5), "2": group(30, 0.9, 0.9)}
    both = replace(of_groups(), groups={"SEX": known, "RAC1P": alone})
    result = judge_fairness(FairnessGate(), both)
    assert (result.verdict, result.warns) == (Verdict.INCONCLUSIVE, False)
    assert "no gap is known of demographic parity difference of RAC1P" in result.why
    assert judge_fairness(FairnessGate(on_inconclusive="warn"), both).warns


def test_one_group_with_positive_labels_is_no_equal_opportunity() -> None:
    nobody = evidence([4000, 0, 0, 1000, 0, 0, 0, 0])
    gate = FairnessGate(metric="equal_opportunity_difference")
    result = judge_fairness(gate, of_groups(m=group(5000, 0.5, 0.5), f=nobody))
    assert (result.verdict, result.warns) == (Verdict.INCONCLUSIVE, False)
    assert "equal opportunity difference of SEX is not defined in two groups" in result.why


def test_a_ratio_beside_a_baseline_that_selects_nobody_cannot_be_compared() -> None:
    groups = {"m": group(5000, 0.5, 0.0), "f": group(5000, 0.45, 0.0)}
    result = judge_fairness(FairnessGate(metric="demographic_parity_ratio"), of_groups(**groups))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "the change of demographic parity ratio of SEX cannot be told" in result.why


def test_a_model_without_classes_selects_nobody() -> None:
    numbers = SliceEvidence(rows=5000)
    regression = replace(of_groups(m=numbers, f=numbers), task="regression", outcomes=())
    result = judge_fairness(FairnessGate(), regression)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "a regression model answers no classes" in result.why
