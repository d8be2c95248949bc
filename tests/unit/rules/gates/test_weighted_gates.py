"""The gates on rows that carry weights: false alarms when nothing changed, drops that are found, effective rows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest

from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.gate import CalibrationGate, FairnessGate, OverallGate, SliceGate, Verdict
from gatewright.domain.project import GatesSection
from gatewright.rules.gates.calibration import judge_calibration
from gatewright.rules.gates.fairness import judge_fairness
from gatewright.rules.gates.false_alarms import false_alarms
from gatewright.rules.gates.harm import harms
from gatewright.rules.gates.overall import judge_overall
from gatewright.rules.gates.slices import judge_slices
from tests.fixtures.predictions import by, measured

WEIGHTS = np.array([60.0, 20.0, 5.0])


def draw(rng: np.random.Generator, count: int, *, drop: float = 0.0, slices: int = 4) -> EvaluationReport:
    """Three strata drawn at unlike rates; the models differ on 6 % to 30 % of their rows, evenly unless `drop`."""
    stratum = rng.choice(3, count, p=[0.25, 0.35, 0.4])
    label, slice_ = rng.integers(0, 2, count), rng.integers(0, slices, count)
    differs = rng.random(count) < np.array([0.06, 0.15, 0.3])[stratum]
    worse = rng.random(count) < 0.5
    right = rng.random(count) < 0.8
    candidate = np.where(differs & worse, False, np.where(differs, True, right))
    baseline = np.where(differs, ~candidate, right)
    candidate &= ~((slice_ == 0) & (rng.random(count) < drop))
    rows: dict[str, Any] = {
        "id": np.arange(count),
        "label": label,
        "candidate": np.where(candidate, label, 1 - label),
        "baseline": np.where(baseline, label, 1 - label),
        "weight": WEIGHTS[stratum],
        "stratum": stratum,
        "part": slice_,
        "group": rng.integers(0, 2, count),
    }
    return measured(
        pl.DataFrame(rows), by("part"), fairness=("group",), weight="weight", stratum="stratum", weak_slices=False
    )


@pytest.mark.slow
def test_a_candidate_that_is_no_different_is_rarely_failed() -> None:
    """200 evaluations of 1,500 rows, worth about 750: at most 5 % is promised."""
    rng = np.random.default_rng(11)
    found: Counter[str] = Counter()
    for seed in range(200):
        report = draw(rng, 1_500)
        results = (
            judge_overall(OverallGate(), report),
            judge_slices(SliceGate(), report),
            judge_fairness(FairnessGate(), report, seed=seed),
        )
        found["any"] += any(result.verdict is Verdict.FAIL for result in results)
    assert found["any"] / 200 <= 0.05 + 0.015


def test_p_values_are_even_when_nothing_changed() -> None:
    """Of 400 evaluations, as many p-values lie below each level as it says, within three standard errors."""
    rng = np.random.default_rng(12)
    p = np.array(
        [harms(found, [found.overall], "accuracy", level=0.9).p[0] for found in (draw(rng, 600) for _ in range(400))]
    )
    for level in (0.05, 0.25, 0.5):
        assert (p < level).mean() == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 400))


def test_a_drop_in_one_slice_is_found() -> None:
    report = draw(np.random.default_rng(13), 6_000, drop=0.25)
    result = judge_slices(SliceGate(), report)
    assert result.verdict is Verdict.FAIL
    assert result.evidence["failed"] == ["part=0"]
    assert judge_overall(OverallGate(), report).verdict is Verdict.FAIL


def test_a_slice_counts_by_its_effective_rows() -> None:
    report = draw(np.random.default_rng(14), 480, slices=3)
    effective = {name: found.effective_rows for name, found in report.slices.items()}
    assert all(found.rows > 140 > effective[name] for name, found in report.slices.items())
    result = judge_slices(SliceGate(min_rows=140), report)
    assert {found.note for found in result.comparisons} == {"under 140 effective rows"}
    few = draw(np.random.default_rng(15), 50)
    assert few.overall.effective_rows < 30
    assert "under 30 rows" in judge_overall(OverallGate(), few).why
    assert judge_fairness(FairnessGate(min_rows=25), few).verdict is Verdict.INCONCLUSIVE


def test_models_that_never_differ_are_not_certain_of_everything() -> None:
    rows = {
        "id": range(200),
        "label": [0, 1] * 100,
        "candidate": [0, 1] * 100,
        "baseline": [0, 1] * 100,
        "weight": [1.0, 3.0] * 100,
        "x": [1] * 200,
    }
    report = measured(pl.DataFrame(rows), by("x"), weight="weight")
    found = harms(report, [report.overall], "accuracy", level=0.9)
    assert found.high[0] > 0
    assert found.p[0] == pytest.approx(0.5)
    assert judge_slices(SliceGate(), report).comparisons[0].mde is not None
    assert found.mde(0.025, 0.8)[0] > 0.01


def test_nothing_is_said_of_false_alarms() -> None:
    """Rows of unlike weight cannot be swapped cell by cell."""
    assert false_alarms(GatesSection(), draw(np.random.default_rng(16), 300)) == {}


def test_calibration_is_judged_by_the_weights() -> None:
    rng = np.random.default_rng(17)
    count = 4_000
    heavy = rng.random(count) < 0.5
    score = np.full(count, 0.7)
    label = (rng.random(count) < np.where(heavy, 0.7, 0.2)).astype(int)
    rows = {
        "id": np.arange(count),
        "label": label,
        "candidate": np.ones(count, dtype=int),
        "baseline": np.ones(count, dtype=int),
        "candidate_score": score,
        "baseline_score": score,
        "weight": np.where(heavy, 99.0, 1.0),
    }
    plain = {name: column for name, column in rows.items() if name != "weight"}
    assert judge_calibration(CalibrationGate(), measured(pl.DataFrame(plain))).verdict is Verdict.FAIL
    result = judge_calibration(CalibrationGate(), measured(pl.DataFrame(rows), weight="weight"))
    assert result.verdict is Verdict.PASS
    assert result.comparisons[0].candidate is not None
    assert result.comparisons[0].candidate < 0.03
