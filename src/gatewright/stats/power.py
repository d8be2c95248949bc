"""How large a drop could have been seen, and how many rows it takes to exclude one.

For correctness of paired models the noise comes from the discordant rows only: `discordant` is the share of rows on
which exactly one of the two is right, D. A difference d has variance D/n if nothing differs and (D - d²)/n if it is
real. Sources: O. S. Miettinen, Biometrics 24 (1968) 339-352; R. J. Connor, "Sample size for testing differences in
proportions for the paired-sample design", Biometrics 43 (1987) 207-211.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc, ndtri

from gatewright.stats.arrays import Floats, Ints, at_least_zero, between, counts, shares
from gatewright.stats.paired import mcnemar_midp


def mde(discordant: ArrayLike, n: ArrayLike, *, alpha: ArrayLike, power: float = 0.8) -> Floats:
    """Minimum detectable effect: the drop that a one-sided test at `alpha` finds with probability `power`; in [0, 1].

    Solves d = z(1-alpha) sqrt(D/n) + z(power) sqrt((D - d²)/n) (Connor 1987). A drop of d needs at least a share d of
    discordant rows, so where the solution would exceed D, D = d is solved instead: else a slice on which the models
    agree would seem to be the best tested of all. 1 where no drop can be found. Arrays broadcast; for Holm's procedure
    over m slices pass alpha/m. ValueError unless D in [0, 1], 0 < alpha <= .5 <= power < 1.
    """
    z_alpha, z_power = _quantiles(alpha, power)
    rows = counts("n", n)
    a, b = z_alpha / np.sqrt(np.maximum(rows, 1.0)), z_power / np.sqrt(np.maximum(rows, 1.0))
    # Both cases are (x - a)² = b² (1 - x²), for x = d / sqrt(D), and for x = sqrt(d) if D = d.
    x = (a + b * np.sqrt(np.maximum(1.0 + b * b - a * a, 0.0))) / (1.0 + b * b)
    drop = x * np.sqrt(np.maximum(shares("discordant", discordant), x * x))
    return np.asarray(np.where((rows > 0.0) & (a <= 1.0), np.minimum(drop, 1.0), 1.0))


def floor_discordant(discordant_rows: ArrayLike, n: ArrayLike) -> Floats:
    """Share of discordant rows to plan with: the observed one, but at least (x + 1)/(n + 2).

    Laplace's rule of succession, the mean of the posterior of a uniform prior: it is above 0 for a slice on which the
    models have agreed so far, and adds no more than 1/n. Counts broadcast. ValueError unless 0 <= x <= n.
    """
    x, rows = np.broadcast_arrays(counts("discordant_rows", discordant_rows), counts("n", n))
    if (x > rows).any():
        raise ValueError("discordant_rows exceed n")
    return np.asarray(np.maximum(x / np.maximum(rows, 1.0), (x + 1.0) / (rows + 2.0)))


def rows_needed(discordant: ArrayLike, margin: ArrayLike, *, alpha: ArrayLike, power: float = 0.8) -> Ints:
    """Rows with which a candidate that is no different is shown to lose less than `margin`, with probability `power`.

    (z(1-alpha) + z(power))² D / margin², to the nearest row: 618 and 1,546 for D .04 and .10, margin .02, alpha .05,
    power .8. But no fewer than the z² (1 - margin)/margin rows below which Tango's bound cannot exclude the margin even
    if no row differs. Arrays broadcast. ValueError unless D in [0, 1], 0 < margin < 1, 0 < alpha <= .5 <= power < 1.
    """
    z_alpha, z_power = _quantiles(alpha, power)
    limit = between("margin", margin, 0.0, 1.0)
    usual = np.rint((z_alpha + z_power) ** 2 * shares("discordant", discordant) / limit**2)
    fewest = np.floor(z_alpha**2 * (1.0 - limit) / limit) + 1.0
    return np.asarray(np.maximum(usual, fewest).astype(np.int64))


def mean_mde(sd: ArrayLike, n: ArrayLike, *, alpha: ArrayLike, power: float = 0.8) -> Floats:
    """Minimum detectable effect of a mean difference: (z(1-alpha) + z(power)) sd / sqrt(n); infinite without rows.

    `sd` is the standard deviation of the difference of one row. Arrays broadcast. ValueError unless sd >= 0, 0 < alpha
    <= .5 <= power < 1.
    """
    z_alpha, z_power = _quantiles(alpha, power)
    rows, spread = np.broadcast_arrays(counts("n", n), at_least_zero("sd", sd))
    return np.where(rows > 0.0, (z_alpha + z_power) * spread / np.sqrt(np.maximum(rows, 1.0)), np.inf)


def mean_rows_needed(sd: ArrayLike, margin: ArrayLike, *, alpha: ArrayLike, power: float = 0.8) -> Ints:
    """Rows with which a mean difference of 0 is shown to stay within `margin` (> 0), with probability `power`.

    ((z(1-alpha) + z(power)) sd / margin)² to the nearest row, at least the 2 that a standard deviation needs. Arrays
    broadcast. Errors as in `mean_mde`.
    """
    z_alpha, z_power = _quantiles(alpha, power)
    limit = between("margin", margin, 0.0, np.inf)
    return np.asarray(
        np.maximum(np.rint(((z_alpha + z_power) * at_least_zero("sd", sd) / limit) ** 2), 2.0).astype(np.int64)
    )


def mcnemar_power(n: int, discordant: float, drop: float, alpha: float) -> float:
    """Exact probability that one-sided mid-p McNemar at `alpha` finds a true drop in n rows.

    The discordant rows are M ~ Bin(n, D), of which Bin(M, (D + drop)/(2 D)) are worse. Sizes M with less than 1e-13 of
    probability at either end are left out. ValueError unless |drop| <= D <= 1, n >= 0, 0 < alpha < 1.
    """
    rows, share = int(counts("n", n)), float(shares("discordant", discordant))
    level = float(between("alpha", alpha, 0.0, 1.0))
    if not abs(drop) <= share:
        raise ValueError(f"drop is {drop!r}; it cannot exceed the share of discordant rows, {share!r}")
    if not share or not rows:
        return float(mcnemar_midp(0, 0) <= level)
    spread = 8.0 * np.sqrt(rows * share * (1.0 - share)) + 30.0
    first, last = max(0.0, np.floor(rows * share - spread)), min(float(rows), np.ceil(rows * share + spread))
    sizes = np.arange(first, last + 1.0)
    chances = np.diff(_at_most(np.arange(first - 1.0, last + 1.0), rows, share))
    low = fewest_worse(sizes, level)
    worse = (share + drop) / (2.0 * share)
    return float(chances @ (1.0 - _at_most(low - 1.0, sizes, worse)))


def fewest_worse(discordant: ArrayLike, alpha: float) -> Floats:
    """The fewest worse rows that one-sided mid-p McNemar rejects at `alpha` (p <= alpha) among `discordant` ones.

    One more than `discordant` where no number rejects. By bisection: p falls as the worse rows grow. Any shape.
    ValueError for counts that are not whole numbers from 0, or an alpha outside (0, 1).
    """
    sizes, level = counts("discordant", discordant), float(between("alpha", alpha, 0.0, 1.0))
    low, high = np.zeros_like(sizes), sizes + 1.0
    while (low < high).any():
        middle = np.floor((low + high) / 2.0)
        rejects = (middle > sizes) | (mcnemar_midp(middle, np.maximum(sizes - middle, 0.0)) <= level)
        low, high = np.where(rejects, low, np.minimum(middle + 1.0, high)), np.where(rejects, middle, high)
    return low


def _at_most(k: Floats, n: Floats | float, share: float) -> Floats:
    """P(Bin(n, share) <= k) for -1 <= k <= n: the upper tail of a beta distribution."""
    some = betaincc(np.maximum(k, 0.0) + 1.0, np.maximum(n - k, 1.0), share)
    return np.where(k < 0.0, 0.0, np.where(k < n, some, 1.0))


def _quantiles(alpha: ArrayLike, power: float) -> tuple[Floats, float]:
    levels = np.asarray(alpha, dtype=np.float64)
    if not ((levels > 0.0) & (levels <= 0.5)).all() or not 0.5 <= power < 1.0:
        raise ValueError(f"alpha is {alpha!r}, power {power!r}; alpha in (0, .5] and power in [.5, 1) are needed")
    return np.asarray(-ndtri(levels), dtype=np.float64), float(ndtri(power))
