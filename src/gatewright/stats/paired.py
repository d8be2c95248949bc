"""Is the candidate worse than the baseline on the same rows? One-sided p-values and standard errors of paired data.

`worse` counts rows where the baseline is right and the candidate wrong, `better` the reverse; rows on which both are
right or both wrong say nothing about the difference.

Sources: Q. McNemar, Psychometrika 12 (1947) 153-157. Mid-p: M. W. Fagerland, S. Lydersen, P. Laake, "The McNemar test
for binary matched-pairs data", BMC Medical Research Methodology 13 (2013) 91. Clusters: K.-Y.
Liang, S. L. Zeger, Biometrika 73 (1986) 13-22, with the factor G/(G-1) of A. C. Cameron, D. L. Miller, J. Human
Resources 50 (2015) 317-372.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, ndtr

from gatewright.stats.arrays import Floats, Ints, at_least_zero, counts, finite, series


def mcnemar_midp(worse: ArrayLike, better: ArrayLike) -> Floats:
    """P(X > worse) + P(X = worse)/2 with X ~ Bin(worse + better, 1/2): mid-p of "the candidate is worse".

    The mean of the two tails with and without `worse` itself. Without discordant pairs it is 1/2, as for every tie
    worse = better: p(w, b) + p(b, w) = 1 holds throughout, and the mean of p under the null is 1/2 for each number of
    pairs. At any level below 1/2 that is never a rejection, so Holm's procedure is as valid as on its other members.
    The mid-p test itself may exceed its level slightly for single configurations. Counts broadcast, and stay exact for
    any size: the tail is an incomplete beta function. ValueError for counts that are not whole numbers from 0.
    """
    w, b = np.broadcast_arrays(counts("worse", worse), counts("better", better))
    beyond = np.where(b > 0.0, betainc(w + 1.0, np.maximum(b, 1.0), 0.5), 0.0)
    return np.asarray(0.5 * (_tail(w, b) + beyond))


def paired_z(difference: ArrayLike, standard_error: ArrayLike) -> Floats:
    """One-sided p of "the difference is above 0" by the normal distribution: P(Z >= difference / standard_error).

    A standard error of 0 means that every row shows the same difference: p is 0 above 0, 1 below, and 1/2 at 0, the
    limits of small standard errors. ValueError for NaN, infinity, or a negative standard error.
    """
    return np.asarray(ndtr(-_ratio(difference, standard_error)))


def difference_se(
    candidate_var: ArrayLike, baseline_var: ArrayLike, covariance: ArrayLike, *, baseline_weight: ArrayLike = 1.0
) -> Floats:
    """Standard error of candidate - w baseline: sqrt(var_c + w² var_b - 2 w cov), 0 where rounding makes it negative.

    Variances and covariance are those of the two values themselves, not of a row. They broadcast. ValueError for
    negative variances, NaN and infinity.
    """
    weight = finite("baseline_weight", baseline_weight)
    c, b = at_least_zero("candidate_var", candidate_var), at_least_zero("baseline_var", baseline_var)
    square = c + weight * weight * b - 2.0 * weight * finite("covariance", covariance)
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def cluster_covariance(first: ArrayLike, second: ArrayLike, codes: ArrayLike) -> tuple[float, float, float]:
    """(variance, variance, covariance) of the means of two columns (n,), with the rows of one code as one observation.

    G/(G-1) times the sum of products of cluster sums, over n², for G clusters; the columns are centred first. With one
    row a cluster they are the sample moments over n. `codes` (n,) are whole numbers from 0, of which a few may be
    unused: memory grows with the largest. ValueError for fewer than two clusters, shapes that differ, NaN, infinity.
    """
    a, b = series("first", first), series("second", second)
    groups = cluster_codes(codes, a.size)
    if b.size != a.size:
        raise ValueError(f"{a.size} and {b.size} values; both columns must have the same rows")
    used = int(np.count_nonzero(np.bincount(groups)))
    if used < 2:
        raise ValueError("all rows belong to one cluster; at least two are needed for a variance")
    sums_a = np.bincount(groups, weights=a - a.mean())
    sums_b = np.bincount(groups, weights=b - b.mean())
    scale = used / (used - 1) / a.size**2
    return float(sums_a @ sums_a * scale), float(sums_b @ sums_b * scale), float(sums_a @ sums_b * scale)


def cluster_codes(codes: ArrayLike, rows: int) -> Ints:
    """`codes` (rows,) as int64; ValueError unless they are whole numbers from 0, one a row."""
    groups = np.asarray(codes)
    if groups.shape != (rows,):
        raise ValueError(f"codes has shape {groups.shape}; one code for each of the {rows} rows is needed")
    if not np.issubdtype(groups.dtype, np.integer) or (groups.size and int(groups.min()) < 0):
        raise ValueError("codes must be integers from 0")
    return groups.astype(np.int64, copy=False)


def _tail(w: Floats, b: Floats) -> Floats:
    return np.where(w > 0.0, betainc(np.maximum(w, 1.0), b + 1.0, 0.5), 1.0)


def _ratio(difference: ArrayLike, standard_error: ArrayLike) -> Floats:
    d, se = np.broadcast_arrays(finite("difference", difference), at_least_zero("standard_error", standard_error))
    flat = np.where(d == 0.0, 0.0, np.copysign(np.inf, d))
    with np.errstate(over="ignore"):
        return np.where(se > 0.0, d / np.where(se > 0.0, se, 1.0), flat)
