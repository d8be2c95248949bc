"""The calibration gate: predicted probabilities are as often right as they say, and not less so than the baseline's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.evaluation import ALL, CalibrationBins, EvaluationReport
from gatewright.domain.gate import CalibrationGate, Comparison, Estimate, GateResult, Verdict
from gatewright.rules.gates.overall import FEWEST, worst
from gatewright.rules.gates.words import beside, probability, shown
from gatewright.stats.bootstrap import multinomial, one_sided_p, percentile_bounds
from gatewright.stats.weighted import gamma_draws

Floats = NDArray[np.float64]
METRIC = "expected_calibration_error"
LEVEL = 0.90
DRAWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bins:
    """Counts (..., candidate bin, baseline bin, label) and the mean probability of each bin.

    `squares`: of rows with weights, whose sums are the counts then, the sums of the squares.
    """

    rows: int
    counts: NDArray[np.int64] | Floats
    candidate: Floats
    baseline: Floats
    squares: Floats | None = None

    @property
    def effective_rows(self) -> float:
        """The rows, or as many of equal weight as they are worth."""
        return self.rows if self.squares is None else float(self.counts.sum() ** 2 / self.squares.sum())

    def errors(self, counts: NDArray[np.int64] | Floats) -> tuple[Floats, Floats]:
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
    rows = bins.rows
    comparisons = [_cap(gate, candidate, rows)]
    if report.baseline_digest is not None:
        comparisons.append(_change(gate, bins, candidate, baseline, seed))
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


def _change(gate: CalibrationGate, bins: _Bins, candidate: float, baseline: float, seed: int) -> Comparison:
    rows = bins.rows
    enough = bins.effective_rows >= FEWEST
    resampled = bins.errors(_drawn(bins, np.random.default_rng(seed)))
    samples = resampled[0] - resampled[1]
    worsening = candidate - baseline
    low, high = (float(bound) for bound in percentile_bounds(samples, level=LEVEL))
    p = float(one_sided_p(samples, worsening))
    verdict = Verdict.PASS if high <= gate.max_worsening and enough else Verdict.INCONCLUSIVE
    if worsening > gate.max_worsening and p < gate.alpha:
        verdict = Verdict.FAIL
    side = beside(worsening, baseline)
    margin = shown(gate.max_worsening)
    told = {
        Verdict.PASS: f"it is {side}; a worsening of {margin} is excluded",
        Verdict.FAIL: f"it is {side}: more than {margin}, significantly ({probability(p)})",
        Verdict.INCONCLUSIVE: f"it is {side}, and may be up to {shown(high)} worse: {margin} is not excluded",
    }
    if not enough and verdict is Verdict.INCONCLUSIVE:
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


def _drawn(bins: _Bins, rng: np.random.Generator) -> NDArray[np.int64] | Floats:
    """Resampled counts, (DRAWS, candidate bin, baseline bin, label)."""
    if bins.squares is not None:
        return gamma_draws(bins.counts, bins.squares, DRAWS, rng)
    return multinomial(bins.counts.reshape(-1), DRAWS, rng).reshape(DRAWS, *bins.counts.shape)


def _bins(found: CalibrationBins) -> _Bins:
    weighs = bool(found.weights)
    kind = np.float64 if weighs else np.int64
    cells = np.array(found.weights or found.cells, dtype=kind)
    positives = np.array(found.positive_weights if weighs else found.positives, dtype=kind)
    baseline = np.array(found.baseline_mean or (0.0,) * cells.shape[1])
    return _Bins(
        rows=sum(map(sum, found.cells)),
        counts=_by_label(cells, positives),
        candidate=np.array(found.candidate_mean),
        baseline=baseline,
        squares=_by_label(np.array(found.squares), np.array(found.positive_squares)) if weighs else None,
    )


def _by_label(cells: NDArray[Any], positives: NDArray[Any]) -> NDArray[Any]:
    """(..., label); what rounding leaves below 0 is none."""
    return np.stack([np.maximum(cells - positives, 0), positives], axis=-1)


def _error(counts: NDArray[np.int64] | Floats, mean: Floats) -> Floats:
    """ECE of counts (..., bin, label): no division by empty bins, as n_i |p_i − m_i| = |positives_i − n_i m_i|."""
    rows = counts.sum(axis=-1)
    total = rows.sum(axis=-1)
    return np.asarray(np.abs(counts[..., 1] - rows * mean).sum(axis=-1) / np.where(total > 0, total, 1))
