"""The slice gate: Holm over what can be tested, and a list of what cannot."""

from __future__ import annotations

from dataclasses import replace

from gatewright.domain.evaluation import EvaluationReport, PairedEstimate, SliceEvidence
from gatewright.domain.gate import AucGate, SliceGate, Verdict
from gatewright.rules.gates.slices import judge_auc, judge_slices
from tests.fixtures.cells import evidence, report


def cells(right: int, worse: int, better: int, wrong: int) -> SliceEvidence:
    return evidence([right, better, worse, wrong, 0, 0, 0, 0])


def of_slices(**slices: SliceEvidence) -> EvaluationReport:
    return report([100, 0, 0, 0, 0, 0, 0, 0], slices=slices)


LARGE = cells(9000, 50, 50, 900)


def test_passes_when_a_drop_would_have_been_found_everywhere() -> None:
    result = judge_slices(SliceGate(), of_slices(a=LARGE, b=LARGE))
    assert result.verdict is Verdict.PASS
    assert "would have been found in each" in result.why
    assert all(found.mde is not None and found.mde < 0.04 for found in result.comparisons)


def test_names_the_slice_that_drops_with_its_corrected_p() -> None:
    result = judge_slices(SliceGate(), of_slices(a=LARGE, b=cells(500, 160, 10, 130), c=LARGE))
    assert result.verdict is Verdict.FAIL
    assert result.evidence["failed"] == ["b"]
    worst = result.comparisons[0]
    assert (worst.slice, worst.verdict) == ("b", Verdict.FAIL)
    assert worst.p is not None
    assert worst.p_adjusted is not None
    assert worst.p < worst.p_adjusted < 0.025
    assert (
        "1 of 3 slices drops significantly; the worst is b: 0.6375 is 0.1875 below the baseline's 0.825" in result.why
    )


def test_correction_counts_every_slice_that_is_tested() -> None:
    """p .012 alone is significant at .025, among twenty slices it is not."""
    suspect = cells(900, 22, 8, 70)
    assert judge_slices(SliceGate(), of_slices(suspect=suspect)).verdict is Verdict.FAIL
    many = {f"s{number}": LARGE for number in range(19)}
    assert judge_slices(SliceGate(), of_slices(suspect=suspect, **many)).verdict is not Verdict.FAIL


def test_a_large_drop_in_few_rows_is_inconclusive_and_told_first() -> None:
    result = judge_slices(SliceGate(), of_slices(a=LARGE, tiny=cells(40, 8, 2, 10), small=cells(140, 6, 6, 20)))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.warns
    first = result.comparisons[0]
    assert (first.slice, first.note) == ("tiny", "under 100 rows")
    assert "of these tiny seems to drop by 0.1" in result.why
    small = next(found for found in result.comparisons if found.slice == "small")
    assert small.mde is not None
    assert small.mde > 0.04
    assert small.needed_rows is not None
    assert small.needed_rows > small.rows


def test_the_rows_it_asks_for_do_suffice() -> None:
    """The same shares on as many rows as it asked for can be tested."""
    few = cells(140, 6, 6, 20)
    (found,) = judge_slices(SliceGate(), of_slices(few=few)).comparisons
    assert found.needed_rows is not None
    factor = found.needed_rows / few.rows * 1.02
    enough = cells(*(round(number * factor) for number in (140, 6, 6, 20)))
    assert judge_slices(SliceGate(), of_slices(few=enough)).verdict is Verdict.PASS


def test_nothing_to_test_is_no_pass() -> None:
    assert judge_slices(SliceGate(), of_slices(tiny=cells(40, 0, 0, 10))).verdict is Verdict.INCONCLUSIVE
    assert judge_slices(SliceGate(), of_slices()).verdict is Verdict.INCONCLUSIVE
    empty = judge_slices(SliceGate(), of_slices(nobody=cells(0, 0, 0, 0)))
    assert empty.verdict is Verdict.INCONCLUSIVE


def test_a_significant_drop_of_no_size_does_not_fail() -> None:
    """Half a point in a hundred thousand rows: real, and below min_effect."""
    result = judge_slices(SliceGate(), of_slices(a=cells(90_000, 1000, 500, 8500)))
    assert result.verdict is Verdict.PASS
    assert result.comparisons[0].note.startswith("suspected")
    assert result.evidence["suspected"] == ["a"]


