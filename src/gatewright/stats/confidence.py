"""Intervals that hold at every look at once, for people to read; no decision rests on them.

The difference of two arms. One block holds n_c outcomes x of the canary and n_s outcomes y of stable, events or losses
from 0 to 1. With h = n_c n_s / (n_c + n_s), the size of a comparison of both, the estimate is the mean of the blocks'
differences weighted by h, and so is what it estimates: the mean of the true differences so far. Only differences within
a block enter, so a base rate that drifts while the weights ramp moves neither.

Sum and truth differ by a martingale whose steps are w_c (x - E x) and -w_s (y - E y), with w_c = h / n_c and w_s = h /
n_s, both at most 1. With a prediction m from past blocks and v = w^2 (x - m)^2 summed over all steps,

    exp(l (sum - truth) - (-ln(1 - l) - l) v),   0 <= l < 1,

is a supermartingale (an empirical Bernstein bound), so is its mean over several l, and it stays below 2 / alpha for
ever with probability 1 - alpha / 2. The interval holds all differences for which it does, on both sides.

A quantile. Of n independent durations at most a share p lies below the p quantile, and at least p at or below it. The
same mixture, with the moment generating function of an event of probability p, bounds both counts for ever.

Sources: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 49 (2021) 1055-1080, theorem 4 and section 3.4. S. R. Howard, A. Ramdas, "Sequential
estimation of quantiles with applications to A/B testing and best-arm identification", Bernoulli 28 (2022) 1704-1728.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gatewright.domain.evidence import Block, BlockEvidence, Difference, Losses
from gatewright.stats.betting import moments

LEVEL = 0.95
# Bets that are best after 10 to 10^9 units of variance; between two neighbours little is lost.
_BETS = tuple(0.9 * 0.55**number for number in range(17))
_OF_COUNTS = tuple(2.0 * 0.6**number for number in range(20))
_HALVINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and the ends between which the truth is at every look, with probability `level` for all of them."""

    value: float
    low: float
    high: float
    level: float = LEVEL


def update(known: Difference, past: BlockEvidence, block: Block | Losses, design_effect: float = 1.0) -> Difference:
    """What is known after one more block; `past` is the evidence before it, from which the outcomes are predicted."""
    n_c, total_c, squares_c, n_s, total_s, squares_s = _sums(block)
    if not n_c or not n_s:
        return known
    divisor = max(1.0, design_effect)
    w_c, w_s = n_s / (n_c + n_s), n_c / (n_c + n_s)
    stable = _predicted(past.prior_bad + past.stable_bad, past.prior_n + past.stable_n, 0.5)
    canary = _predicted(past.canary_bad, past.canary_n, stable)
    variance = w_c * w_c * (squares_c - 2 * canary * total_c + n_c * canary * canary)
    variance += w_s * w_s * (squares_s - 2 * stable * total_s + n_s * stable * stable)
    return Difference(
        size=known.size + n_c * w_c / divisor,
        total=known.total + (w_c * total_c - w_s * total_s) / divisor,
        variance=known.variance + max(0.0, variance) / divisor,
    )


def difference(known: Difference) -> Interval | None:
    """Canary minus stable, with the interval in which the truth is at every look; None before there is anything."""
    if not known.size:
        return None
    value, reach = known.total / known.size, _reach(known.variance) / known.size
    return Interval(value=value, low=max(-1.0, value - reach), high=min(1.0, value + reach))


def log_wealth(known: Difference, truth: float, sign: float) -> float:
    """Of the mixture that bets on the side of `sign` (1 or -1), if the true difference is `truth` in every block."""
    return _log_mixture(_BETS, sign * (known.total - truth * known.size), lambda bet: _psi(bet) * known.variance)


def quantile(counts: Sequence[tuple[float, int]], p: float) -> Interval | None:
    """The p quantile of durations, given as (upper end of a cell, how many) in ascending order; None without any.

    The high end is infinite as long as too few are known. Ends are those of cells, as exact as these are.
    """
    n = sum(count for _, count in counts)
    if not n:
        return None
    least = n * p - _most_off(n, 1.0 - p)
    most = n * p + _most_off(n, p)
    return Interval(value=_at(counts, n * p), low=_at(counts, least), high=_at(counts, most))


def _at(counts: Sequence[tuple[float, int]], rank: float) -> float:
    """The end of the cell in which the cumulated counts reach `rank`; infinite beyond the last."""
    if rank >= sum(count for _, count in counts):
        return math.inf
    below = 0
    for end, count in counts:
        below += count
        if below > rank or (below == rank and count):
            return end
    return math.inf


def _most_off(n: int, p: float) -> float:
    """How far n events of probability at most p can be above n p, ever, but for half of alpha."""

    def cost(bet: float) -> float:
        return n * (math.log1p(p * math.expm1(bet)) - bet * p)

    return _boundary(_OF_COUNTS, cost)


def _reach(variance: float) -> float:
    return _boundary(_BETS, lambda bet: _psi(bet) * variance)


def _boundary(bets: Sequence[float], cost: Callable[[float], float]) -> float:
    """The deviation at which the mixture reaches 2 / alpha."""
    limit, low, high = math.log(2.0 / (1.0 - LEVEL)), 0.0, 1.0
    while _log_mixture(bets, high, cost) < limit:
        high *= 2.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _log_mixture(bets, middle, cost) < limit else (low, middle)
        if high - low <= 1e-9 * high:
            break
    return high


def _log_mixture(bets: Sequence[float], deviation: float, cost: Callable[[float], float]) -> float:
    logarithms = [bet * deviation - cost(bet) for bet in bets]
    top = max(logarithms)
    return top + math.log(math.fsum(math.exp(value - top) for value in logarithms) / len(logarithms))


def _psi(bet: float) -> float:
    return -math.log1p(-bet) - bet


def _predicted(bad: float, n: float, otherwise: float) -> float:
    return (bad + otherwise) / (n + 1.0)


def _sums(block: Block | Losses) -> tuple[float, float, float, float, float, float]:
    """Of canary and then of stable: how many, their sum, and the sum of their squares."""
    if isinstance(block, Losses):
        return (*moments(block.canary), *moments(block.stable))
    return (block.canary_n, block.canary_bad, block.canary_bad, block.stable_n, block.stable_bad, block.stable_bad)
