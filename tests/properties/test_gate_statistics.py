"""The statistics of the gates equal scipy.stats, statsmodels and scikit-learn; "near" says how closely."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from gatewright.stats.intervals import quantile_upper_rank, tango, wilson
from gatewright.stats.multiplicity import benjamini_hochberg, holm
from gatewright.stats.paired import (
    cluster_covariance,
    mcnemar_midp,
    paired_z,
)
from gatewright.stats.power import mcnemar_power, mde, mean_mde, mean_rows_needed, rows_needed

LEVELS = st.floats(0.5, 0.999)
SIZES = st.one_of(st.integers(1, 40), st.integers(1, 5000), st.just(10**9))
P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from((0.0, 0.01, 0.02, 0.02, 1.0))), max_size=30)


def near(expected: object, *, rel: float = 1e-12, abs_: float = 1e-12) -> object:
    """Within 1e-12 of the expected numbers, relative or absolute, unless told otherwise."""
    return pytest.approx(expected, rel=rel, abs=abs_)


@st.composite
def successes(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(SIZES)
    return draw(st.one_of(st.integers(0, n), st.integers(0, min(n, 5)).map(lambda k: n - k))), n


@st.composite
def pairs(draw: st.DrawFn, sizes: st.SearchStrategy[int] = SIZES) -> tuple[int, int, int]:
    """worse, better, n."""
    n = draw(sizes)
    discordant = draw(st.one_of(st.integers(0, n), st.integers(0, min(n, 4))))
    worse = draw(st.integers(0, discordant))
    return worse, discordant - worse, n


@given(st.lists(successes(), min_size=1, max_size=5), LEVELS)
def test_intervals_of_a_share(rows: list[tuple[int, int]], level: float) -> None:
    k, n = np.array(rows).T
    low, high = wilson(k, n, level=level)
    expected = np.array([proportion_confint(int(a), int(b), alpha=1 - level, method="wilson") for a, b in rows]).T
    assert low == near(expected[0])
    assert high == near(expected[1])
    assert ((low >= 0) & (low <= k / n) & (k / n <= high) & (high <= 1)).all()


def excess(d: float, pair: tuple[int, int, int], z: float) -> float:
    """Numerator of Tango's T(d) minus z times its denominator, with the likeliest share of `better` given d."""
    worse, better, n = pair

    def slope(q: float) -> float:
        terms = ((worse, q + d, 1.0), (better, q, 1.0), (n - worse - better, 1.0 - 2.0 * q - d, -2.0))
        return math.fsum(k * inner / share if share > 0.0 else math.inf * inner for k, share, inner in terms if k)

    low, high = max(0.0, -d), (1.0 - d) / 2.0
    if slope(low) <= 0.0:
        q = low
    elif slope(high) >= 0.0:
        q = high
    else:
        q = optimize.brentq(slope, low, high, xtol=1e-17, rtol=8.9e-16)
    return worse - better - n * d - z * math.sqrt(n * max(0.0, 2.0 * q + d * (1.0 - d)))


@settings(deadline=None)
@given(pairs(st.one_of(st.integers(1, 40), st.integers(1, 5000))), LEVELS)
def test_tango_ends_where_the_score_of_the_constrained_likelihood_is_z(
    pair: tuple[int, int, int], level: float
) -> None:
    worse, better, n = pair
    low, high = (float(bound) for bound in tango(worse, better, n, level=level))
    z, point = float(stats.norm.ppf(0.5 + level / 2)), (worse - better) / n
    assert -1.0 <= low <= point <= high <= 1.0
    for bound, sign, free in ((high, -1.0, point < 1.0), (low, 1.0, point > -1.0)):
        if free:
            # Without discordant pairs the point itself is a root, too: look beyond it.
            inner, edge = point - sign * 1e-9, -sign * (1.0 - 1e-9)
            root = optimize.brentq(excess, inner, edge, args=(pair, sign * z), xtol=1e-15)
            assert bound == near(root, abs_=1e-10)
        else:
            assert bound == point


@given(pairs(), LEVELS)
def test_tango_is_symmetric(pair: tuple[int, int, int], level: float) -> None:
    worse, better, n = pair
    low, high = tango(worse, better, n, level=level)
    mirrored = tango(better, worse, n, level=level)
    assert (float(low), float(high)) == (-float(mirrored[1]), -float(mirrored[0]))


@given(st.integers(1, 10**6), st.floats(0.001, 0.999), st.floats(0.8, 0.999))
def test_the_rank_is_a_quantile_of_the_binomial(n: int, share: float, confidence: float) -> None:
    upper = int(stats.binom.ppf(confidence, n, share)) + 1
    assert quantile_upper_rank(n, share, confidence=confidence) == (upper if upper <= n else None)


@given(st.lists(pairs(), min_size=1, max_size=5))
def test_mcnemar_is_a_binomial_test(rows: list[tuple[int, int, int]]) -> None:
    worse, better, _ = np.array(rows).T
    midp = mcnemar_midp(worse, better)
    for w, b, mid in zip(worse.tolist(), better.tolist(), midp, strict=True):
        if w + b == 0:
            continue
        exact = stats.binomtest(w, w + b, 0.5, alternative="greater").pvalue
        assert mid == near(exact - stats.binom.pmf(w, w + b, 0.5) / 2, abs_=1e-11)
    assert midp + mcnemar_midp(better, worse) == near(np.ones(len(rows)))