def test_one_that_blocks_says_so() -> None:
    result = judge_slices(SliceGate(on_inconclusive="block"), of_slices(tiny=cells(40, 0, 0, 10)))
    assert not result.warns


def with_auc(candidate: float, baseline: float, error: float, rows: int = 2000) -> SliceEvidence:
    score = PairedEstimate(
        rows=rows,
        candidate=candidate,
        candidate_var=error**2,
        baseline=baseline,
        baseline_var=error**2,
        covariance=error**2 / 2,
    )
    return SliceEvidence(rows=rows, cells=(rows, 0, 0, 0, 0, 0, 0, 0), scores={"auc": score})


def test_auc_is_tested_on_all_rows_and_on_each_slice() -> None:
    found = replace(
        of_slices(a=with_auc(0.80, 0.90, 0.01), b=with_auc(0.9, 0.9, 0.005)), overall=with_auc(0.9, 0.9, 0.002)
    )
    result = judge_auc(AucGate(), found)
    assert result.verdict is Verdict.FAIL
    assert result.evidence["failed"] == ["a"]
    assert result.evidence["tested"] == 3
    assert {one.slice for one in result.comparisons} == {"all rows", "a", "b"}


def test_auc_that_was_not_measured_is_no_pass() -> None:
    result = judge_auc(AucGate(), of_slices(a=LARGE))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "answers no probabilities" in result.why


def test_auc_of_one_class_is_told_as_undefined() -> None:
    found = replace(of_slices(a=LARGE), overall=with_auc(0.9, 0.9, 0.002))
    result = judge_auc(AucGate(), found)
    undefined = next(one for one in result.comparisons if one.slice == "a")
    assert (undefined.verdict, undefined.note) == (Verdict.INCONCLUSIVE, "only one class occurs")


def mean(value: float, baseline: float = 2.0) -> PairedEstimate:
    return PairedEstimate(
        rows=5000, candidate=value, candidate_var=1e-6, baseline=baseline, baseline_var=1e-6, covariance=0.9e-6
    )


def of_means(metric: str, **slices: SliceEvidence) -> EvaluationReport:
    overall = SliceEvidence(rows=5000, scores={metric: mean(2.0)})
    return replace(
        of_slices(), task="regression", metric=metric, metrics=(metric,), outcomes=(), overall=overall, slices=slices
    )


def test_a_slice_of_one_row_has_no_rmse_and_the_others_are_judged() -> None:
    slices = {"a": SliceEvidence(rows=5000, scores={"rmse": mean(3.0)}), "one": SliceEvidence(rows=1)}
    result = judge_slices(SliceGate(), of_means("rmse", **slices))
    assert result.evidence["failed"] == ["a"]
    assert result.evidence["not_tested"] == ["one"]


def test_a_share_of_a_baseline_without_error_is_not_defined() -> None:
    perfect = SliceEvidence(rows=5000, scores={"rmse": mean(0.1, baseline=0.0)})
    result = judge_slices(SliceGate(), of_means("rmse", perfect=perfect))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.comparisons[0].note == "RMSE is not defined here"


def test_a_slice_of_one_cluster_does_not_undo_the_clusters_of_the_others() -> None:
    """The counts say p < .001; the rows belong together, and the standard error of .02 says that it may be chance."""
    counted = cells(500, 30, 5, 465)
    dependent = PairedEstimate(
        rows=1000, candidate=0.505, candidate_var=2e-4, baseline=0.53, baseline_var=2e-4, covariance=0.0
    )
    slices = {"a": replace(counted, scores={"accuracy": dependent}), "single": cells(200, 0, 0, 0)}
    overall = replace(counted, scores={"accuracy": dependent})
    result = judge_slices(SliceGate(), replace(of_slices(**slices), overall=overall))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert {found.slice: found.verdict for found in result.comparisons}["single"] is Verdict.INCONCLUSIVE


def test_f1_of_rows_in_which_nobody_is_positive_is_no_pass() -> None:
    """0 against 0: neither label nor answer of this slice is positive."""
    found = replace(of_slices(nobody=cells(9000, 0, 0, 0)), metric="f1")
    (nobody,) = judge_slices(SliceGate(), found).comparisons
    assert nobody.verdict is Verdict.INCONCLUSIVE
    assert nobody.note == "F1 is not defined here"
