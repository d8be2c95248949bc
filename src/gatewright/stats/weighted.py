"""Means of rows that stand for unlike numbers of rows: Hájek's ratio estimator, its variance, and what it is worth.

A row drawn with inclusion probability p carries the weight 1/p. The mean is sum(w x) / sum(w) (J. Hájek, comment in
"Foundations of Statistical Inference", 1971), a ratio; its variance is that of the sum of the linearised values
u = w (x - mean) / sum(w) (C.-E. Särndal, B. Swensson, J. Wretman, "Model Assisted Survey Sampling", 1992, sections
5.5 and 5.7). With strata the sum varies within them only (W. G. Cochran, "Sampling Techniques", 1977, section 5.3). The
correction for a finite population is left out: the gates speak of rows to come, not of those of the window. Effective
rows: L. Kish, "Survey Sampling" (1965), section 8.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from gatewright.stats.arrays import Floats, Ints, at_least_zero, finite
from gatewright.stats.intervals import wilson_of_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """The stratum of each row (n,) as a whole number below `len(sizes)`, and the rows of the whole sample in each."""

    codes: Ints
    sizes: Ints

    @classmethod
    def of(cls, codes: ArrayLike) -> Strata:
        """Strata whose sample is exactly these rows."""
        found = np.asarray(codes, dtype=np.int64)
        return cls(codes=found, sizes=np.bincount(found))

    @classmethod
    def single(cls, rows: int) -> Strata:
        """All rows in one stratum."""
        return cls(codes=np.zeros(rows, dtype=np.int64), sizes=np.array([rows], dtype=np.int64))

    def of_rows(self, chosen: Ints) -> Strata:
        """The rows `chosen` of the same sample: the sizes stay, as rows outside are part of it, too."""
        return Strata(codes=self.codes[chosen], sizes=self.sizes)


def hajek(values: ArrayLike, weights: ArrayLike, strata: Strata | None = None) -> tuple[Floats, Floats]:
    """Weighted means (k,) of columns (n, k), and their covariance (k, k). ValueError without a positive weight."""
    columns, w = finite("values", values), _weights(weights)
    means = np.asarray(w @ columns / w.sum())
    return means, linearised((columns - means) * (w / w.sum())[:, np.newaxis], strata)


def linearised(parts: Floats, strata: Strata | None = None) -> Floats:
    """Covariance (k, k) of the sums over rows of `parts` (n, k), the linearised values of k estimates.

    sum over strata of n_h / (n_h - 1) (sum of u u' - (sum of u) (sum of u)' / n_h), with n_h the rows of the whole
    sample in stratum h; a stratum with one row counts with its square.
    """
    strata = strata or Strata.single(len(parts))
    sizes = strata.sizes.astype(np.float64)
    factor = np.where(sizes > 1.0, sizes / np.maximum(sizes - 1.0, 1.0), 1.0)
    squares = (parts * factor[strata.codes][:, np.newaxis]).T @ parts
    sums = np.stack([np.bincount(strata.codes, weights=part, minlength=len(sizes)) for part in parts.T], axis=1)
    centred = np.where(sizes > 1.0, factor / np.maximum(sizes, 1.0), 0.0)
    return np.asarray(squares - (sums * centred[:, np.newaxis]).T @ sums)


def effective_rows(weights: ArrayLike) -> float:
    """(sum w)² / sum w²: how many rows of equal weight are worth as much. 0 without rows."""
    w = at_least_zero("weights", weights)
    squares = float((w * w).sum())
    return float(w.sum()) ** 2 / squares if squares else 0.0


def share_interval(
    right: ArrayLike, weights: ArrayLike, strata: Strata | None = None, *, level: float = 0.95
) -> tuple[float, float, float]:
    """A weighted share of 0/1 values (n,) with its two-sided interval: (share, low, high).

    Wilson's interval at as many rows as the variance is worth, p (1 - p) / var, by the rule of E. L. Korn and B. I.
    Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from survey
    data", Survey Methodology 24 (1998) 193-201. Where all rows agree these are the effective rows.
    """
    means, covariance = hajek(np.asarray(right, dtype=np.float64)[:, np.newaxis], weights, strata)
    share, variance = float(means[0]), float(covariance[0, 0])
    rows = share * (1.0 - share) / variance if variance > 1e-15 else effective_rows(weights)
    low, high = wilson_of_share(min(max(share, 0.0), 1.0), rows, level=level)
    return share, low, high


def gamma_draws(sums: ArrayLike, squares: ArrayLike, draws: int, rng: Generator) -> Floats:
    """`draws` resamples of weighted counts (...), given the sums of the weights and of their squares: (draws, ...).

    The Bayesian bootstrap (D. B. Rubin, Annals of Statistics 9 (1981) 130-134) multiplies each row by a standard
    exponential, so a cell's sum of weights W has the mean W and the variance of the sum of squares V. The gamma
    distribution with that mean and variance is it exactly where the weights of a cell are equal. An empty cell stays
    empty. ValueError for negative or infinite sums.
    """
    w, v = np.broadcast_arrays(at_least_zero("sums", sums), at_least_zero("squares", squares))
    there = (w > 0.0) & (v > 0.0)
    shape = np.where(there, w * w / np.where(there, v, 1.0), 1.0)
    scale = np.where(there, v / np.where(there, w, 1.0), 0.0)
    return np.asarray(rng.gamma(shape, scale, size=(draws, *w.shape)))


def _weights(weights: ArrayLike) -> Floats:
    w = at_least_zero("weights", weights)
    if w.ndim != 1 or not w.sum() > 0.0:
        raise ValueError("one weight for each row is needed, and at least one above 0")
    return w
