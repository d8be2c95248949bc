"""AUC, its covariance and the bootstrap equal what scikit-learn and the plainest code compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gatewright.stats.arrays import Floats, Ints
from gatewright.stats.auc import auc, delong
from gatewright.stats.bootstrap import (
    block_quantile_upper,
    block_ratio_upper,
    multinomial,
    one_sided_p,
    percentile_bounds,
)

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def scored(draw: st.DrawFn, fewest: int = 1) -> tuple[Ints, Floats]:
    """Labels (n,) with at least `fewest` of each class, scores (3, n) with many ties in one of the models."""
    positive, negative = draw(st.integers(fewest, 40)), draw(st.integers(fewest, 40))
    rng = np.random.default_rng(draw(SEEDS))
    labels = rng.permutation(np.repeat([1, 0], [positive, negative]))
    scores = rng.normal(size=(3, labels.size)) + labels
    scores[1] = np.round(scores[1])
    scores[2] = 0.7 * scores[0] + scores[2]
    return labels, scores


@given(scored())
def test_auc(rows: tuple[Ints, Floats]) -> None:
    labels, scores = rows
    for column in scores:
        assert auc(labels, column) == pytest.approx(roc_auc_score(labels, column), rel=1e-12)


@given(scored(fewest=2))
def test_delong_is_the_covariance_of_all_pairs(rows: tuple[Ints, Floats]) -> None:
    labels, scores = rows
    above, below = scores[:, labels == 1], scores[:, labels == 0]
    wins = (above[:, :, None] > below[:, None, :]) + 0.5 * (above[:, :, None] == below[:, None, :])
    by_positive, by_negative = wins.mean(axis=2), wins.mean(axis=1)
    expected = np.cov(by_positive) / above.shape[1] + np.cov(by_negative) / below.shape[1]
    aucs, covariance = delong(labels, scores)
    assert aucs == pytest.approx(wins.mean(axis=(1, 2)), rel=1e-12)
    assert covariance == pytest.approx(expected, rel=1e-12, abs=1e-14)


@given(scored(fewest=2))
def test_only_the_order_of_scores_counts(rows: tuple[Ints, Floats]) -> None:
    labels, scores = rows
    aucs, covariance = delong(labels, scores)
    stretched = delong(labels, 3.0 * scores + 8.0)
    reversed_ = delong(1 - labels, scores)
    assert stretched[0] == pytest.approx(aucs, abs=1e-14)
    assert reversed_[0] == pytest.approx(1.0 - aucs, abs=1e-12)
    assert reversed_[1] == pytest.approx(covariance, abs=1e-14)


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=4, max_size=4), min_size=1, max_size=5), SEEDS)
def test_multinomial_keeps_totals_and_empty_cells(table: list[list[int]], seed: int) -> None:
    cells = np.array(table)
    drawn = multinomial(cells, 6, np.random.default_rng(seed))
    assert drawn.shape == (6, *cells.shape)
    assert (drawn >= 0).all()
    assert (drawn.sum(axis=-1) == cells.sum(axis=-1)).all()
    assert not drawn[:, cells == 0].any()


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(1, 40), SEEDS)
def test_block_bounds_are_those_of_resamples_made_one_by_one(n: int, share: float, block: int, seed: int) -> None:
    block, draws = min(block, n), 25
    candidate, baseline = np.random.default_rng(seed + 1).lognormal(size=(2, n))
    rank = math.ceil(share * n)
    starts = np.random.default_rng(seed).integers(n, size=(draws, math.ceil(n / block)))
    tops, ratios = [], []
    for row in starts.tolist():
        chosen = [(start + step) % n for start in row for step in range(block)][:n]
        top, bottom = (sorted(values[i] for i in chosen)[rank - 1] for values in (candidate, baseline))
        tops.append(top)
        ratios.append(top / bottom)
    whole, beside = np.sort(candidate)[rank - 1], np.sort(baseline)[rank - 1]
    position = math.ceil((draws + 1) * 0.95) - 1
    settings_ = {"block": block, "draws": draws}
    assert block_quantile_upper(candidate, share, **settings_, rng=np.random.default_rng(seed)) == (
        whole,
        sorted(tops)[position],
    )
    assert block_ratio_upper(candidate, baseline, share, **settings_, rng=np.random.default_rng(seed)) == (
        whole / beside,
        sorted(ratios)[position],
    )


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50), st.floats(-10, 10), st.floats(0.5, 0.99))
def test_bounds_and_p_values_keep_their_ranges(samples: list[float], estimate: float, level: float) -> None:
    low, high = percentile_bounds(samples, level=level)
    assert min(samples) <= float(low) <= float(high) <= max(samples)
    p = float(one_sided_p(samples, estimate))
    assert 1 / (len(samples) + 1) <= p <= 1
    assert p >= (1 + sum(sample <= 0 for sample in samples)) / (len(samples) + 1)


@settings(deadline=None, max_examples=1)
@given(st.just(20261))
def test_percentile_p_is_uniform_where_nothing_differs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # 1,000 A/A comparisons of 2,000 rows: cells (worse, better, same), bootstrapped as the gates do.
    tables = rng.multinomial(2000, [0.04, 0.04, 0.92], size=1000)
    drawn = multinomial(tables, 400, rng)
    p = one_sided_p((drawn[..., 0] - drawn[..., 1]).astype(float), (tables[:, 0] - tables[:, 1]).astype(float))
    for alpha in (0.025, 0.05, 0.25):
        assert (p <= alpha).mean() == pytest.approx(alpha, abs=4 * math.sqrt(alpha * (1 - alpha) / 1000))