@given(pairs(st.integers(1, 5000)))
def test_mcnemar_doubled_is_the_two_sided_midp(pair: tuple[int, int, int]) -> None:
    worse, better, n = pair
    assume(worse > better)
    two_sided = mcnemar([[n - worse - better, worse], [better, 0]], exact=True).pvalue
    midp = two_sided - stats.binom.pmf(worse, worse + better, 0.5)
    assert 2 * float(mcnemar_midp(worse, better)) == near(midp, abs_=1e-11)


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_paired_z(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    candidate, baseline = rng.normal(size=(2, n)) + rng.normal(size=n)
    difference = candidate - baseline
    error = difference.std(ddof=1) / math.sqrt(n)
    assert float(paired_z(difference.mean(), error)) == near(stats.norm.sf(difference.mean() / error))


@given(st.integers(2, 60), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_cluster_variance_is_that_of_a_regression_on_a_constant(n: int, clusters: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, n)) + 3.0
    codes = rng.integers(clusters, size=n)
    assume(len(set(codes.tolist())) > 1)
    fit = OLS(first, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": codes, "use_correction": True})
    var_first, var_second, covariance = cluster_covariance(first, second, codes)
    assert var_first == near(float(fit.cov_params()[0, 0]))
    var_of_sum, var_of_second, _ = cluster_covariance(first + second, second, codes)
    assert var_second == near(var_of_second)
    assert var_first + var_second + 2 * covariance == near(var_of_sum)


@settings(max_examples=30)  # statsmodels takes 20 ms for Holm
@given(P_VALUES)
def test_adjusted_p_values(p: list[float]) -> None:
    if not p:
        assert holm(p).size == benjamini_hochberg(p).size == 0
        return
    assert holm(p) == near(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == near(multipletests(p, method="fdr_bh")[1])
    assert benjamini_hochberg(p) == near(stats.false_discovery_control(p))
    assert (holm(p) >= benjamini_hochberg(p) - 1e-15).all()


@given(st.floats(0.05, 0.95), st.floats(0.01, 2.0), st.floats(0.001, 0.2), st.floats(0.55, 0.95))
def test_rows_and_effects_of_means(margin: float, sd: float, alpha: float, power: float) -> None:
    solver = NormalIndPower(ddof=0)
    known = {"alpha": alpha, "ratio": 0, "alternative": "larger"}
    # The exact one-sided power has no second tail, as here.
    rows = ((special.ndtri(1 - alpha) + special.ndtri(power)) * sd / margin) ** 2
    assert solver.power(margin / sd, rows, **known) == near(power, abs_=1e-9)
    assert abs(int(mean_rows_needed(sd, margin, alpha=alpha, power=power)) - max(2.0, rows)) <= 0.5 + 1e-6
    effect = float(mean_mde(sd, 200, alpha=alpha, power=power))
    assert solver.power(effect / sd, 200, **known) == near(power, abs_=1e-9)


@given(st.floats(0, 1), st.integers(1, 10**9), st.floats(1e-5, 0.5), st.floats(0.5, 0.99))
def test_more_rows_detect_more(discordant: float, n: int, alpha: float, power: float) -> None:
    drops = mde(discordant, [n, 2 * n], alpha=alpha, power=power)
    assert ((drops >= 0) & (drops <= 1)).all()
    assert drops[1] <= drops[0] + 1e-12
    assert mde(discordant, n, alpha=alpha / 2, power=power) >= drops[0] - 1e-12
    assert mde(discordant / 2, n, alpha=alpha, power=power) <= drops[0] + 1e-12


@given(st.floats(0, 1), st.floats(0.001, 0.5), st.floats(0.001, 0.5), st.floats(0.5, 0.99))
def test_the_rows_needed_exclude_the_margin(discordant: float, margin: float, alpha: float, power: float) -> None:
    n = int(rows_needed(discordant, margin, alpha=alpha, power=power))
    assert float(tango(0, 0, n, level=1 - 2 * alpha)[1]) <= margin + 1e-9 if alpha < 0.5 else n >= 1
    half = (special.ndtri(1 - alpha) + special.ndtri(power)) * math.sqrt(discordant / (n + 0.5))
    assert half <= margin * (1 + 1e-9)


def outcomes(n: int) -> Iterable[tuple[int, int]]:
    return ((w, b) for w in range(n + 1) for b in range(n + 1 - w))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.floats(0.01, 1), st.floats(-1, 1), st.sampled_from((0.001, 0.025, 0.05, 0.2)))
def test_power_is_the_probability_of_all_tables_that_reject(n: int, share: float, lean: float, alpha: float) -> None:
    drop = lean * share
    chances = [(share + drop) / 2, (share - drop) / 2, 1 - share]
    expected = sum(
        float(stats.multinomial.pmf([w, b, n - w - b], n, chances))
        for w, b in outcomes(n)
        if float(mcnemar_midp(w, b)) <= alpha
    )
    assert mcnemar_power(n, share, drop, alpha) == near(expected, abs_=1e-11)


def test_huge_counts_stay_exact() -> None:
    n = 10**9
    worse = n // 2 + 50_000
    assert float(mcnemar_midp(worse, n - worse)) == near(stats.norm.sf((worse - n / 2) / math.sqrt(n / 4)), rel=1e-4)
    assert float(mcnemar_midp(n, 0)) == 0.0
    low, high = tango(worse, n - worse, n)
    assert (float(low), float(high)) == near(
        (1e-4 - 1.959964 / math.sqrt(n), 1e-4 + 1.959964 / math.sqrt(n)), abs_=1e-9
    )
