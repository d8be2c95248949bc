"""How much worse the candidate is on each of several slices: estimate, interval, p-value, and what could be found.

Harm is positive when the candidate is worse, whatever way the metric points. It is a difference of the metric, or a
share of the baseline's value for a `relative` metric (one without an upper end).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import EvaluationReport, PairedEstimate, SliceEvidence
from gatewright.domain.gate import Comparison, Estimate, Verdict
from gatewright.domain.metrics import METRICS, Metric
from gatewright.stats.intervals import tango
from gatewright.stats.paired import difference_se, mcnemar_midp, paired_z
from gatewright.stats.power import floor_discordant, mde, mean_mde, mean_rows_needed, rows_needed

if TYPE_CHECKING:
    from gatewright.rules.measuring.metrics import Outcomes

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
DRAWS = 1000
MOST_ROWS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Harms:
    """The harm on each of S slices; every array is (S,), NaN where the metric is not defined.

    `rows` are those that count for the metric (of recall: the positive ones). [low, high] is two-sided at `level`, so
    each end is a one-sided bound at 1 − (1 − level)/2. `p` is one-sided: no harm against some. `spread` is the standard
    deviation of one row's difference, `discordant` the share of rows on which exactly one model is right, if that is
    what the metric counts. `effective`: where rows carry weights, how many of equal weight they are worth.
    """

    metric: Metric
    rows: Counts
    candidate: Floats
    baseline: Floats
    value: Floats
    low: Floats
    high: Floats
    level: float
    p: Floats
    spread: Floats
    method: str
    discordant: Floats | None = None
    effective: Floats | None = None

    @property
    def support(self) -> Counts | Floats:
        """The rows, or where they carry weights as many of equal weight as they are worth, (S,)."""
        return self.rows if self.effective is None else self.effective

    def mde(self, alpha: float, power: float) -> Floats:
        """The smallest harm that a test at `alpha` finds with probability `power`, (S,)."""
        if self.discordant is not None:
            return np.asarray(mde(self.discordant, self.rows, alpha=alpha, power=power))
        known = np.isfinite(self.spread)
        reach = mean_mde(np.where(known, self.spread, 0.0), self.rows, alpha=alpha, power=power)
        return np.where(known, reach, np.nan)

    def rows_needed(self, index: int, margin: float, *, alpha: float, power: float = 0.8) -> int | None:
        """About how many rows decide on `margin` when the harm is what was seen; None when no number of rows would."""
        left = margin - max(float(self.value[index]), 0.0)
        if not left > 0 or not np.isfinite(self.spread[index]):
            return None
        if self.discordant is not None:
            needed = int(rows_needed(self.discordant[index], min(left, 0.999), alpha=alpha, power=power))
        else:
            needed = int(mean_rows_needed(self.spread[index], left, alpha=alpha, power=power))
        return needed if 0 < needed <= MOST_ROWS else None

    def rows_to_show(self, index: int, *, alpha: float) -> int | None:
        """About how many rows make a harm as large as the measured one significant at `alpha`."""
        from scipy.special import ndtri

        value = float(self.value[index])
        if not value > 0 or not np.isfinite(self.spread[index]):
            return None
        needed = (float(ndtri(1 - alpha)) * float(self.spread[index]) / value) ** 2
        return max(int(np.ceil(needed)), int(self.rows[index]) + 1) if needed <= MOST_ROWS else None

    def estimate(self, index: int) -> Estimate | None:
        """The harm on one slice with its interval; None where it is not defined."""
        if not np.isfinite(self.value[index]):
            return None
        return Estimate(
            value=float(self.value[index]),
            low=float(self.low[index]),
            high=float(self.high[index]),
            level=self.level,
            n=int(self.rows[index]),
            method=self.method,
        )

    def comparison(self, index: int, name: str, verdict: Verdict, **more: object) -> Comparison:
        """The comparison of one slice, with `more` of its fields."""
        values: Mapping[str, object] = {
            "metric": self.metric.name,
            "slice": name,
            "rows": int(self.rows[index]),
            "candidate": _number(self.candidate[index]),
            "baseline": _number(self.baseline[index]),
            "harm": self.estimate(index),
            "p": _number(self.p[index]),
        }
        return Comparison(verdict=verdict, **{**values, **more})  # type: ignore[arg-type]


def harms(
    report: EvaluationReport,
    evidence: Sequence[SliceEvidence],
    metric: str,
    *,
    level: float,
    seed: int = 0,
) -> Harms:
    """The harm of `metric` on each of `evidence`, slices of `report`, which must have a baseline.

    Shares of right rows (accuracy; recall of two classes) are judged by the mid-p McNemar test and Tango's interval,
    means and ranks by z with their paired standard error, other counts by z with that of a multinomial bootstrap.
    NaN on a slice that is too small for the metric, or of one class; UnusableInput when it was not measured at all.
    """
    known = METRICS[metric]
    if report.baseline_digest is None:
        raise UnusableInput("the report has no baseline", fix="evaluate candidate and baseline in one run")
    if metric in report.overall.scores or any(metric in found.scores for found in evidence):
        if report.weight is not None:
            from gatewright.rules.gates.weighted_harm import of_weighted

            return of_weighted(report, evidence, known, level)
        return of_scores(known, [found.scores.get(metric) or undefined(found.rows) for found in evidence], level)
    if known.kind != "count" or not report.outcomes:
        raise UnusableInput(
            f"{metric} was not measured",
            fix=f"add it to evaluation.metrics ({known.name} needs {_needs(known)})",
        )
    from gatewright.rules.measuring.metrics import Outcomes

    outcomes = Outcomes.of(report)
    counts = np.array([found.cells for found in evidence], dtype=np.int64).reshape(len(evidence), len(report.outcomes))
    if metric == "accuracy":
        return _of_right_rows(known, outcomes, counts, level)
    if metric == "recall" and report.task == "binary":
        return _of_right_rows(known, outcomes, counts * (outcomes.labels == outcomes.positive), level)
    return _of_bootstrap(known, outcomes, counts, level, seed)


def _of_right_rows(metric: Metric, outcomes: Outcomes, counts: Counts, level: float) -> Harms:
    rows = counts.sum(axis=-1)
    ours, theirs = outcomes.correct("candidate"), outcomes.correct("baseline")
    worse = (counts @ (theirs * (1 - ours))).astype(np.int64)
    better = (counts @ (ours * (1 - theirs))).astype(np.int64)
    low, high = tango(worse, better, rows, level=level)
    empty = rows == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        candidate, baseline = counts @ ours / rows, counts @ theirs / rows
        value = (worse - better) / rows
    discordant = floor_discordant(worse + better, np.maximum(rows, 1))
    return Harms(
        metric=metric,
        rows=rows,
        candidate=candidate,
        baseline=baseline,
        value=value,
        low=np.where(empty, np.nan, low),
        high=np.where(empty, np.nan, high),
        level=level,
        p=np.where(empty, np.nan, mcnemar_midp(worse, better)),
        spread=np.sqrt(discordant),
        method="Tango, mid-p McNemar",
        discordant=discordant,
    )


def of_scores(
    metric: Metric,
    scores: Sequence[PairedEstimate],
    level: float,
    *,
    least: Floats | float = 0.0,
    method: str = "paired z",
) -> Harms:
    """Harm of means and ranks; of a relative metric, (c − b)/|b| with the delta method's standard error.

    `least` (S,): no error is smaller, of metrics in which rows that all agree leave none.
    """
    rows = np.array([score.rows for score in scores], dtype=np.int64)
    candidate, baseline, candidate_var, baseline_var, covariance = (
        np.array([_or_nan(getattr(score, name)) for score in scores])
        for name in ("candidate", "baseline", "candidate_var", "baseline_var", "covariance")
    )
    sign = -1.0 if metric.higher_is_better else 1.0
    # Nothing is a share of 0, and no slice without a variance has an error: both are NaN in the end.
    known = np.isfinite(baseline) & ((baseline != 0) | np.array(not metric.relative))
    scale = np.where(known, np.abs(baseline) if metric.relative else 1.0, np.nan)
    variances = [np.where(known, found, 0.0) for found in (candidate_var, baseline_var, covariance)]
    weight = np.ones(len(scores))
    if metric.relative:
        np.divide(candidate, baseline, out=weight, where=known)
    error = np.maximum(difference_se(*variances, baseline_weight=weight) / scale, least)
    value = sign * (candidate - baseline) / scale
    null_error = np.maximum(difference_se(*variances) / scale, least)
    return normal(metric, rows, (candidate, baseline), value, error, null_error, level, method)


def undefined(rows: int) -> PairedEstimate:
    return PairedEstimate(rows=rows, candidate=np.nan, candidate_var=np.nan)


def _of_bootstrap(metric: Metric, outcomes: Outcomes, counts: Counts, level: float, seed: int) -> Harms:
    """Harm of precision, F1 and the like: their standard error from B = 1000 multinomial resamples of the cells."""
    from gatewright.stats.bootstrap import multinomial

    rows = counts.sum(axis=-1)
    # Where nobody is positive, by label or by answer, 0 against 0 says nothing.
    known = counts @ outcomes.concerns_positive(metric.name) > 0
    candidate = np.where(known, outcomes.metric(metric.name, counts, "candidate"), np.nan)
    baseline = np.where(known, outcomes.metric(metric.name, counts, "baseline"), np.nan)
    drawn = multinomial(counts, DRAWS, np.random.default_rng(seed))
    resampled = outcomes.metric(metric.name, drawn, "baseline") - outcomes.metric(metric.name, drawn, "candidate")
    # Where no row differs every resample agrees, too: one row that does is what cannot be excluded.
    least = np.sqrt(floor_discordant(np.zeros_like(rows), np.maximum(rows, 1)) / np.maximum(rows, 1))
    error = np.maximum(_deviation(resampled), least)
    return normal(metric, rows, (candidate, baseline), baseline - candidate, error, error, level, "bootstrap z")


def normal(
    metric: Metric,
    rows: Counts,
    values: tuple[Floats, Floats],
    value: Floats,
    error: Floats,
    null_error: Floats,
    level: float,
    method: str,
) -> Harms:
    from scipy.special import ndtri

    reach = float(ndtri(0.5 + level / 2)) * error
    return Harms(
        metric=metric,
        rows=rows,
        candidate=values[0],
        baseline=values[1],
        value=value,
        low=value - reach,
        high=value + reach,
        level=level,
        p=_p(value, null_error),
        spread=error * np.sqrt(rows),
        method=method,
    )


def _p(value: Floats, error: Floats) -> Floats:
    """One-sided p of a harm above 0; NaN where the metric is not defined."""
    defined = np.isfinite(value) & np.isfinite(error)
    p = np.full(value.shape, np.nan)
    p[defined] = paired_z(value[defined], error[defined])
    return p


def _deviation(samples: Floats) -> Floats:
    """Standard deviation over the draws, of those in which the metric is defined."""
    defined = np.isfinite(samples)
    n = np.maximum(defined.sum(axis=0), 2)
    filled = np.where(defined, samples, 0.0)
    mean = filled.sum(axis=0) / n
    return np.asarray(np.sqrt(np.where(defined, (filled - mean) ** 2, 0.0).sum(axis=0) / (n - 1)))


def _needs(metric: Metric) -> str:
    needed = f"a {' or '.join(metric.tasks)} model"
    return f"{needed} that answers probabilities" if metric.needs_scores else needed


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _number(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None
