"""How much worse the candidate is where rows carry weights: the weighted paired difference with its own variance.

No test by counts knows weights, so each metric is judged by z with the linearised variance of the difference. Of
accuracy, only rows on which the models differ have a part in it; under the null each of them is as likely worse as
better, and the sum of their squared weights is the variance of a difference of 0 (as McNemar's, for unlike weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gatewright.domain.evaluation import EvaluationReport, SliceEvidence
from gatewright.domain.metrics import Metric
from gatewright.rules.gates.harm import Floats, Harms, normal, of_scores, undefined
from gatewright.rules.measuring.metrics import Outcomes
from gatewright.stats.power import floor_discordant

METHOD = "weighted paired z, linearised"


def of_weighted(report: EvaluationReport, evidence: Sequence[SliceEvidence], metric: Metric, level: float) -> Harms:
    """The harm on each of `evidence`; NaN on slices of a single row, or where the metric is not defined."""
    scores = [found.scores.get(metric.name) or undefined(found.rows) for found in evidence]
    effective = np.array([found.effective_rows for found in evidence])
    least = _least(effective) if metric.kind == "count" else 0.0
    found = of_scores(metric, scores, level, least=least, method=METHOD)
    if metric.name == "accuracy" and report.outcomes:
        null = np.maximum(_null_error(Outcomes.of(report), evidence), least)
        error = found.spread / np.sqrt(np.maximum(found.rows, 1))
        values = (found.candidate, found.baseline)
        found = normal(metric, found.rows, values, found.value, error, null, level, METHOD)
    return replace(found, effective=effective)


def _least(effective: Floats) -> Floats:
    """The error of a difference of shares when no row differs: one that does cannot be excluded."""
    rows = np.maximum(np.floor(effective), 1.0)
    return np.asarray(np.sqrt(floor_discordant(np.zeros_like(rows), rows) / rows))


def _null_error(outcomes: Outcomes, evidence: Sequence[SliceEvidence]) -> Floats:
    """sqrt(sum of w² over the rows that differ) / sum of w, (S,)."""
    differs = (outcomes.correct("candidate") != outcomes.correct("baseline")).astype(np.float64)
    squares = np.array([found.squares for found in evidence]) @ differs
    totals = np.array([sum(found.weights) for found in evidence])
    return np.asarray(np.sqrt(squares) / np.where(totals > 0.0, totals, 1.0))
