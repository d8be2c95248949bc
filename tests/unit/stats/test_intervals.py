from __future__ import annotations

import numpy as np
import pytest
from scipy.special import bdtr, ndtri

from gatewright.stats.intervals import quantile_upper_rank, tango, wilson


def test_wilson_published() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    assert low == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)


def test_tango_published() -> None:
    # M. W. Fagerland, S. Lydersen, P. Laake, Statistics in Medicine 33 (2014) 2850-2875: 1 and 7 of 21 pairs.
    low, high = tango(1, 7, 21)
    assert (float(low), float(high)) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize("n", [1, 100, 10**9])
def test_tango_without_discordant_pairs(n: int) -> None:
    z = float(ndtri(0.95))
    low, high = tango(0, 0, n, level=0.9)
    assert (float(low), float(high)) == pytest.approx((-z * z / (n + z * z), z * z / (n + z * z)), rel=1e-9, abs=1e-15)


def test_tango_at_the_ends() -> None:
    low, high = tango([50, 0], [0, 50], 50)
    assert (high[0], low[1]) == (1.0, -1.0)
    assert low[0] == -high[1]
    square = float(ndtri(0.975)) ** 2
    assert low[0] == pytest.approx((50 - square) / (50 + square), rel=1e-12)


def test_no_rows_say_nothing() -> None:
    low, high = wilson([0, 3], [0, 3])
    assert (low[0], high[0]) == (0.0, 1.0)
    assert 0.0 < low[1] < high[1] == 1.0


def test_no_pairs_say_nothing() -> None:
    low, high = tango(0, 0, 0)
    assert (float(low), float(high)) == (-1.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0.5, 5), (float("nan"), 5), (1, float("inf"))])
def test_impossible_counts_are_refused(successes: float, n: float) -> None:
    with pytest.raises(ValueError, match=r"successes|n contains"):
        wilson(successes, n)


def test_impossible_pairs_and_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="exceeds n"):
        tango(3, 3, 5)
    with pytest.raises(ValueError, match="level contains 1"):
        tango(1, 1, 5, level=1.0)


@pytest.mark.parametrize(("n", "rank"), [(298, None), (299, 299), (3000, 2980), (0, None)])
def test_rank_that_bounds_the_99th_percentile(n: int, rank: int | None) -> None:
    assert quantile_upper_rank(n, 0.99) == rank


@pytest.mark.parametrize(("n", "share"), [(299, 0.99), (3000, 0.99), (50, 0.5), (7, 0.5)])
def test_the_rank_is_the_smallest_that_holds(n: int, share: float) -> None:
    upper = quantile_upper_rank(n, share)
    assert upper is not None
    assert bdtr(upper - 1, n, share) >= 0.95
    assert bdtr(upper - 2, n, share) < 0.95


def test_a_share_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="share contains 1"):
        quantile_upper_rank(100, 1.0)


def test_intervals_broadcast() -> None:
    low, high = tango(np.zeros((3, 1)), np.ones(4), 10)
    assert low.shape == high.shape == (3, 4)
