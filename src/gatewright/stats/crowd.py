"""How far apart can two arms be because of who their users are?

Users keep their arm. If some of them get bad answers more often than others for as long as they come (by what they
ask, from where), the canary's users may be worse off by the luck of the draw, and more requests of the same users do
not average that out. How much is measured while the rollout goes on: stable's users fall into groups by a hash, and
each group is a draw of users like the canary's. With n_g requests and k_g bad ones in group g of G, p of all together:

    excess = G/(G-1) sum (k_g - n_g p)^2 - d n p (1-p)      beyond requests with the design effect d
    tau^2  = excess / sum n_g^2                            variance of a group's rate that stays
    V      = tau^2 / (G w)                                 variance of canary - stable, w the canary's share

since the variance of a group is inverse to its share of the users, (1-w)/G. Small excess is taken for chance: below
two standard errors of d = 1 + ..., that is 2 sqrt(2/(G-1)) of it. The estimate of the between-group variance is that
of W. G. Cochran, "Sampling Techniques" (3rd ed., 1977), ch. 4.6 (random groups).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest

Groups = Sequence[tuple[int, int]]
_BEYOND_CHANCE = 2.0


def added(groups: Groups, more: Groups) -> tuple[tuple[int, int], ...]:
    """Requests and bad ones of each group so far."""
    pairs = zip_longest(groups, more, fillvalue=(0, 0))
    return tuple((n + more_n, bad + more_bad) for (n, bad), (more_n, more_bad) in pairs)


def luck(groups: Groups, weight: float, design_effect: float = 1.0) -> float:
    """Standard deviation of canary's minus stable's bad rate that stays however many requests come.

    `groups`: (requests, bad) of stable's users by group so far; `weight`: the canary's share, in (0, 1). 0 when the
    groups differ no more than by chance.
    """
    number = len(groups)
    n, bad = sum(size for size, _ in groups), sum(bad for _, bad in groups)
    if number < 2 or not 0 < bad < n or not 0.0 < weight < 1.0:
        return 0.0
    p = bad / n
    by_chance = max(1.0, design_effect) * n * p * (1.0 - p)
    between = math.fsum((k - size * p) ** 2 for size, k in groups) * number / (number - 1)
    if between <= by_chance * (1.0 + _BEYOND_CHANCE * math.sqrt(2.0 / (number - 1))):
        return 0.0
    tau_squared = (between - by_chance) / sum(size * size for size, _ in groups)
    return math.sqrt(tau_squared / (number * weight))
