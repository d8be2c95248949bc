"""The gates' own false alarms on this evaluation: how often each would fail although nothing changed.

If candidate and baseline are exchangeable, so are their answers on every row: swapping them row by row at random gives
evaluations in which nothing changed, with the disagreement that these two models really have. From the cells, a swap is
a binomial draw for each pair of mirrored outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gatewright.domain.evaluation import EvaluationReport, SliceEvidence
from gatewright.domain.gate import FairnessGate, GateName, OverallGate, SliceGate
from gatewright.domain.project import GatesSection
from gatewright.rules.gates.fairness import counts_of
from gatewright.rules.metrics import Outcomes
from gatewright.stats.multiplicity import holm
from gatewright.stats.paired import mcnemar_midp

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
DRAWS = 1000


def false_alarms(gates: GatesSection, report: EvaluationReport, *, seed: int = 0) -> Mapping[GateName, float]:
    """Share of `DRAWS` swapped evaluations that each gate would fail; gates that cannot be told this way are absent.

    Slices are swapped independently of each other: those that share rows are not, which makes the share a little too
    large. The fairness gate is judged by the normal approximation of its bootstrap. Only for tasks with classes, judged
    by accuracy, with a baseline.
    """
    if report.baseline_digest is None or report.metric != "accuracy" or not report.outcomes:
        return {}
    if "accuracy" in report.overall.scores:
        return {}
    rng = np.random.default_rng(seed)
    outcomes = Outcomes.of(report)
    found: dict[GateName, float] = {}
    if gates.overall is not None:
        found["overall"] = float(_overall(gates.overall, outcomes, report, rng).mean())
    if gates.slices is not None and report.slices:
        found["slices"] = float(_slices(gates.slices, outcomes, report, rng).mean())
    if gates.fairness is not None and report.groups:
        found["fairness"] = float(_fairness(gates.fairness, outcomes, report, rng).mean())
    return found


def _discordant(outcomes: Outcomes, cells: Counts) -> Counts:
    return np.asarray(cells @ (outcomes.right("candidate") != outcomes.right("baseline")))


def _overall(gate: OverallGate, outcomes: Outcomes, report: EvaluationReport, rng: np.random.Generator) -> Flags:
    """The measured drop exceeds the margin, by chance."""
    discordant = int(_discordant(outcomes, np.array(report.overall.cells)))
    worse = rng.binomial(discordant, 0.5, size=DRAWS)
    value = (2 * worse - discordant) / report.overall.rows
    fails = value > gate.margin
    if not gate.allow_small_regression:
        fails |= (mcnemar_midp(worse, discordant - worse) < gate.alpha) & (value >= gate.min_effect)
    return np.asarray(fails)


def _slices(gate: SliceGate, outcomes: Outcomes, report: EvaluationReport, rng: np.random.Generator) -> Flags:
    eligible: list[SliceEvidence] = [found for found in report.slices.values() if found.rows >= gate.min_rows]
    if not eligible:
        return np.zeros(DRAWS, dtype=bool)
    rows = np.array([found.rows for found in eligible])
    discordant = _discordant(outcomes, np.array([found.cells for found in eligible]))
    worse = rng.binomial(discordant, 0.5, size=(DRAWS, len(eligible)))
    p = mcnemar_midp(worse, discordant - worse)
    enough = (2 * worse - discordant) / rows >= gate.min_effect
    adjusted = np.array([holm(row) for row in p])
    return np.asarray(((adjusted < gate.alpha) & enough).any(axis=1))


def _fairness(gate: FairnessGate, outcomes: Outcomes, report: EvaluationReport, rng: np.random.Generator) -> Flags:
    worsenings = []
    for groups in report.groups.values():
        names = [name for name, found in groups.items() if found.rows >= gate.min_rows]
        if len(names) < 2:
            continue
        swapped = _swapped(outcomes, counts_of(groups, names, len(report.outcomes)), rng)
        for metric in gate.metrics:
            difference = outcomes.gap(metric, swapped, "candidate") - outcomes.gap(metric, swapped, "baseline")
            worsenings.append(np.where(np.isfinite(difference), difference, 0.0))
    fails = np.zeros(DRAWS, dtype=bool)
    limit = float(ndtri(1 - gate.alpha / max(len(worsenings), 1)))
    for worsening in worsenings:
        fails |= (worsening > limit * worsening.std()) & (worsening >= gate.max_worsening)
    return fails


def _swapped(outcomes: Outcomes, counts: Counts, rng: np.random.Generator) -> Counts:
    """`counts` (..., U) with the models' answers swapped on a random half of the rows, (DRAWS, ..., U')."""
    mirror = outcomes.mirror()
    moved = rng.binomial(counts, 0.5, size=(DRAWS, *counts.shape))
    result = np.broadcast_to(counts, moved.shape) - moved
    np.add.at(result, (..., mirror), moved)
    return np.asarray(result)
