"""The mission's table, each boundary from both sides."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatewright.domain.duration import Duration
from gatewright.domain.errors import ReportError, UnusableInput
from gatewright.domain.evaluation import Measures
from gatewright.domain.gate import (
    FairnessGate,
    GateName,
    GateResult,
    Judgement,
    LatencyGate,
    OverallGate,
    SliceGate,
    Verdict,
)
from gatewright.domain.project import GatesSection
from gatewright.rules.gates.point import judge_measures as judge

GATES = GatesSection(mode="point")
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def measured(**changes: Any) -> Measures:
    values: dict[str, Any] = {
        "overall_accuracy": 0.92,
        "slices": {"SEX=1": 0.91, "SEX=2": 0.93},
        "demographic_parity_diff": 0.1,
        "latency_p99_ms": 100.0,
    }
    return Measures(**(values | changes))


def decide(candidate: Measures, baseline: Measures | None, gates: GatesSection = GATES, *skip: GateName) -> Judgement:
    by = "ada" if baseline is None else None
    return judge(gates, candidate, baseline, bootstrap_by=by, skip=frozenset(skip))


def result(judgement: Judgement, gate: GateName) -> GateResult:
    return next(entry for entry in judgement.results if entry.gate == gate)


def only(name: GateName, gate: Any) -> GatesSection:
    return GatesSection(
        mode="point", **{"overall": None, "slices": None, "fairness": None, "latency": None, name: gate}
    )


def test_all_four_gates_in_their_order() -> None:
    judgement = decide(measured(), measured())
    assert [entry.gate for entry in judgement.results] == ["overall", "slices", "fairness", "latency"]
    assert judgement.verdict is PASS
    assert (judgement.skipped, judgement.warnings, judgement.bootstrap_by) == ((), (), None)


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict"),
    [
        (0.90, 0.92, PASS),  # 0.92 - 0.90 > 0.02 in binary floating point
        (0.8999, 0.92, FAIL),
        (0.8999999999999999, 0.92, FAIL),
        (0.48, 0.5, PASS),
        (0.479, 0.5, FAIL),
        (0.0, 0.02, PASS),
        (1.0, 0.5, PASS),
        (0, 1, FAIL),
        (1, 1, PASS),
    ],
)
def test_overall(candidate: float, baseline: float, verdict: Verdict) -> None:
    judgement = decide(measured(overall_accuracy=candidate), measured(overall_accuracy=baseline))
    assert result(judgement, "overall").verdict is verdict


@given(st.integers(0, 100_000), st.integers(0, 2_100))
def test_overall_has_no_float_surprise(baseline: int, drop: int) -> None:
    """Numbers of five decimals: the gate decides as integer arithmetic does."""
    assume(drop <= baseline)
    judgement = decide(
        measured(overall_accuracy=(baseline - drop) / 100_000),
        measured(overall_accuracy=baseline / 100_000),
        only("overall", OverallGate()),
    )
    assert judgement.verdict is (PASS if drop <= 2_000 else FAIL)


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.91, PASS), (0.9099, FAIL)])
def test_the_floor_holds_beside_the_margin(accuracy: float, verdict: Verdict) -> None:
    gates = only("overall", OverallGate(min=0.91))
    found = result(decide(measured(overall_accuracy=accuracy), measured(), gates), "overall")
    assert found.verdict is verdict
    assert "the floor of 0.91" in found.why


def test_overall_tells_its_numbers() -> None:
    found = result(decide(measured(overall_accuracy=0.7712), measured(overall_accuracy=0.7743)), "overall")
    assert found.why == "accuracy 0.7712 is 0.0031 below the baseline's 0.7743; the margin is 0.02"
    assert found.evidence["difference"] == pytest.approx(-0.0031, abs=1e-15)
    found = result(decide(measured(overall_accuracy=0.9), measured(overall_accuracy=0.92000001)), "overall")
    assert found.why == "accuracy 0.9 is 0.02000001 below the baseline's 0.92; the margin is 0.02"
    assert result(decide(measured(), measured()), "overall").why.startswith("accuracy 0.92 is the baseline's;")


@pytest.mark.parametrize(
    ("accuracy", "verdict"), [(0.87, PASS), (0.8699, FAIL), (0.99, PASS), (0.8699999999999999, FAIL)]
)
def test_slices(accuracy: float, verdict: Verdict) -> None:
    judgement = decide(measured(slices={"SEX=1": accuracy, "SEX=2": 0.93}), measured())
    assert result(judgement, "slices").verdict is verdict


def test_failing_slices_come_worst_first() -> None:
    baseline = measured(slices={"a": 0.9, "b": 0.9, "c": 0.9, "d": 0.9})
    found = result(decide(measured(slices={"a": 0.85, "b": 0.7, "c": 0.9, "d": 0.8}), baseline), "slices")
    assert [entry["slice"] for entry in found.evidence["failed"]] == ["b", "d", "a"]
    assert found.evidence["failed"][0]["drop"] == 0.2
    assert found.why == "3 of 4 slices drop by more than 0.04; the worst is b: 0.7 is 0.2 below the baseline's 0.9"


def test_small_slices_are_not_tested_and_said() -> None:
    candidate = measured(
        slices={"big": 0.9, "small": 0.1, "tiny": 0.9}, slice_rows={"big": 100, "small": 99, "tiny": 1}
    )
    found = result(decide(candidate, measured(slices={"big": 0.9, "small": 0.9, "tiny": 0.9})), "slices")
    assert found.verdict is PASS
    assert [entry["slice"] for entry in found.evidence["not_tested"]] == ["small", "tiny"]
    assert "not tested, under 100 rows: small, tiny" in found.why


def test_only_small_slices_are_inconclusive() -> None:
    candidate = measured(slice_rows={"SEX=1": 99, "SEX=2": 12})
    judgement = decide(candidate, measured())
    assert result(judgement, "slices").verdict is INCONCLUSIVE
    assert judgement.verdict is INCONCLUSIVE


def test_a_slice_the_baseline_lacks_is_compared_with_its_overall_accuracy() -> None:
    for accuracy, verdict in ((0.88, PASS), (0.8799, FAIL)):
        candidate = measured(slices={"SEX=1": 0.91, "SEX=2": 0.93, "new": accuracy})
        found = result(decide(candidate, measured()), "slices")
        assert found.verdict is verdict
        assert "the baseline lacks new: compared with its overall accuracy 0.92" in found.why
        assert found.evidence["compared_with_overall"] == ["new"]


def test_a_slice_the_report_lacks_is_an_error() -> None:
    with pytest.raises(ReportError, match=r"slices\.SEX=2: the baseline has SEX=2, the report lacks it"):
        decide(measured(slices={"SEX=1": 0.91}), measured())
    assert decide(measured(slices={"SEX=1": 0.91}), measured(), GATES, "slices").skipped == ("slices",)


def test_no_slice_at_all_is_an_error() -> None:
    with pytest.raises(ReportError, match="would check nothing"):
        decide(measured(slices={}), measured(slices={}))


@pytest.mark.parametrize(
    ("gap", "before", "verdict"),
    [
        (0.2, 0.2, PASS),
        (0.2001, 0.2, FAIL),
        (0.21, 0.3, FAIL),  # better than the baseline, and still above the cap
        (0.11, 0.1, PASS),
        (0.1101, 0.1, FAIL),
        (-0.11, 0.1, PASS),
        (-0.1101, 0.1, FAIL),
        (-0.25, -0.25, FAIL),
        (0.11, -0.1, PASS),
        (0.3, None, FAIL),
        (0.2, None, PASS),
        (0.0, 1.0, PASS),
    ],
)
def test_fairness(gap: float, before: float | None, verdict: Verdict) -> None:
    judgement = decide(measured(demographic_parity_diff=gap), measured(demographic_parity_diff=before))
    found = result(judgement, "fairness")
    assert found.verdict is verdict
    assert ("the baseline has none, so only the cap was checked" in found.why) == (before is None)


def test_fairness_tells_its_numbers() -> None:
    found = result(
        decide(measured(demographic_parity_diff=-0.1204), measured(demographic_parity_diff=0.1192)), "fairness"
    )
    assert found.why == (
        "demographic parity difference 0.1204 is within the cap of 0.2; "
        "it is 0.0012 above the baseline's 0.1192; a worsening of 0.01 is allowed"
    )


def test_fairness_without_groups_is_inconclusive_when_measured_and_an_error_in_a_report() -> None:
    unknown = measured(demographic_parity_diff=None)
    with pytest.raises(ReportError, match="demographic_parity_diff: is missing"):
        decide(unknown, measured())
    found = result(decide(measured(demographic_parity_diff=None, rows=150), measured()), "fairness")
    assert found.verdict is INCONCLUSIVE
    assert "no fairness attribute has two groups of 100 rows" in found.why


@pytest.mark.parametrize(
    ("p99", "sla", "verdict"),
    [(5000.0, None, PASS), (5000.1, None, FAIL), (300.0, 300.0, PASS), (300.5, 300.0, FAIL), (6000.0, 7000.0, PASS)],
)
def test_latency(p99: float, sla: float | None, verdict: Verdict) -> None:
    found = result(decide(measured(latency_p99_ms=p99), measured(latency_sla_p99_ms=sla)), "latency")
    assert found.verdict is verdict
    assert found.evidence["sla_from"] == ("gate" if sla is None else "baseline")


def test_latency_tells_enough_digits() -> None:
    gates = only("latency", LatencyGate(p99=Duration.parse("1.1s")))
    assert decide(measured(latency_p99_ms=1100), measured(), gates).verdict is PASS
    found = result(decide(measured(latency_p99_ms=1100.00001), measured(), gates), "latency")
    assert found.why == "p99 latency 1100.00001 ms is above the SLA of 1100 ms"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("overall_accuracy", math.nan),
        ("overall_accuracy", None),
        ("overall_accuracy", 95.0),
        ("overall_accuracy", True),
        ("slices", {"SEX=1": math.nan, "SEX=2": 0.9}),
        ("slices", {"SEX=1": -0.1, "SEX=2": 0.9}),
        ("demographic_parity_diff", math.inf),
        ("demographic_parity_diff", 1.01),
        ("latency_p99_ms", None),
        ("latency_p99_ms", math.nan),
        ("latency_p99_ms", 0.0),
    ],
)
def test_what_is_no_number_is_an_error_on_either_side(field: str, value: Any) -> None:
    with pytest.raises(ReportError):
        decide(measured(**{field: value}), measured())
    if field != "latency_p99_ms":  # the baseline's latency is never compared
        with pytest.raises(ReportError):
            decide(measured(), measured(**{field: value}))


def test_first_deployment() -> None:
    gates = GatesSection(mode="point", overall=OverallGate(min=0.7))
    judgement = decide(measured(overall_accuracy=0.7), None, gates)
    assert judgement.verdict is PASS
    assert judgement.bootstrap_by == "ada"
    assert [entry.gate for entry in judgement.results] == ["overall", "fairness", "latency"]
    assert "slices: not compared, there is no baseline (first deployment)" in judgement.warnings
    assert "bootstrap: absolute floors alone decided, allowed by ada" in judgement.warnings
    assert result(judgement, "overall").why == "accuracy 0.7 is at or above the floor of 0.7"
    for worse in ({"overall_accuracy": 0.6999}, {"demographic_parity_diff": 0.21}, {"latency_p99_ms": 5001.0}):
        assert decide(measured(**worse), None, gates).verdict is FAIL


def test_first_deployment_needs_a_person_and_a_floor() -> None:
    gates = GatesSection(mode="point", overall=OverallGate(min=0.7))
    for nobody in (None, ""):
        with pytest.raises(UnusableInput, match="somebody has to allow it"):
            judge(gates, measured(), None, bootstrap_by=nobody)
    with pytest.raises(UnusableInput, match="no absolute floor"):
        decide(measured(), None)
    with pytest.raises(UnusableInput, match="no gate with an absolute floor"):
        decide(measured(), None, only("slices", SliceGate()))


def test_bootstrap_with_a_baseline_is_said_and_changes_nothing() -> None:
    judgement = judge(GATES, measured(overall_accuracy=0.8), measured(), bootstrap_by="ada")
    assert (judgement.verdict, judgement.bootstrap_by) == (FAIL, None)
    assert any("was not needed" in warning for warning in judgement.warnings)


def test_skipped_and_absent_gates_are_told() -> None:
    gates = GatesSection(mode="point", slices=None)
    judgement = decide(measured(latency_p99_ms=None), measured(), gates, "latency")
    assert judgement.skipped == ("latency",)
    assert judgement.warnings == ("slices: not checked, gates.slices is none",)
    assert [entry.gate for entry in judgement.results] == ["overall", "fairness"]


def test_no_gate_left_is_refused() -> None:
    with pytest.raises(UnusableInput, match="no gate is left"):
        decide(measured(), measured(), GATES, "overall", "slices", "fairness", "latency")
    with pytest.raises(UnusableInput, match="no gate is left"):
        decide(measured(), measured(), only("fairness", FairnessGate()), "fairness")


SHARES = st.floats(0, 1)
MEASURES = st.builds(
    Measures,
    overall_accuracy=SHARES,
    slices=st.dictionaries(st.text(min_size=1, max_size=5), SHARES, min_size=1, max_size=8),
    demographic_parity_diff=st.floats(-1, 1),
    latency_p99_ms=st.floats(0.001, 1e6),
)


@given(MEASURES)
def test_a_candidate_equal_to_its_baseline_passes_when_the_floors_hold(same: Measures) -> None:
    judgement = decide(same, same)
    assert result(judgement, "overall").verdict is PASS
    assert result(judgement, "slices").verdict is PASS
    assert result(judgement, "fairness").verdict is (PASS if abs(same.demographic_parity_diff or 0) <= 0.2 else FAIL)
    assert result(judgement, "latency").verdict is (PASS if (same.latency_p99_ms or 0) <= 5000 else FAIL)


@given(MEASURES, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_slices_changes_nothing(candidate: Measures, before: float, shuffle: random.Random) -> None:
    baseline = measured(slices=dict.fromkeys(candidate.slices, before))
    items = list(candidate.slices.items())
    shuffle.shuffle(items)
    shuffled = measured(slices=dict(items))
    plain = measured(slices=candidate.slices)
    assert decide(plain, baseline) == decide(shuffled, baseline)


@given(MEASURES, st.floats(0, 1))
def test_a_better_candidate_never_fares_worse(candidate: Measures, gain: float) -> None:
    baseline = measured(slices=dict.fromkeys(candidate.slices, 0.8))
    better = measured(
        overall_accuracy=min(1.0, candidate.overall_accuracy + gain),
        slices={name: min(1.0, value + gain) for name, value in candidate.slices.items()},
    )
    worse = measured(overall_accuracy=candidate.overall_accuracy, slices=candidate.slices)
    for gate in ("overall", "slices"):
        if result(decide(worse, baseline), gate).verdict is PASS:
            assert result(decide(better, baseline), gate).verdict is PASS
