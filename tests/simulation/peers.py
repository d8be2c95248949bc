"""What people use instead, on the same requests: rules of minutes and of steps, their parameters stated here.

They climb by the holds alone and compare the same bad events as the product does.

threshold   Each minute the canary's bad share is compared with a fixed limit (twice stable's errors and slow answers,
            two points more wrong ones than stable's history), or with the same multiple of stable's share in this very
            minute. A metric whose limit is broken in more than `failureLimit` minutes of the rollout ends it (Argo
            Rollouts; Flagger counts its failed checks in the same way). A minute without canary requests is none.
z-test      Each minute, of all requests so far, a pooled one-sided two-proportion test of each metric.
Mann-Whitney At the end of each step the minutes' shares of canary and stable (Kayenta's NetflixACAJudge: 98 % interval
            of the Hodges-Lehmann shift; a metric is high when it lies above a quarter of the estimate). Of long steps
            240 spans are compared instead of every minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from tests.simulation.streams import HOLDS_S, QUALITY

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
MINUTE_S = 60.0
NEVER = np.inf
TWICE, TWO_POINTS = 2.0, 0.02
TOLERANCE, CONFIDENCE = 0.25, 0.98
MOST_SPANS = 240
Found = NDArray[np.float64]


class Minutes:
    """Every minute of the scheduled climb, (minutes, 4, rollouts) a metric: canary n and bad, stable n and bad."""

    def __init__(self, minutes: int, rollouts: int, metrics: int = 3) -> None:
        self.counts = np.zeros((metrics, minutes, 4, rollouts), dtype=np.int32)

    def steps(self) -> Iterator[tuple[int, int]]:
        """First minute and the one behind the last of each step, as far as this goes."""
        ends = (np.cumsum((0.0, *HOLDS_S)) / MINUTE_S).astype(int)
        for first, last in pairwise(ends.tolist()):
            if last <= self.counts.shape[1]:
                yield first, last


def threshold(minutes: Minutes, rates: tuple[float, ...], *, limit: int, relative: bool) -> Found:
    """The minute (from 1) at which each rollout is ended; infinite when it is not."""
    found = np.full(minutes.counts.shape[-1], NEVER)
    for metric, counts in enumerate(minutes.counts):
        n_c, k_c, n_s, k_s = (counts[:, row].astype(np.float64) for row in range(4))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = k_c / n_c
            base = k_s / n_s if relative else np.full_like(share, rates[metric])
        allowed = base + TWO_POINTS if metric == QUALITY else base * TWICE
        failures = (share > allowed + 1e-12).cumsum(axis=0)
        found = np.minimum(found, _first(failures > limit))
    return found


def z_test(minutes: Minutes, alphas: tuple[float, ...]) -> Found:
    """The minute at which the pooled one-sided z-test of some metric is significant at its `alphas`."""
    found = np.full(minutes.counts.shape[-1], NEVER)
    for counts, alpha in zip(minutes.counts, alphas, strict=True):
        n_c, k_c, n_s, k_s = (counts[:, row].cumsum(axis=0, dtype=np.float64) for row in range(4))
        with np.errstate(divide="ignore", invalid="ignore"):
            pooled = (k_c + k_s) / (n_c + n_s)
            z = (k_c / n_c - k_s / n_s) / np.sqrt(pooled * (1 - pooled) * (1 / n_c + 1 / n_s))
        found = np.minimum(found, _first(np.nan_to_num(ndtr(-z), nan=1.0) < alpha))
    return found


def mann_whitney(minutes: Minutes) -> Found:
    """The minute, always the last of a step, at which some metric is classified as high."""
    found = np.full(minutes.counts.shape[-1], NEVER)
    for first, last in minutes.steps():
        for counts in minutes.counts:
            spans = min(last - first, MOST_SPANS)
            summed = counts[first:last].reshape(spans, -1, *counts.shape[1:]).sum(axis=1, dtype=np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                canary, stable = summed[:, 1] / summed[:, 0], summed[:, 3] / summed[:, 2]
            high = np.array([is_high(canary[:, i], stable[:, i]) for i in range(found.size)])
            found = np.where(high, np.minimum(found, last), found)
    return found


def is_high(canary: Floats, stable: Floats) -> bool:
    """Whether the lower end of the shift's 98 % interval is above a quarter of its estimate.

    It is if and only if the one-sided test at 1 % of the canary, moved down by that quarter, still rejects; ties and
    continuity are corrected for, as in R's wilcox.test, on which Kayenta's is built.
    """
    canary, stable = canary[~np.isnan(canary)], stable[~np.isnan(stable)]
    if not canary.size or not stable.size or p_greater(canary, stable) >= (1 - CONFIDENCE) / 2:
        return False
    estimate = float(np.median(canary[:, None] - stable[None, :]))
    return p_greater(canary - TOLERANCE * abs(estimate), stable) < (1 - CONFIDENCE) / 2


def p_greater(one: Floats, other: Floats) -> float:
    """One-sided p of the rank-sum test, normal approximation with corrections for ties and continuity."""
    m, n = one.size, other.size
    ranks = rankdata(np.concatenate([one, other]))
    u = ranks[:m].sum() - m * (m + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    spread = m * n / 12 * (m + n + 1 - (ties**3 - ties).sum() / ((m + n) * (m + n - 1)))
    return float(ndtr(-(u - m * n / 2 - 0.5) / np.sqrt(spread))) if spread > 0 else 1.0


def _first(hit: NDArray[np.bool_]) -> Found:
    """Number from 1 of the first row that is true, per column."""
    return np.where(hit.any(axis=0), hit.argmax(axis=0) + 1.0, NEVER)
