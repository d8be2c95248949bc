"""Live traffic of many rollouts at once: requests by stratum of the hash, and which of them are bad.

Users keep their arm by a hash in [0, 1): the canary answers those below its weight. So traffic is drawn in four strata
that the default steps cut, and two rules with different weights look at the same requests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from tests.simulation.block_processes import Blocks, Counts, Floats

ERRORS, LATENCY, QUALITY = 0, 1, 2
METRICS = ("errors", "latency", "quality")
WEIGHTS = (0.05, 0.25, 0.5)
STRATA = (0.05, 0.2, 0.25, 0.5)
HOLDS_S = (1800.0, 4 * 3600.0, 24 * 3600.0)
SCHEDULE_S = sum(HOLDS_S)
HISTORY = 5000
PLAIN = (0.01, 0.01, 0.08)
_MOVED = (0.03, 0.03, 0.2)


def slow_share(longer: float, sigma: float = 0.5, quantile: float = 2.3263478740408408) -> float:
    """Share of log-normal latencies beyond stable's p99 when all are `longer` by this factor (1.2: by 20 %).

    At sigma 0.5 the p99 is 3.2 times the median.
    """
    return float(ndtr(math.log(longer) / sigma - quantile))


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """`rates`: bad shares of errors, latency, quality by stable; `excess`: what the canary adds from `fault_s` on.

    `moving`: the base rates rise along the steps to 3 %, 3 % and 20 %, a third of the way in each step's hold.
    """

    per_second: float
    rates: tuple[float, float, float] = PLAIN
    excess: tuple[float | Floats, ...] = (0.0, 0.0, 0.0)
    fault_s: float = 0.0
    moving: bool = False

    def factors(self, at_s: float) -> tuple[float, ...]:
        """By how much the base rates have grown."""
        if not self.moving:
            return (1.0, 1.0, 1.0)
        ends = np.cumsum((0.0, *HOLDS_S))
        way = float(np.interp(at_s, ends, (0.0, 1 / 3, 2 / 3, 1.0)))
        return tuple(1.0 + way * (most / rate - 1.0) for rate, most in zip(self.rates, _MOVED, strict=True))


@dataclass(frozen=True, slots=True)
class Past:
    """Stable's history before each rollout, by metric: bad events of `n` requests, (3, rollouts).

    The limit of latency is the p99 of these very requests, so exactly one in a hundred was slower; `slow` is the true
    share beyond it, which nobody knows: as an order statistic it has a beta distribution.
    """

    bad: Counts
    slow: Floats
    n: int = HISTORY

    @staticmethod
    def draw(rng: np.random.Generator, rates: Sequence[float], rollouts: int) -> Past:
        errors, wrong = rng.binomial(HISTORY, [[rates[ERRORS]], [rates[QUALITY]]], (2, rollouts))
        beyond = HISTORY // 100 - 1
        slow = rng.beta(beyond + 1, HISTORY - beyond, rollouts)
        return Past(np.stack([errors, np.full(rollouts, beyond), wrong]), slow)


@dataclass(frozen=True, slots=True)
class Requests:
    """Of one span of time, (4 strata, rollouts) each: requests, and by metric those bad if an arm answers them.

    `groups`: the requests, and by metric those bad, by group of users, (1 + 3, 4 strata, groups, rollouts).
    """

    n: Counts
    by_stable: Counts
    by_canary: Counts
    _columns: NDArray[np.int64] = field(repr=False)
    groups: Counts | None = None

    def split(self, metric: int, step: Counts) -> Blocks:
        """One block of every rollout, at the weight of its step."""
        n = self.n.cumsum(axis=0)
        bad = self.by_stable[metric].cumsum(axis=0)
        worse = bad if self.by_canary is self.by_stable else self.by_canary[metric].cumsum(axis=0)
        at = (step, self._columns)
        groups = None
        if self.groups is not None:
            stable = np.arange(4)[:, None] > step
            groups = np.einsum("isgr,sr->igr", self.groups[[0, 1 + metric]], stable)
        return Blocks(n[at], worse[at], n[-1] - n[at], bad[-1] - bad[at], np.array(WEIGHTS)[step], groups)

    def __add__(self, other: Requests) -> Requests:
        stable = self.by_stable + other.by_stable
        canary = stable if self.by_canary is self.by_stable else self.by_canary + other.by_canary
        groups = None if self.groups is None or other.groups is None else self.groups + other.groups
        return Requests(self.n + other.n, stable, canary, self._columns, groups)


class Streams:
    """Draws the requests of `rollouts` rollouts, span after span."""

    def __init__(self, traffic: Traffic, past: Past, rng: np.random.Generator) -> None:
        self.traffic, self.rng, self.past = traffic, rng, past
        self.rollouts = past.slow.shape[0]
        self._columns = np.arange(self.rollouts)
        shares = np.broadcast_to(np.array(STRATA)[:, None], (4, self.rollouts))
        self._per_second = traffic.per_second * shares
        ones = np.ones((4, self.rollouts))
        self._rates = np.stack([ones * traffic.rates[ERRORS], ones * past.slow, ones * traffic.rates[QUALITY]])

    def draw(self, at_s: float, seconds: float) -> Requests:
        """Requests of `seconds` from `at_s` on; bad ones independently, at the rates of that moment."""
        traffic, rng = self.traffic, self.rng
        n = rng.poisson(self._per_second * seconds)
        factors = traffic.factors(at_s)
        rates = [np.minimum(rate * factor, 1.0) for rate, factor in zip(self._rates, factors, strict=True)]
        by_stable = np.stack([rng.binomial(n, rate) for rate in rates])
        by_canary = by_stable
        if any(map(np.any, traffic.excess)) and at_s >= traffic.fault_s:
            worse = [
                rng.binomial(n, np.minimum(rate + more, 1.0)) if np.any(more) else by_stable[metric]
                for metric, (rate, more) in enumerate(zip(rates, traffic.excess, strict=True))
            ]
            by_canary = np.stack(worse)
        return Requests(n, by_stable, by_canary, self._columns)


def scheduled_step(at_s: float) -> int:
    """The step that a rule without evidence is in: it waits for the holds alone."""
    return int(np.searchsorted(np.cumsum(HOLDS_S), at_s, side="right"))
