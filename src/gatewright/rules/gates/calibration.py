"""The calibration gate: predicted probabilities are as often right as they say, and not less so than the baseline's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.evaluation import ALL, CalibrationBins, EvaluationReport
from gatewright.domain.gate import CalibrationGate, Comparison, Estimate, GateResult, Verdict
from gatewright.rules.gates.overall import FEWEST, worst
from gatewright.rules.gates.words import beside, probability, shown
from gatewright.stats.bootstrap import multinomial, one_sided_p, percentile_bounds

Floats = NDArray[np.float64]
METRIC = "expected_calibration_error"
LEVEL = 0.90
DRAWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bins:
    """Counts (..., candidate bin, baseline bin, label) and the mean probability of each bin."""

    counts: NDArray[np.int64]
    candidate: Floats
    baseline: Floats

    def errors(self, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """The expected calibration error of both models, (...) each."""
        return _error(counts.sum(axis=-2), self.candidate), _error(counts.sum(axis=-3), self.baseline)


def judge_calibration(gate: CalibrationGate, report: EvaluationReport, *, seed: int = 0) -> GateResult:
    """Expected calibration error over ten equal intervals of the predicted probability, on all rows.

    ECE = Σ_i n_i/n |share of positives in bin i − mean probability in bin i| (Naeini, Cooper, Hauskrecht, "Obtaining
    Well Calibrated Probabilities Using Bayesian Binning", 2015). FAIL: it is above `max`, or has grown by more than
    `max_worsening`, significantly. PASS: such a growth is excluded by its one-sided 95 % upper bound (bootstrap).
    """
    warns = gate.on_inconclusive == "warn"
    if report.calibration is None:
        why = "calibration was not measured: it needs a binary model that answers probabilities"
        return GateResult(gate="calibration", verdict=Verdict.INCONCLUSIVE, why=why, alpha=gate.alpha, warns=warns)
    bins = _bins(report.calibration)
    candidate, baseline = (float(value) for value in bins.errors(bins.counts))
    rows = int(bins.counts.sum())
    comparisons = [_cap(gate, candidate, rows)]
    if report.baseline_digest is not None:
        comparisons.append(_change(gate, bins, candidate, baseline, rows, seed))
    return GateResult(
        gate="calibration",
        verdict=worst([found.verdict for found in comparisons]),
        why="; ".join(found.note for found in comparisons),
        comparisons=tuple(comparisons),
        alpha=gate.alpha,
        warns=warns,
    )


def _cap(gate: CalibrationGate, error: float, rows: int) -> Comparison:
    over = error > gate.max
    side = "above" if over else "within"
    return Comparison(
        metric=METRIC,
        slice=ALL,
        rows=rows,
        verdict=Verdict.FAIL if over else Verdict.PASS,
        kind="level",
        candidate=error,
        limit=gate.max,
        note=f"expected calibration error {shown(error)} is {side} the cap of {shown(gate.max)}",
    )


def _change(gate: CalibrationGate, bins: _Bins, candidate: float, baseline: float, rows: int, seed: int) -> Comparison:
    flat = bins.counts.reshape(-1)
    drawn = multinomial(flat, DRAWS, np.random.default_rng(seed)).reshape(DRAWS, *bins.counts.shape)
    resampled = bins.errors(drawn)
    samples = resampled[0] - resampled[1]
    worsening = candidate - baseline
    low, high = (float(bound) for bound in percentile_bounds(samples, level=LEVEL))
    p = float(one_sided_p(samples, worsening))
    verdict = Verdict.PASS if high <= gate.max_worsening and rows >= FEWEST else Verdict.INCONCLUSIVE
    if worsening > gate.max_worsening and p < gate.alpha:
        verdict = Verdict.FAIL
    side = beside(worsening, baseline)
    margin = shown(gate.max_worsening)
    told = {
        Verdict.PASS: f"it is {side}; a worsening of {margin} is excluded",
        Verdict.FAIL: f"it is {side}: more than {margin}, significantly ({probability(p)})",
        Verdict.INCONCLUSIVE: f"it is {side}, and may be up to {shown(high)} worse: {margin} is not excluded",
    }
    if rows < FEWEST and verdict is Verdict.INCONCLUSIVE:
        told[verdict] = f"it is {side}, and under {FEWEST} rows a worsening of {margin} cannot be excluded"
    return Comparison(
        metric=METRIC,
        slice=ALL,
        rows=rows,
        verdict=verdict,
        note=told[verdict],
        candidate=candidate,
        baseline=baseline,
        harm=Estimate(value=worsening, low=low, high=high, level=LEVEL, n=rows, method="bootstrap, percentile"),
        limit=gate.max_worsening,
        p=p,
        p_adjusted=p,
        alpha=gate.alpha,
    )


def _bins(found: CalibrationBins) -> _Bins:
    cells = np.array(found.cells, dtype=np.int64)
    positives = np.array(found.positives, dtype=np.int64)
    baseline = np.array(found.baseline_mean or (0.0,) * cells.shape[1])
    return _Bins(
        counts=np.stack([cells - positives, positives], axis=-1),
        candidate=np.array(found.candidate_mean),
        baseline=baseline,
    )


def _error(counts: NDArray[np.int64], mean: Floats) -> Floats:
    """ECE of counts (..., bin, label): no division by empty bins, as n_i |p_i − m_i| = |positives_i − n_i m_i|."""
    rows = counts.sum(axis=-1)
    return np.asarray(np.abs(counts[..., 1] - rows * mean).sum(axis=-1) / np.maximum(rows.sum(axis=-1), 1))
