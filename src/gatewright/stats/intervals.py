"""Intervals that hold for small counts and at the ends: of a share, of a difference of paired shares, of a quantile.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209-212.
T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
Statistics in Medicine 17 (1998) 891-908. Ranks: G. J. Hahn, W. Q. Meeker, "Statistical Intervals" (Wiley 1991),
chapter 5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc, ndtri

from gatewright.stats.arrays import Floats, between, counts

# Halves a bracket of length 2 until it is as short as a float near 1 allows.
_HALVINGS = 54


def wilson(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """(low, high) of Wilson's two-sided score interval of successes/n; no rows: (0, 1).

    The roots of (n + z²) p² - (2k + z²) p + k²/n = 0; the small root comes from their product, which
    loses no digits. Counts broadcast. ValueError unless 0 <= successes <= n and 0 < level < 1.
    """
    k, rows = np.broadcast_arrays(counts("successes", successes), counts("n", n))
    if (k > rows).any():
        raise ValueError("successes exceed n")
    square = _two_sided_z(level) ** 2
    some = np.maximum(rows, 1.0)
    root = np.sqrt(square * (square / 4.0 + k * (rows - k) / some))
    high = np.minimum((k + square / 2.0 + root) / (rows + square), 1.0)
    low = np.minimum(k * k / some / ((rows + square) * high), 1.0)
    return np.where(rows > 0.0, low, 0.0), np.where(k < rows, high, 1.0)


def wilson_of_share(share: float, rows: float, *, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of Wilson's interval of a share in [0, 1] seen in `rows` rows, which may be no whole number."""
    square = _two_sided_z(level) ** 2
    if not rows > 0.0:
        return 0.0, 1.0
    middle = share + square / (2.0 * rows)
    reach = np.sqrt(square * (share * (1.0 - share) / rows + square / (4.0 * rows * rows)))
    scale = 1.0 + square / rows
    low, high = float((middle - reach) / scale), float((middle + reach) / scale)
    return max(low, 0.0) if share > 0.0 else 0.0, min(high, 1.0) if share < 1.0 else 1.0


def tango(worse: ArrayLike, better: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """(low, high) of Tango's two-sided score interval of (worse - better)/n, to 1e-12; no rows: (-1, 1).

    All differences d whose score |T(d)| is at most z, with T(d) = (worse - better - n d) / sqrt(n (2q + d(1-d))) and q
    the maximum-likelihood share of `better` given d. A one-sided 95 % bound is the end of
    the interval at level .90. Without discordant pairs the ends are -+z²/(n + z²). Counts broadcast. ValueError unless
    worse + better <= n and 0 < level < 1.
    """
    w, b, rows = np.broadcast_arrays(counts("worse", worse), counts("better", better), counts("n", n))
    if (w + b > rows).any():
        raise ValueError("worse + better exceeds n: more discordant pairs than rows")
    some = np.maximum(rows, 1.0)
    # One search for both ends: swapping worse and better turns the lower end into minus the upper one.
    upper = _tango_upper(np.stack([w, b]) / some, np.stack([b, w]) / some, _two_sided_z(level) / np.sqrt(some))
    return np.where(rows > 0.0, -upper[1], -1.0), np.where(rows > 0.0, upper[0], 1.0)


def quantile_upper_rank(n: int, share: float, *, confidence: float = 0.95) -> int | None:
    """Rank, from 1, of the order statistic of n independent values that bounds the `share` quantile from above.

    The smallest r with P(Bin(n, share) <= r - 1) >= confidence; None where even the
    largest value is no bound. ValueError for a negative n, or a share or confidence outside (0, 1).
    """
    rows = int(counts("n", n))
    share, confidence = float(between("share", share, 0.0, 1.0)), float(between("confidence", confidence, 0.0, 1.0))
    low, high = 1, rows
    if not rows or betaincc(rows, 1, share) < confidence:
        return None
    while low < high:
        middle = (low + high) // 2
        # P(Bin(n, p) <= r - 1) is the upper tail of a beta distribution.
        low, high = (low, middle) if betaincc(middle, rows - middle + 1, share) >= confidence else (middle + 1, high)
    return low


def _tango_upper(w: Floats, b: Floats, z: Floats) -> Floats:
    """Largest d with (w - b - d) + z sqrt(2q + d(1-d)) >= 0, by bisection; w, b are shares, z is z / sqrt(n)."""
    point = w - b
    low, high = point, np.ones_like(point)
    for _ in range(_HALVINGS):
        d = 0.5 * (low + high)
        size = np.abs(d)
        # The smaller of the two shares: of `better` for d >= 0, of `worse` below. So nothing cancels.
        smaller, larger = np.where(d >= 0.0, b, w), np.where(d >= 0.0, w, b)
        slope = (2.0 - larger + smaller) * size - larger - smaller
        product = 2.0 * smaller * size * (1.0 - size)
        root = np.sqrt(slope * slope + 4.0 * product)
        total = root + np.abs(slope)
        stable = 4.0 * product / np.where(total > 0.0, total, 1.0)
        q = np.where(slope > 0.0, stable, total) / 4.0
        inside = point - d + z * np.sqrt(2.0 * q + size * (1.0 - size)) >= 0.0
        low, high = np.where(inside, d, low), np.where(inside, high, d)
    return low


def _two_sided_z(level: float) -> float:
    return float(ndtri(0.5 + 0.5 * float(between("level", level, 0.0, 1.0))))
