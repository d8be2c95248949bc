"""The bootstrap of the gates: of tables of counts, and of quantiles of a series in time.

Every draw comes from the generator that is handed in, so the same seed gives the same result.

Sources: A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application" (Cambridge 1997): limits section 5.3,
tests section 4.4, blocks section 8.2.3. H. R. Künsch, "The jackknife and the bootstrap for general stationary
observations", Annals of Statistics 17 (1989) 1217-1241; circular: D. N. Politis, J. P. Romano, "A circular
block-resampling procedure for stationary data", in "Exploring the Limits of Bootstrap" (Wiley 1992) 263-270. Block
length: P. Hall, J. L. Horowitz, B.-Y. Jing, "On blocking rules for the bootstrap with dependent data", Biometrika 82
(1995) 561-574.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from gatewright.stats.arrays import Floats, Ints, between, counts, finite, series

# Values held at a time while rows are drawn: 32 MB of float64, as much again for their positions.
_CHUNK = 4_000_000


def multinomial(cells: ArrayLike, draws: int, rng: Generator) -> Ints:
    """`draws` resamples of each row of counts (..., U), with the row's own total: int64, shape (draws, ..., U).

    Resampling n rows that fall into U cells is one multinomial draw, whatever n is. The result takes 8 draws * size
    bytes (3 MB for 52 slices of 8 cells and 1,000 draws); of larger tables draw fewer at a time with the same
    generator. A cell that is empty stays empty. ValueError for counts that are not whole numbers from 0.
    """
    table = counts("cells", cells)
    _at_least_one("draws", draws)
    if table.ndim == 0 or not table.shape[-1]:
        raise ValueError(f"cells has shape {table.shape}; at least one cell is needed")
    totals = table.sum(axis=-1)
    # numpy gives the last cell what rounding leaves over: let that be the fullest one, never an empty one.
    last, fullest = np.int64(table.shape[-1] - 1), np.argmax(table, axis=-1)[..., np.newaxis]
    order = np.broadcast_to(np.arange(last + 1), table.shape).copy()
    np.put_along_axis(order, fullest, last, axis=-1)
    order[..., -1:] = fullest
    chances = np.take_along_axis(table, order, axis=-1) / np.maximum(totals, 1.0)[..., np.newaxis]
    drawn = rng.multinomial(totals.astype(np.int64), chances, size=(draws, *totals.shape))
    # Swapping two cells is its own inverse.
    return np.take_along_axis(drawn, order[np.newaxis], axis=-1)


def percentile_bounds(samples: ArrayLike, *, level: float, axis: int = 0) -> tuple[Floats, Floats]:
    """(low, high) of the two-sided percentile interval: the (R + 1) p-th smallest of R samples along `axis`.

    p = (1 -+ level)/2, linear between order statistics (Davison and Hinkley, section 5.3.1). A one-sided 95 % bound is
    the end of the interval at level .90. ValueError for no samples, NaN, infinity, or a level outside (0, 1).
    """
    values = finite("samples", samples)
    tail = (1.0 - float(between("level", level, 0.0, 1.0))) / 2.0
    if values.ndim == 0 or not values.shape[axis]:
        raise ValueError(f"samples has shape {values.shape}; at least one sample is needed")
    low, high = np.quantile(values, [tail, 1.0 - tail], axis=axis, method="weibull")
    return np.asarray(low), np.asarray(high)


def one_sided_p(samples: ArrayLike, estimate: ArrayLike) -> Floats:
    """One-sided p of "the true value is above 0" from bootstrap samples (R, ...) of `estimate` (...): at least 1/(R+1).

    The larger of two: (1 + #{sample <= 0}) / (R + 1), where the percentile bound meets 0, and (1 + #{sample - estimate
    >= estimate}) / (R + 1), the test by the shifted distribution (section 4.4). They agree for a
    symmetric distribution. Gaps between groups are maxima, whose samples lie too high: the second is then the safe
    one. ValueError for no samples, shapes that differ, NaN and infinity.
    """
    values, centre = finite("samples", samples), finite("estimate", estimate)
    if values.ndim == 0 or not values.shape[0] or values.shape[1:] != centre.shape:
        raise ValueError(f"samples {values.shape} must be draws of an estimate {centre.shape}")
    percentile = np.count_nonzero(values <= 0.0, axis=0)
    shifted = np.count_nonzero(values - centre >= centre, axis=0)
    return np.asarray((1.0 + np.maximum(percentile, shifted)) / (values.shape[0] + 1.0))


def block_length(n: int) -> int:
    """Length of the blocks for n values in time order: n^(1/3), rounded up.

    Of the optimal orders n^(1/3) (variance), n^(1/4) (one-sided) and n^(1/5) (two-sided distribution) of Hall,
    Horowitz and Jing (1995) the longest: a bound that is slightly too wide is better than one that misses dependence.
    """
    _at_least_one("n", n)
    return math.ceil(round(math.pow(n, 1.0 / 3.0), 9))


def block_quantile_upper(
    values: ArrayLike, share: float, *, block: int, draws: int, rng: Generator, confidence: float = 0.95
) -> tuple[float, float]:
    """(estimate, upper bound) of the `share` quantile of values (n,) in time order, by the circular block bootstrap.

    The quantile is the ceil(share n)-th smallest value; the bound is the ceil((draws + 1) confidence)-th smallest of
    its resamples, each of n values in blocks of `block` neighbours. ValueError for no values, NaN, infinity, a block
    outside 1 to n, fewer than one draw, or a share or confidence outside (0, 1).
    """
    column = series("values", values)
    rank = _quantile_index(column.size, share)
    resampled = [np.partition(column[rows], rank, axis=1)[:, rank] for rows in _blocks(column.size, block, draws, rng)]
    return float(np.partition(column, rank)[rank]), _upper(np.concatenate(resampled), confidence)


def block_ratio_upper(
    candidate: ArrayLike,
    baseline: ArrayLike,
    share: float,
    *,
    block: int,
    draws: int,
    rng: Generator,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """(estimate, upper bound) of candidate / baseline of their `share` quantiles, with the same blocks for both.

    Both are measured turn by turn, (n,) each, so that one disturbance of the machine falls into the blocks of both.
    ValueError as in `block_quantile_upper`, for lengths that differ, and for baseline values that are not above 0.
    """
    above, below = series("candidate", candidate), series("baseline", baseline)
    if above.size != below.size:
        raise ValueError(f"{above.size} candidate and {below.size} baseline values; they must be pairs")
    if (below <= 0.0).any():
        raise ValueError("baseline contains values that are not above 0; a ratio needs them to be")
    rank = _quantile_index(above.size, share)

    def ratio(numerator: Floats, denominator: Floats) -> Floats:
        tops, bottoms = np.partition(numerator, rank, axis=-1), np.partition(denominator, rank, axis=-1)
        return np.asarray(tops[..., rank] / bottoms[..., rank])

    resampled = [ratio(above[rows], below[rows]) for rows in _blocks(above.size, block, draws, rng)]
    return float(ratio(above, below)), _upper(np.concatenate(resampled), confidence)


def _blocks(n: int, block: int, draws: int, rng: Generator) -> Iterator[Ints]:
    """Positions (chunk, n) of resamples: blocks of neighbours, the last value being followed by the first."""
    if not 1 <= block <= n:
        raise ValueError(f"block is {block}; from 1 to {n}, the number of values, is allowed")
    for number in _chunks(draws, n):
        starts = rng.integers(n, size=(number, -(-n // block)))
        rows = (starts[:, :, np.newaxis] + np.arange(block)).reshape(number, -1)[:, :n]
        yield np.where(rows < n, rows, rows - n)


def _chunks(draws: int, width: int) -> Iterator[int]:
    _at_least_one("draws", draws)
    most = max(1, _CHUNK // width)
    for done in range(0, draws, most):
        yield min(most, draws - done)


def _quantile_index(n: int, share: float) -> int:
    wanted = float(between("share", share, 0.0, 1.0))
    return max(1, math.ceil(round(wanted * n, 9))) - 1


def _upper(samples: Floats, confidence: float) -> float:
    wanted = float(between("confidence", confidence, 0.0, 1.0))
    rank = min(samples.size, math.ceil(round((samples.size + 1) * wanted, 9)))
    return float(np.partition(samples, rank - 1)[rank - 1])


def _at_least_one(name: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{name} is {number}; at least 1 is needed")
