"""Users who keep their arm, and whose requests resemble each other: two populations, each with its own history.

Regulars    people who come all the time, with activities from an exponential distribution, each with bad shares of his
            own from a beta distribution: the correlation within a user is `correlation`. Given the shares, the requests
            of some users together are bad independently at the activity-weighted mean of theirs: this is exact.
Visitors    people who come once and send `requests` within a minute.

The design effects are estimated from a history of 20,000 requests, as the product does (`sequential.design_effect`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln

from gatewright.domain.evidence import USER_GROUPS
from tests.simulation.block_processes import Floats
from tests.simulation.streams import STRATA, Past, Requests, Streams, Traffic

HISTORY = 20_000


@dataclass(frozen=True, slots=True)
class Crowd:
    """Shares of the traffic and bad shares by (metric,) stratum and group, the history before, and its design effects.

    (4, groups, rollouts), (3, 4, groups, rollouts), and (3, rollouts).
    """

    sizes: Floats
    rates: Floats
    past: Past
    design_effects: Floats


def regulars(rng: np.random.Generator, traffic: Traffic, rollouts: int, users: int, correlation: float) -> Crowd:
    """`users` people; each rollout has people and a hash of its own."""
    spread, cells = 1.0 / correlation - 1.0, 4 * USER_GROUPS
    sizes, rates = np.empty((cells, rollouts)), np.empty((3, cells, rollouts))
    effects, bad = np.empty((3, rollouts)), np.empty((3, rollouts), dtype=np.int64)
    for number in range(rollouts):
        activity = rng.exponential(size=users)
        activity /= activity.sum()
        stratum = np.searchsorted(np.cumsum(STRATA)[:-1], rng.random(users), side="right")
        cell = stratum * USER_GROUPS + rng.integers(0, USER_GROUPS, users)
        sizes[:, number] = np.bincount(cell, activity, cells)
        n = rng.poisson(activity * HISTORY)
        for metric, rate in enumerate(traffic.rates):
            of_user = rng.beta(rate * spread, (1.0 - rate) * spread, users)
            of_cell = np.bincount(cell, activity * of_user, cells)
            rates[metric, :, number] = np.divide(of_cell, sizes[:, number], out=of_cell, where=sizes[:, number] > 0)
            k = rng.binomial(n, of_user)
            effects[metric, number] = design_effect(n, k)
            bad[metric, number] = k.sum() * HISTORY / n.sum()
    past = Past(bad, np.full(rollouts, traffic.rates[1]), HISTORY)
    shape = (4, USER_GROUPS, rollouts)
    return Crowd(sizes.reshape(shape), np.minimum(rates, 1.0).reshape(3, *shape), past, effects)


class RegularStreams(Streams):
    """Requests of regulars; `told` says whether anybody counts them by group of users."""

    def __init__(self, traffic: Traffic, crowd: Crowd, rng: np.random.Generator, *, told: bool) -> None:
        super().__init__(traffic, crowd.past, rng)
        self._told = told
        self._sizes, self._shares = (crowd.sizes, crowd.rates) if told else _together(crowd)

    def draw(self, at_s: float, seconds: float) -> Requests:
        rng, rates = self.rng, self._shares
        n = rng.poisson(self._sizes * self.traffic.per_second * seconds)
        bad = np.stack([rng.binomial(n, of_metric) for of_metric in rates])
        worse = by_stable = bad.sum(axis=2)
        if any(map(np.any, self.traffic.excess)):
            pairs = zip(rates, self.traffic.excess, by_stable, strict=True)
            worse = np.stack(
                [
                    rng.binomial(n, np.minimum(rate + more, 1.0)).sum(axis=1) if np.any(more) else same
                    for rate, more, same in pairs
                ]
            )
        groups = np.concatenate([n[None], bad]) if self._told else None
        return Requests(n.sum(axis=1), by_stable, worse, self._columns, groups)


def _together(crowd: Crowd) -> tuple[Floats, Floats]:
    """The same traffic with one group a stratum: nobody asks for more, and it is drawn faster."""
    sizes = crowd.sizes.sum(axis=1, keepdims=True)
    return sizes, (crowd.sizes * crowd.rates).sum(axis=2, keepdims=True) / sizes


def design_effect(n: Floats, bad: Floats) -> float:
    """`sequential.design_effect` of arrays by user."""
    n, bad = n[n > 0], bad[n > 0]
    rate = bad.sum() / n.sum()
    if n.size < 2 or not 0.0 < rate < 1.0:
        return 1.0
    squares = ((bad - n * rate) ** 2).sum()
    return max(1.0, float(squares * n.size / (n.size - 1) / (n.sum() * rate * (1.0 - rate))))


class VisitorStreams(Streams):
    """Requests in visits of `requests` each; those of one visit are bad with a probability of their own."""

    def __init__(
        self, traffic: Traffic, past: Past, rng: np.random.Generator, *, requests: int, correlation: float
    ) -> None:
        super().__init__(traffic, past, rng)
        self.requests, self.correlation = requests, correlation

    def draw(self, at_s: float, seconds: float) -> Requests:
        visits = self.rng.poisson(self._per_second * seconds / self.requests)
        bad = []
        for rate, factor in zip(self.traffic.rates, self.traffic.factors(at_s), strict=True):
            chances = bad_in_a_visit(self.requests, rate * factor, self.correlation)
            bad.append(self.rng.multinomial(visits, chances) @ np.arange(self.requests + 1))
        stable = np.stack(bad)
        return Requests(visits * self.requests, stable, stable, self._columns)


def visitors_past(
    rng: np.random.Generator, rates: tuple[float, ...], rollouts: int, *, requests: int, correlation: float
) -> tuple[Past, Floats]:
    """The history of visitors: 20,000 requests, and the design effects estimated from them, (3, rollouts)."""
    visits, numbers = HISTORY // requests, np.arange(requests + 1)
    bad, effects = np.empty((3, rollouts), dtype=np.int64), np.empty((3, rollouts))
    for metric, rate in enumerate(rates):
        found = rng.multinomial(visits, bad_in_a_visit(requests, rate, correlation), rollouts)
        bad[metric] = found @ numbers
        effects[metric] = [design_effect(np.full(visits, requests), np.repeat(numbers, row)) for row in found]
    return Past(bad, np.full(rollouts, rates[1]), HISTORY), effects


def bad_in_a_visit(requests: int, rate: float, correlation: float) -> Floats:
    """Beta-binomial distribution: chances of 0 to `requests` bad ones."""
    spread = 1.0 / correlation - 1.0
    a, b, k = rate * spread, (1.0 - rate) * spread, np.arange(requests + 1)
    ways = gammaln(requests + 1) - gammaln(k + 1) - gammaln(requests - k + 1)
    chances = np.exp(ways + betaln(k + a, requests - k + b) - betaln(a, b))
    return np.asarray(chances / chances.sum())
