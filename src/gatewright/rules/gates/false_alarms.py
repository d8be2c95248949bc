"""The gates' own false alarms on this evaluation: how often each would fail although nothing changed.

If candidate and baseline are exchangeable, so are their answers on every row: swapping them row by row at random gives
evaluations in which nothing changed, with the disagreement that these two models really have. From the cells, a swap is
a binomial draw for each pair of mirrored outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gatewright.domain.evaluation import EvaluationReport, Outcome, SliceEvidence
from gatewright.domain.gate import FairnessGate, GateName, OverallGate, SliceGate
from gatewright.domain.project import GatesSection
from gatewright.rules.gates.overall import CHANCE
from gatewright.rules.gates.resampling import counts_of
from gatewright.rules.measuring.metrics import Outcomes
from gatewright.stats.multiplicity import holm
from gatewright.stats.paired import mcnemar_midp
from gatewright.stats.power import fewest_worse

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
    report = _with_mirrors(report)
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
    differs = outcomes.correct("candidate") != outcomes.correct("baseline")
    return np.asarray(cells @ differs.astype(np.int64))


def _overall(gate: OverallGate, outcomes: Outcomes, report: EvaluationReport, rng: np.random.Generator) -> Flags:
    """The measured drop exceeds the margin and seems significant, by chance."""
    discordant = int(_discordant(outcomes, np.array(report.overall.cells)))
    worse = rng.binomial(discordant, 0.5, size=DRAWS)
    value = (2 * worse - discordant) / report.overall.rows
    p = mcnemar_midp(worse, discordant - worse)
    fails = (value > gate.margin) & (p < gate.alpha * CHANCE)
    if not gate.allow_small_regression:
        fails |= (p < gate.alpha) & (value >= gate.min_effect)
    return np.asarray(fails)


def _slices(gate: SliceGate, outcomes: Outcomes, report: EvaluationReport, rng: np.random.Generator) -> Flags:
    eligible: list[SliceEvidence] = [found for found in report.slices.values() if found.rows >= gate.min_rows]
    if not eligible:
        return np.zeros(DRAWS, dtype=bool)
    rows = np.array([found.rows for found in eligible])
    discordant = _discordant(outcomes, np.array([found.cells for found in eligible]))
    worse = rng.binomial(discordant, 0.5, size=(DRAWS, len(eligible)))
    # Holm rejects nothing unless the smallest p is at most alpha / m: few draws are left to be tested.
    fails = np.asarray((worse >= fewest_worse(discordant, gate.alpha / len(eligible))).any(axis=1))
    worse = worse[fails]
    enough = (2 * worse - discordant) / rows >= gate.min_effect
    fails[fails] = ((holm(mcnemar_midp(worse, discordant - worse)) < gate.alpha) & enough).any(axis=1)
    return fails


def _fairness(gate: FairnessGate, outcomes: Outcomes, report: EvaluationReport, rng: np.random.Generator) -> Flags:
    worsenings = []
    for groups in report.groups.values():
        names = [name for name, found in groups.items() if found.rows >= gate.min_rows]
        if len(names) < 2:
            continue
        swapped = _swapped(outcomes, counts_of(groups, names, len(report.outcomes)).astype(np.int64), rng)
        for metric in gate.metrics:
            difference = outcomes.gap(metric, swapped, "candidate") - outcomes.gap(metric, swapped, "baseline")
            worsenings.append(np.where(np.isfinite(difference), difference, 0.0))
    fails = np.zeros(DRAWS, dtype=bool)
    limit = float(ndtri(1 - gate.alpha / max(len(worsenings), 1)))
    for worsening in worsenings:
        fails |= (worsening > limit * worsening.std()) & (worsening >= gate.max_worsening)
    return fails


def _swapped(outcomes: Outcomes, counts: Counts, rng: np.random.Generator) -> Counts:
    """`counts` (..., U) with the models' answers swapped on a random half of the rows, (DRAWS, ..., U).

    `outcomes` must hold the mirror image of each of its outcomes.
    """
    places = {(one.label, one.candidate, one.baseline): place for place, one in enumerate(outcomes.outcomes)}
    mirror = [places[one.label, one.baseline or 0, one.candidate] for one in outcomes.outcomes]
    some = [place for place, other in enumerate(mirror) if place < other]
    other = [mirror[place] for place in some]
    # What stays of one and what comes of its image is together a fair share of both.
    both = counts[..., some] + counts[..., other]
    drawn = rng.binomial(both, 0.5, size=(DRAWS, *both.shape))
    swapped = np.repeat(counts[np.newaxis], DRAWS, axis=0)
    swapped[..., some], swapped[..., other] = drawn, both - drawn
    return swapped


def _with_mirrors(report: EvaluationReport) -> EvaluationReport:
    """The report with a cell, perhaps empty, for the mirror image of every outcome."""
    there = set(report.outcomes)
    mirrors = (
        Outcome(label=one.label, candidate=one.baseline, baseline=one.candidate)
        for one in report.outcomes
        if one.baseline is not None
    )
    added = tuple(dict.fromkeys(mirror for mirror in mirrors if mirror not in there))

    def wider(found: SliceEvidence) -> SliceEvidence:
        return replace(found, cells=(*found.cells, *(0,) * len(added)))

    return replace(
        report,
        outcomes=(*report.outcomes, *added),
        overall=wider(report.overall),
        slices={name: wider(found) for name, found in report.slices.items()},
        groups={key: {name: wider(found) for name, found in groups.items()} for key, groups in report.groups.items()},
    )
