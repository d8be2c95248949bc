"""The peers' rules are what they are said to be: against scipy and statsmodels, and on minutes counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from statsmodels.stats.proportion import proportions_ztest

from tests.simulation.peers import Minutes, is_high, mann_whitney, p_greater, threshold, z_test

RATES = (0.01, 0.01, 0.08)


def minutes(errors: list[tuple[int, int, int, int]]) -> Minutes:
    """One rollout whose other metrics show nothing bad."""
    found = Minutes(len(errors), 1)
    found.counts[0, :, :, 0] = errors
    found.counts[1:, :, 0] = found.counts[0, :, 0]
    found.counts[1:, :, 2] = found.counts[0, :, 2]
    return found


def test_the_rank_test_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        one, other = rng.binomial(60, 0.1, 30) / 60, rng.binomial(600, 0.09, 40) / 600
        expected = mannwhitneyu(one, other, alternative="greater", method="asymptotic").pvalue
        assert p_greater(one, other) == pytest.approx(expected)


def test_a_metric_is_high_when_its_interval_lies_above_a_quarter_of_the_shift() -> None:
    rng = np.random.default_rng(2)
    stable = rng.normal(0.08, 0.003, 30)
    assert is_high(rng.normal(0.1, 0.012, 30), stable)
    assert not is_high(rng.normal(0.08, 0.012, 30), stable)
    assert not is_high(np.array([]), stable)


def test_the_z_test_is_that_of_statsmodels_on_all_requests_so_far() -> None:
    counts = [(600, 8, 11_400, 110), (600, 14, 11_400, 112), (600, 16, 11_400, 120)]
    sums = np.cumsum(counts, axis=0)
    ps = [proportions_ztest([c, s], [n_c, n_s], alternative="larger")[1] for n_c, c, n_s, s in sums.tolist()]
    for alpha in (0.5, 0.05, 0.005, 1e-9):
        expected = next((number for number, p in enumerate(ps, start=1) if p < alpha), math.inf)
        assert z_test(minutes(counts), (alpha,) * 3) == [expected]


@pytest.mark.parametrize(("limit", "relative", "expected"), [(0, False, 1), (1, False, 3), (3, False, math.inf)])
def test_a_threshold_ends_with_the_failure_after_its_limit(limit: int, relative: bool, expected: float) -> None:
    counts = [(600, 13, 11_400, 114), (600, 12, 11_400, 114), (600, 30, 11_400, 114), (0, 0, 11_400, 114)]
    assert threshold(minutes(counts), RATES, limit=limit, relative=relative) == [expected]


def test_a_relative_threshold_looks_at_stable_in_the_same_minute() -> None:
    counts = [(600, 20, 11_400, 300), (600, 20, 11_400, 100)]
    assert threshold(minutes(counts), RATES, limit=0, relative=True) == [2]
    assert threshold(minutes(counts), RATES, limit=0, relative=False) == [1]


def test_kayenta_judges_at_the_end_of_a_step() -> None:
    rng = np.random.default_rng(3)
    worse = [(600, int(rng.binomial(600, 0.03)), 11_400, int(rng.binomial(11_400, 0.01))) for _ in range(30)]
    same = [(600, int(rng.binomial(600, 0.01)), 11_400, int(rng.binomial(11_400, 0.01))) for _ in range(30)]
    assert mann_whitney(minutes(worse)) == [30]
    assert mann_whitney(minutes(same)) == [math.inf]
    assert mann_whitney(minutes(worse[:29])) == [math.inf]
