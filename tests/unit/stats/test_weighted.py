"""Hájek's mean and its variance, effective rows, and the weighted bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.stats.bootstrap import multinomial
from gatewright.stats.intervals import wilson, wilson_of_share
from gatewright.stats.paired import cluster_covariance
from gatewright.stats.weighted import Strata, effective_rows, gamma_draws, hajek, linearised, share_interval


def test_equal_weights_are_the_plain_mean_with_its_sample_covariance() -> None:
    values = np.random.default_rng(1).normal(size=(50, 2))
    means, covariance = hajek(values, np.full(50, 7.0))
    assert means == pytest.approx(values.mean(axis=0))
    one, two, both = cluster_covariance(values[:, 0], values[:, 1], np.arange(50))
    assert covariance == pytest.approx(np.array([[one, both], [both, two]]))


def test_strata_take_what_lies_between_them_out_of_the_variance() -> None:
    codes = np.repeat([0, 1], 25)
    values = codes.astype(float)[:, np.newaxis]
    _, without = hajek(values, np.ones(50))
    _, within = hajek(values, np.ones(50), Strata.of(codes))
    assert without[0, 0] > 0
    assert within[0, 0] == pytest.approx(0.0, abs=1e-15)


def test_a_stratum_of_one_row_counts_with_its_square() -> None:
    parts = np.array([[0.5], [0.1], [-0.1]])
    assert linearised(parts, Strata.of(np.array([0, 1, 1])))[0, 0] == pytest.approx(0.25 + 2 * (0.02 - 0.0))


def test_rows_of_a_slice_are_part_of_the_whole_sample() -> None:
    """The variance of a slice's total knows that its number of rows is chance, too."""
    strata = Strata.single(4)
    alone = linearised(np.ones((2, 1)), Strata.single(2))
    inside = linearised(np.ones((2, 1)), strata.of_rows(np.array([0, 1])))
    assert alone[0, 0] == pytest.approx(0.0)
    assert inside[0, 0] == pytest.approx(4 / 3 * (2 - 1))


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=30))
def test_effective_rows_lie_between_one_and_all(weights: list[float]) -> None:
    assert 1 - 1e-9 <= effective_rows(weights) <= len(weights) + 1e-9
    assert effective_rows([3.0] * len(weights)) == pytest.approx(len(weights))


def test_a_share_of_equal_rows_has_about_wilson_s_interval() -> None:
    right = np.repeat([1, 0], [80, 20])
    share, low, high = share_interval(right, np.ones(100))
    assert share == pytest.approx(0.8)
    assert (low, high) == pytest.approx(tuple(map(float, wilson(80, 100))), abs=2e-3)
    assert wilson_of_share(0.8, 100) == pytest.approx(tuple(map(float, wilson(80, 100))))
    assert wilson_of_share(0.5, 0) == (0.0, 1.0)


def test_where_all_rows_agree_the_interval_is_that_of_the_effective_rows() -> None:
    _, low, high = share_interval(np.ones(40), np.repeat([1.0, 9.0], 20))
    assert high == 1.0
    assert low == pytest.approx(wilson_of_share(1.0, effective_rows(np.repeat([1.0, 9.0], 20)))[0])


def test_draws_have_the_spread_of_the_multinomial_bootstrap_when_weights_are_equal() -> None:
    cells = np.array([30, 50, 20])
    shares = []
    for found in (
        multinomial(cells, 20_000, np.random.default_rng(1)),
        gamma_draws(cells, cells, 20_000, np.random.default_rng(2)),
    ):
        part = found / found.sum(axis=1, keepdims=True)
        shares.append((part.mean(axis=0), part.std(axis=0)))
    assert shares[0][0] == pytest.approx(shares[1][0], abs=2e-3)
    assert shares[0][1] == pytest.approx(shares[1][1], rel=0.03)


def test_draws_of_an_empty_cell_stay_empty_and_strange_sums_are_refused() -> None:
    found = gamma_draws([0.0, 4.0], [0.0, 8.0], 50, np.random.default_rng(1))
    assert (found[:, 0] == 0).all()
    assert (found[:, 1] > 0).all()
    with pytest.raises(ValueError, match="finite numbers from 0"):
        gamma_draws([-1.0], [1.0], 2, np.random.default_rng(1))
    with pytest.raises(ValueError, match="one above 0"):
        hajek(np.ones((2, 1)), [0.0, 0.0])
