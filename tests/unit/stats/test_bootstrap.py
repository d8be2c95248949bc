from __future__ import annotations

import numpy as np
import pytest

from gatewright.stats.bootstrap import (
    block_length,
    block_quantile_upper,
    block_ratio_upper,
    multinomial,
    one_sided_p,
    percentile_bounds,
)


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_each_table_keeps_its_total_and_its_empty_cells() -> None:
    table = np.array([[[5, 0, 95], [0, 0, 0]], [[10**9, 0, 1], [3, 0, 0]]])
    drawn = multinomial(table, 200, rng())
    assert drawn.shape == (200, 2, 2, 3)
    assert drawn.dtype == np.int64
    assert (drawn.sum(axis=-1) == table.sum(axis=-1)).all()
    assert not drawn[..., table == 0].any()


def test_multinomial_moments() -> None:
    table = np.array([[40, 25, 30, 5], [1, 0, 7, 2]])
    drawn = multinomial(table, 40_000, rng())
    for row, samples in zip(table, drawn.transpose(1, 0, 2), strict=True):
        n, p = row.sum(), row / row.sum()
        expected = n * (np.diag(p) - np.outer(p, p))
        # Five standard errors of a mean, and of a covariance (its kurtosis is close to the normal one).
        assert np.abs(samples.mean(axis=0) - row).max() < 5 * np.sqrt(n / 4 / 40_000)
        assert np.abs(np.cov(samples.T) - expected).max() < 5 * (n / 4) * np.sqrt(2 / 40_000)


def test_the_same_seed_draws_the_same() -> None:
    table = [[4, 3, 2]]
    assert (multinomial(table, 50, rng(1)) == multinomial(table, 50, rng(1))).all()
    assert (multinomial(table, 50, rng(1)) != multinomial(table, 50, rng(2))).any()


def test_percentile_bounds_are_order_statistics() -> None:
    samples = rng().permutation(np.arange(1.0, 1000.0))
    low, high = percentile_bounds(samples, level=0.9)
    assert (float(low), float(high)) == pytest.approx((50.0, 950.0))
    low, high = percentile_bounds(np.stack([samples, -samples]), level=0.9, axis=1)
    assert low == pytest.approx([50.0, -950.0])
    assert high == pytest.approx([950.0, -50.0])


def test_one_sided_p_counts_samples() -> None:
    symmetric = np.arange(-1.0, 4.0)  # of the estimate 1: two samples are at most 0, two at least 2
    assert float(one_sided_p(symmetric, 1.0)) == (1 + 2) / (5 + 1)
    assert float(one_sided_p(symmetric + 100.0, 101.0)) == 1 / 6


def test_samples_that_lie_too_high_do_not_count_as_evidence() -> None:
    # All are above 0, yet half of them are further above the estimate than the estimate is above 0.
    assert float(one_sided_p(np.linspace(0.01, 0.19, 99), 0.05)) == pytest.approx(0.5, abs=0.06)


def test_block_lengths() -> None:
    assert [block_length(n) for n in (1, 8, 9, 27, 1000, 3000)] == [1, 2, 3, 3, 10, 15]


def test_quantile_of_a_constant_has_no_uncertainty() -> None:
    assert block_quantile_upper(np.full(50, 3.0), 0.99, block=4, draws=20, rng=rng()) == (3.0, 3.0)


def test_one_block_of_everything_is_the_sample_itself() -> None:
    values = rng().normal(size=100)
    expected = float(np.sort(values)[98])
    assert block_quantile_upper(values, 0.99, block=100, draws=30, rng=rng()) == (expected, expected)


def test_quantile_bound_covers_what_order_statistics_say() -> None:
    values = rng().permutation(np.arange(1.0, 1001.0))
    estimate, upper = block_quantile_upper(values, 0.9, block=1, draws=2000, rng=rng())
    # Of independent values the rank of the bound is 900 + 1.645 sqrt(1000 * .9 * .1), about 916.
    assert estimate == 900.0
    assert upper == pytest.approx(915.6, abs=2.0)


def test_long_blocks_widen_the_bound_of_a_dependent_series() -> None:
    values = np.repeat(rng().normal(size=100), 30)
    bounds = [block_quantile_upper(values, 0.9, block=block, draws=400, rng=rng())[1] for block in (1, 30)]
    assert bounds[1] > bounds[0]


def test_ratio_with_the_same_blocks_cancels_what_both_share() -> None:
    baseline = rng().lognormal(size=300)
    assert block_ratio_upper(1.5 * baseline, baseline, 0.99, block=7, draws=100, rng=rng()) == pytest.approx((1.5, 1.5))


def test_draws_in_several_chunks_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    values = rng().normal(size=30)
    whole = block_quantile_upper(values, 0.5, block=3, draws=25, rng=rng())
    monkeypatch.setattr("gatewright.stats.bootstrap._CHUNK", 100)
    assert block_quantile_upper(values, 0.5, block=3, draws=25, rng=rng()) == whole


def test_unusable_input_is_refused() -> None:
    with pytest.raises(ValueError, match="cells contains -1"):
        multinomial([3, -1], 5, rng())
    with pytest.raises(ValueError, match="draws is 0"):
        multinomial([3, 1], 0, rng())
    with pytest.raises(ValueError, match="at least one cell"):
        multinomial(np.zeros((3, 0)), 5, rng())
    with pytest.raises(ValueError, match="samples contains nan"):
        percentile_bounds([1.0, float("nan")], level=0.9)
    with pytest.raises(ValueError, match="draws of an estimate"):
        one_sided_p(np.zeros((5, 2)), 0.0)
    with pytest.raises(ValueError, match="block is 6"):
        block_quantile_upper(np.arange(5.0), 0.5, block=6, draws=5, rng=rng())
    with pytest.raises(ValueError, match="not above 0"):
        block_ratio_upper([1.0, 2.0], [0.0, 2.0], 0.5, block=1, draws=5, rng=rng())
    with pytest.raises(ValueError, match="must be pairs"):
        block_ratio_upper([1.0, 2.0], [1.0], 0.5, block=1, draws=5, rng=rng())
