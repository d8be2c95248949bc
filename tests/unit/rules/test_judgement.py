"""The whole judgement: agenda, verdicts that add up, waivers, the golden version, calibration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import CalibrationBins, EvaluationReport, Latency, LatencyRatio, SliceEvidence
from gatewright.domain.gate import (
    CalibrationGate,
    FairnessGate,
    GateResult,
    GoldenGate,
    Judgement,
    LatencyGate,
    OverallGate,
    SliceGate,
    Verdict,
    Waiver,
)
from gatewright.domain.project import GatesSection
from gatewright.rules.gates.calibration import judge_calibration
from gatewright.rules.gates.explanation import explained
from gatewright.rules.gates.golden import judge_golden
from gatewright.rules.gates.latency import judge_latency
from gatewright.rules.judgement import judge
from tests.fixtures.cells import evidence, report

TODAY = date(2026, 11, 26)


def cells(right: int, worse: int, better: int, wrong: int) -> SliceEvidence:
    """Rows labelled 0, by which of the two models is right."""
    return evidence([right, better, worse, wrong, 0, 0, 0, 0])


GOOD = cells(9000, 50, 50, 900)
BAD = cells(500, 160, 10, 130)
SMALL = cells(140, 6, 6, 20)


def a_report(**slices: SliceEvidence) -> EvaluationReport:
    groups = {"SEX": {"1": GOOD, "2": GOOD}}
    return report(GOOD.cells, slices=slices or {"a": GOOD}, groups=groups)


def verdicts(judgement: Judgement) -> dict[str, Verdict]:
    return {result.gate: result.verdict for result in judgement.results}


def waiver(**more: object) -> Waiver:
    values = {"gate": "slices", "slice": "b", "reason": "form 7", "by": "ada", "expires": TODAY, **more}
    return Waiver(**values)  # type: ignore[arg-type]


def test_statistical_is_the_default_and_all_four_decide() -> None:
    judgement = judge(GatesSection(), a_report(), today=TODAY)
    assert judgement.mode == "statistical"
    assert list(verdicts(judgement)) == ["overall", "slices", "fairness", "latency"]
    assert judgement.verdict is Verdict.PASS


def test_the_same_report_gives_the_same_judgement() -> None:
    assert judge(GatesSection(), a_report(), today=TODAY) == judge(GatesSection(), a_report(), today=TODAY)


def test_a_gate_that_only_warns_lets_the_run_go_on_and_says_so() -> None:
    judgement = judge(GatesSection(), a_report(a=GOOD, small=SMALL), today=TODAY)
    assert verdicts(judgement)["slices"] is Verdict.INCONCLUSIVE
    assert judgement.verdict is Verdict.PASS
    assert any(text.startswith("slices: not enough evidence, and let go on") for text in judgement.warnings)
    blocking = GatesSection(slices=SliceGate(on_inconclusive="block"))
    assert judge(blocking, a_report(a=GOOD, small=SMALL), today=TODAY).verdict is Verdict.INCONCLUSIVE


def test_fail_outweighs_inconclusive() -> None:
    gates = GatesSection(overall=OverallGate(margin=0.0001), slices=SliceGate(on_inconclusive="block"))
    assert judge(gates, a_report(a=GOOD, b=BAD), today=TODAY).verdict is Verdict.FAIL


def test_point_mode_is_arithmetic_on_the_same_report() -> None:
    gates = GatesSection(mode="point", golden=GoldenGate(version=1))
    judgement = judge(gates, a_report(a=GOOD, b=BAD), today=TODAY)
    assert judgement.mode == "point"
    assert judgement.verdict is Verdict.FAIL
    assert "golden: not checked, it needs gates: {mode: statistical}" in judgement.warnings


def test_first_deployment_needs_a_floor_and_a_person() -> None:
    first = replace(a_report(), baseline_digest=None)
    with pytest.raises(UnusableInput, match="somebody has to allow it"):
        judge(GatesSection(), first, today=TODAY)
    with pytest.raises(UnusableInput, match="no absolute floor"):
        judge(GatesSection(), first, today=TODAY, bootstrap_by="ada")
    judgement = judge(GatesSection(overall=OverallGate(min=0.7)), first, today=TODAY, bootstrap_by="ada")
    assert verdicts(judgement) == dict.fromkeys(("overall", "fairness", "latency"), Verdict.PASS)
    assert judgement.bootstrap_by == "ada"


def test_skipped_gates_are_recorded_and_one_must_be_left() -> None:
    judgement = judge(GatesSection(), a_report(), today=TODAY, skip=frozenset({"latency"}))
    assert judgement.skipped == ("latency",)
    with pytest.raises(UnusableInput, match="no gate is left"):
        judge(GatesSection(), a_report(), today=TODAY, skip=frozenset({"overall", "slices", "fairness", "latency"}))


def test_a_waived_slice_passes_and_stays_visible() -> None:
    judgement = judge(GatesSection(waivers=(waiver(),)), a_report(a=GOOD, b=BAD), today=TODAY)
    assert judgement.verdict is Verdict.PASS
    slices = next(result for result in judgement.results if result.gate == "slices")
    assert "b is waived by ada until 2026-11-26" in slices.why
    assert "without the waiver: fail:" in slices.why
    waived = next(found for found in slices.comparisons if found.slice == "b")
    assert (waived.verdict, waived.waived_by) == (Verdict.FAIL, "ada")
    assert judgement.waivers == (waiver(),)


def test_a_waiver_of_one_slice_covers_no_other() -> None:
    judgement = judge(GatesSection(waivers=(waiver(),)), a_report(a=GOOD, b=BAD, c=BAD), today=TODAY)
    assert judgement.verdict is Verdict.FAIL


def test_a_waiver_of_the_gate_covers_all_of_it() -> None:
    whole = waiver(slice=None)
    assert judge(GatesSection(waivers=(whole,)), a_report(b=BAD, c=BAD), today=TODAY).verdict is Verdict.PASS


def test_an_expired_waiver_is_an_error_even_when_nothing_fails() -> None:
    expired = waiver(expires=date(2026, 11, 25))
    with pytest.raises(UnusableInput, match=r"a waiver has expired: b \(by ada, until 2026-11-25\)"):
        judge(GatesSection(waivers=(expired,)), a_report(), today=TODAY)


def test_a_waiver_that_is_not_needed_says_so() -> None:
    judgement = judge(GatesSection(waivers=(waiver(),)), a_report(), today=TODAY)
    assert "slices: the waiver for b by ada was not needed: remove it" in judgement.warnings
    assert judgement.waivers == ()


def golden(candidate_report: EvaluationReport, against: EvaluationReport) -> EvaluationReport:
    return replace(candidate_report, golden=against)


def test_many_small_steps_down_are_stopped_by_the_golden_version() -> None:
    small_step, whole_way = a_report(), report(cells(8500, 350, 50, 1100).cells, slices={"a": GOOD})
    found = golden(small_step, whole_way)
    assert judge(GatesSection(), found, today=TODAY).verdict is Verdict.PASS
    judgement = judge(GatesSection(golden=GoldenGate(version=3)), found, today=TODAY)
    assert verdicts(judgement)["golden"] is Verdict.FAIL
    assert "beside the golden version 3" in judgement.results[-1].why


def test_a_golden_slice_that_drops_fails_too_and_a_small_one_does_not_block() -> None:
    dropped = report(GOOD.cells, slices={"b": BAD, "small": SMALL})
    assert judge_golden(GoldenGate(version=3), golden(a_report(), dropped)).verdict is Verdict.FAIL
    small = report(GOOD.cells, slices={"small": SMALL})
    assert judge_golden(GoldenGate(version=3), golden(a_report(), small)).verdict is Verdict.PASS


def test_a_golden_version_that_was_not_scored_is_an_error() -> None:
    with pytest.raises(UnusableInput, match="golden version 3"):
        judge(GatesSection(golden=GoldenGate(version=3)), a_report(), today=TODAY)


@pytest.mark.parametrize(
    ("p99", "upper", "verdict"),
    [(4000.0, 4500.0, Verdict.PASS), (4900.0, 5100.0, Verdict.INCONCLUSIVE), (5001.0, 5200.0, Verdict.FAIL)],
)
def test_latency_needs_its_bound_within_the_sla(p99: float, upper: float, verdict: Verdict) -> None:
    measured = Latency(p50_ms=1.0, p99_ms=p99, p99_upper_ms=upper, samples=3000)
    result = judge_latency(LatencyGate(), replace(a_report(), candidate_latency=measured))
    assert result.verdict is verdict


@pytest.mark.parametrize(
    ("value", "upper", "verdict"),
    [(1.0, 1.05, Verdict.PASS), (1.05, 1.2, Verdict.INCONCLUSIVE), (1.3, 1.4, Verdict.FAIL)],
)
def test_latency_ratio_when_asked_for(value: float, upper: float, verdict: Verdict) -> None:
    found = replace(a_report(), latency_ratio=LatencyRatio(value=value, upper=upper))
    assert judge_latency(LatencyGate(max_ratio=1.1), found).verdict is verdict
    assert judge_latency(LatencyGate(), found).verdict is Verdict.PASS


def test_latency_that_was_not_measured_is_no_pass() -> None:
    result = judge_latency(LatencyGate(), replace(a_report(), candidate_latency=None))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert not result.warns


def bins(candidate: float, baseline: float, rows: int = 5000) -> CalibrationBins:
    """Everybody has probability .5 by both models, and one in two is positive up to these errors of the mean."""
    return CalibrationBins(
        cells=((rows,),), positives=((rows // 2,),), candidate_mean=(0.5 + candidate,), baseline_mean=(0.5 + baseline,)
    )


def test_calibration_has_a_cap_and_may_not_worsen() -> None:
    def verdict(candidate: float, baseline: float, rows: int = 5000) -> Verdict:
        found = replace(a_report(), calibration=bins(candidate, baseline, rows))
        return judge_calibration(CalibrationGate(), found).verdict

    assert verdict(0.01, 0.01) is Verdict.PASS
    assert verdict(0.15, 0.15) is Verdict.FAIL
    assert verdict(0.09, 0.03) is Verdict.FAIL
    assert verdict(0.05, -0.05, rows=40) is Verdict.INCONCLUSIVE


def test_calibration_that_was_not_measured_is_no_pass() -> None:
    result = judge_calibration(CalibrationGate(), a_report())
    assert result.verdict is Verdict.INCONCLUSIVE


def test_false_alarms_are_told_for_each_gate() -> None:
    """Two models that disagree on 10 % of 1,000 rows exceed a margin of 2 points in about 2.3 % of all runs."""
    rough = report(cells(850, 50, 50, 50).cells, slices={"a": GOOD}, groups={"SEX": {"1": GOOD, "2": GOOD}})
    judgement = judge(GatesSection(), rough, today=TODAY)
    shares = {result.gate: result.a_a for result in judgement.results}
    assert shares["overall"] is not None
    assert 0.01 < shares["overall"] < 0.04
    assert shares["slices"] is not None
    assert shares["fairness"] is not None
    assert judgement.a_a is not None
    assert judgement.a_a >= shares["overall"]


def test_explanation_names_rule_reason_and_what_would_change_it() -> None:
    judgement = judge(GatesSection(), a_report(a=GOOD, b=BAD, small=SMALL), today=TODAY, skip=frozenset({"latency"}))
    told = "\n".join(explained(judgement))
    assert "slices: FAIL" in told
    assert "Does any declared slice drop?" in told
    assert "b: worse by 0.1875, corrected p" in told
    assert "small: 172 rows tell drops of" in told
    assert "rows would decide" in told
    assert "nearest to its limit is all rows" in told
    assert "Left out by request: latency." in told
    assert "If nothing had changed" in told


def test_explanation_of_point_mode_says_that_it_knows_nothing_of_chance() -> None:
    judgement = judge(GatesSection(mode="point"), a_report(a=GOOD, b=BAD), today=TODAY)
    assert "nothing is said about chance" in "\n".join(explained(judgement))


def test_explanation_of_a_verdict_of_many_slices_stays_short() -> None:
    many = {f"s{number}": BAD for number in range(40)}
    lines = list(explained(judge(GatesSection(), a_report(**many), today=TODAY)))
    assert len(lines) < 60
    assert any("35 more that fail" in line for line in lines)


def test_results_without_comparisons_can_be_explained() -> None:
    bare = Judgement(results=(GateResult(gate="fairness", verdict=Verdict.INCONCLUSIVE, why="no gap", warns=True),))
    assert any("only warns" in line for line in explained(bare))


def test_fairness_with_no_group_blocks() -> None:
    bare = replace(a_report(), groups={})
    judgement = judge(GatesSection(fairness=FairnessGate()), bare, today=TODAY)
    assert judgement.verdict is Verdict.INCONCLUSIVE


def test_point_mode_takes_no_error_for_a_share() -> None:
    regression = replace(a_report(), task="regression", metric="rmse")
    with pytest.raises(UnusableInput, match="mode: point compares shares of which more is better, and rmse is none"):
        judge(GatesSection(mode="point"), regression, today=TODAY)


@pytest.mark.parametrize("mode", ["statistical", "point"])
@pytest.mark.parametrize("first", [True, False])
def test_a_ceiling_over_what_should_be_high_is_refused_and_not_overlooked(mode: str, first: bool) -> None:
    found = a_report()
    if first:
        outcomes = tuple(replace(outcome, baseline=None) for outcome in found.outcomes)
        found = replace(found, baseline_digest=None, outcomes=outcomes)
    gates = GatesSection(mode=mode, overall=OverallGate(max=0.9))  # type: ignore[arg-type]
    with pytest.raises(UnusableInput, match=r"gates.overall.max does not fit accuracy, of which higher is better"):
        judge(gates, found, today=TODAY, bootstrap_by="ada" if first else None)


def test_point_mode_refuses_a_gap_it_does_not_know_and_says_that_it_compares_no_ratio() -> None:
    odds = GatesSection(mode="point", fairness=FairnessGate(metric="equalized_odds_difference"))
    with pytest.raises(UnusableInput, match="knows demographic_parity_difference only"):
        judge(odds, a_report(), today=TODAY)
    judgement = judge(GatesSection(mode="point", latency=LatencyGate(max_ratio=1.1)), a_report(), today=TODAY)
    assert "latency: max_ratio not checked, it needs gates: {mode: statistical}" in judgement.warnings


def test_a_waived_golden_slice_leaves_the_small_ones_to_the_slice_gate() -> None:
    golden = replace(a_report(), slices={"b": BAD, "small": SMALL})
    found = replace(a_report(), golden=golden)
    gates = GatesSection(golden=GoldenGate(version=1), waivers=(waiver(gate="golden"),))
    assert verdicts(judge(replace(gates, waivers=()), found, today=TODAY))["golden"] is Verdict.FAIL
    assert verdicts(judge(gates, found, today=TODAY))["golden"] is Verdict.PASS


def test_a_waived_slice_of_point_mode_leaves_the_untested_ones_as_they_were() -> None:
    tiny = cells(40, 0, 0, 10)
    gates = GatesSection(mode="point", waivers=(waiver(),))
    assert verdicts(judge(gates, a_report(a=GOOD, b=BAD, tiny=tiny), today=TODAY))["slices"] is Verdict.PASS
    alone = replace(gates, waivers=(waiver(slice="tiny"),))
    untested = a_report(tiny=tiny, other=tiny)
    assert verdicts(judge(alone, untested, today=TODAY))["slices"] is Verdict.INCONCLUSIVE


def test_calibration_of_a_handful_of_rows_excludes_nothing() -> None:
    certain = CalibrationBins(
        cells=((0,), (4,)), positives=((0,), (4,)), candidate_mean=(0.25, 1.0), baseline_mean=(1.0,)
    )
    result = judge_calibration(CalibrationGate(), replace(a_report(), calibration=certain))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "under 30 rows" in result.why


def test_where_no_gate_could_tell_a_warning_lets_nothing_go_on() -> None:
    gates = GatesSection(overall=None, fairness=None, latency=None)
    judgement = judge(gates, a_report(tiny=cells(40, 0, 0, 10)), today=TODAY)
    assert [result.warns for result in judgement.results] == [True]
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert any(text.startswith("no gate could tell: slices") for text in judgement.warnings)
    assert "so the run goes on" not in "\n".join(explained(judgement))
    beside = judge(replace(gates, latency=LatencyGate()), a_report(tiny=cells(40, 0, 0, 10)), today=TODAY)
    assert beside.verdict is Verdict.PASS
