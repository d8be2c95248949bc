"""Users who keep their arm, and whose requests resemble each other: two populations, each with its own history.

Regulars    `users` people who come all the time, with activities from an exponential distribution, each with bad shares
            of his own from a beta distribution: the correlation within a user is `correlation`. Given the shares, the
            requests of a stratum are bad independently at the activity-weighted mean of its users: this is exact.
Visitors    people who come once and send `requests` within a minute.

The design effects are estimated from a history of 20,000 requests, as the product does (`sequential.design_effect`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaln, gammaln

from tests.simulation.block_processes import Floats
from tests.simulation.streams import STRATA, Past, Requests, Streams, Traffic

HISTORY = 20_000


@dataclass(frozen=True, slots=True)
class Crowd:
    """Traffic of such users with the history of stable before each rollout; design effects are (3, rollouts)."""

    traffic: Traffic
    past: Past
    design_effects: Floats


def regulars(rng: np.random.Generator, traffic: Traffic, rollouts: int, users: int, correlation: float) -> Crowd:
    """Sizes and bad shares of the strata in every rollout; each rollout has users and a hash of its own."""
    spread = 1.0 / correlation - 1.0
    sizes = np.empty((4, rollouts))
    shares, effects, bad = np.empty((3, 4, rollouts)), np.empty((3, rollouts)), np.empty((3, rollouts), dtype=np.int64)
    for number in range(rollouts):
        activity = rng.exponential(size=users)
        activity /= activity.sum()
        stratum = np.searchsorted(np.cumsum(STRATA)[:-1], rng.random(users), side="right")
        sizes[:, number] = np.bincount(stratum, activity, 4)
        n = rng.poisson(activity * HISTORY)
        for metric, rate in enumerate(traffic.rates):
            of_user = rng.beta(rate * spread, (1.0 - rate) * spread, users)
            shares[metric, :, number] = np.bincount(stratum, activity * of_user, 4) / sizes[:, number]
            k = rng.binomial(n, of_user)
            effects[metric, number] = design_effect(n, k)
            bad[metric, number] = k.sum() * HISTORY / n.sum()
    past = Past(bad, np.full(rollouts, traffic.rates[1]), HISTORY)
    return Crowd(replace(traffic, sizes=sizes, strata=shares), past, effects)


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
