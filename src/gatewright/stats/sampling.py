"""How many rows of each stratum to draw, and which: stratified samples of which a part stays purely random.

Sources: J. Neyman, "On the two different aspects of the representative method", JRSS 97 (1934) 558-625; W. G. Cochran,
"Sampling Techniques" (1977), sections 5.5 and 5A.7. The weights are those given the number of rows that each stratum
got: within it every set of that many rows is as likely, whichever part drew them, so each row stands for N_h / n_h (D.
Holt, T. M. F. Smith, "Post stratification", JRSS A 142 (1979) 33-46).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from gatewright.stats.arrays import Floats, Ints, at_least_zero, counts

LEAST_A_STRATUM = 2
"""A variance within a stratum needs two rows."""


def allocate(sizes: ArrayLike, spreads: ArrayLike, rows: int) -> Ints:
    """Rows to draw from strata of `sizes` (H,), in proportion to size times spread (H,), `rows` in all.

    Equal spreads: proportional allocation; the standard deviations of what is estimated: Neyman's, which has the least
    variance. Each stratum gets at least two rows, or all it has; one that has fewer than its share leaves the rest to
    the others. ValueError when there are fewer rows than that needs, or than `rows`.
    """
    held = counts("sizes", sizes)
    spread = at_least_zero("spreads", spreads)
    least = np.minimum(held, LEAST_A_STRATUM)
    if not least.sum() <= rows <= held.sum():
        raise ValueError(f"{rows} rows cannot be drawn: from {least.sum():.0f} to {held.sum():.0f} are possible")
    found = least.copy()
    # Fix what is cut at either end, and share the rest again: as many rounds as strata at most.
    fixed = np.zeros(held.size, dtype=bool)
    for _ in range(held.size):
        left = rows - found[fixed].sum()
        share = np.where(fixed, found, left * _parts(held, spread, ~fixed))
        over = ~fixed & (share > held)
        cut = over if over.any() else ~fixed & (share < least)
        found = np.where(fixed, found, np.clip(share, least, held))
        if not cut.any():
            break
        fixed |= cut
    return _whole(found, held, least, rows)


def draw(codes: NDArray[np.int64], targets: ArrayLike, purely_random: int, rng: Generator) -> tuple[Ints, Ints]:
    """Positions of the rows drawn, and of those among them that were drawn without looking at strata.

    `codes` (n,): the stratum of each row. First `purely_random` rows of all; then each stratum is filled up to its
    target (H,), as far as rows are left to draw. ValueError for more random rows than targets in all.
    """
    wanted = counts("targets", targets).astype(np.int64)
    if purely_random > wanted.sum():
        raise ValueError(f"{purely_random} random rows are more than the {wanted.sum()} in all")
    order = rng.permutation(len(codes))
    first, rest = order[:purely_random], order[purely_random:]
    got = np.bincount(codes[first], minlength=len(wanted))
    short = np.maximum(wanted - got, 0)
    left = int(wanted.sum()) - purely_random
    if short.sum() > left:  # chance gave some strata more than their target: the others share what is left
        short = _filled(
            short, np.where(got < np.minimum(wanted, LEAST_A_STRATUM), np.minimum(wanted, 2) - got, 0), left
        )
    # Each row's place within its stratum, in the random order: the first `short` of each are drawn.
    mine = codes[rest]
    sorted_by = np.argsort(mine, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(mine, minlength=len(wanted)))[:-1]))
    place = np.empty(len(rest), dtype=np.int64)
    place[sorted_by] = np.arange(len(rest)) - starts[mine[sorted_by]]
    second = rest[place < short[mine]]
    return np.concatenate([first, second]), first


def weights(codes: NDArray[np.int64], drawn: NDArray[np.int64], strata: int) -> Floats:
    """How many rows each drawn one stands for, N_h / n_h, (drawn,): in all, the rows of the strata drawn from."""
    held, got = np.bincount(codes, minlength=strata), np.bincount(codes[drawn], minlength=strata)
    return np.asarray((held / np.maximum(got, 1))[codes[drawn]])


def _parts(held: Floats, spread: Floats, free: NDArray[np.bool_]) -> Floats:
    """What each of the `free` strata gets of what is left to share: they sum to 1, the others have 0."""
    free = free & (held > 0.0)
    worth = np.where(free, spread, 0.0)
    # By the largest first: neither a product of huge spreads nor a quotient by a tiny one leaves the range of floats.
    largest = worth.max(initial=0.0)
    worth = held * (worth / largest if largest > 0.0 else free)
    return np.asarray(worth / max(worth.sum(), 1.0))


def _whole(shares: Floats, held: Floats, least: Floats, rows: int) -> Ints:
    """Whole numbers near `shares` that add up to `rows`: the largest remainders are rounded up."""
    low = np.maximum(np.floor(shares + 1e-9), least)
    left = int(rows - low.sum())
    order = np.argsort(-(shares - low), kind="stable")
    while left > 0:
        for index in order:
            if left and low[index] < held[index]:
                low[index] += 1
                left -= 1
    while left < 0:
        for index in order[::-1]:
            if left and low[index] > least[index]:
                low[index] -= 1
                left += 1
    return np.asarray(low.astype(np.int64))


def _filled(short: Ints, needed: Ints, left: int) -> Ints:
    """`left` rows over strata that lack `short`; what each needs at the very least comes first, whatever it costs."""
    left = max(left, int(needed.sum()))
    more = short - needed
    part = needed + more * (left - needed.sum()) / max(int(more.sum()), 1)
    return _whole(part, short.astype(np.float64), needed.astype(np.float64), min(left, int(short.sum())))
