"""An absolute limit on one arm's bad rate, looked at after every block: a one-sample e-process.

Null: the bad rate is at most `limit` in every block. For each alternative rate t > limit a block of n requests with
k bad ones multiplies the e-value by (t/limit)^k ((1-t)/(1-limit))^(n-k); its expectation is largest at the limit,
where it is 1. Counts are divided by the design effect of the requests, as `sequential` does it and with what follows
from it. Like the comparison of two arms it holds cash back for a late fault (`wealth`).

The state is a tuple of logarithms, the cash first and then the e-value of each alternative; () before any block.
"""

from __future__ import annotations

import math

from gatewright.stats.wealth import CASH, log_wealth, spend

_MULTIPLES = (1.5, 2.0, 3.0, 6.0)
_HIGHEST = 0.98


def update(state: tuple[float, ...], n: int, bad: int, limit: float, design_effect: float = 1.0) -> tuple[float, ...]:
    """The state after a block of n requests of which `bad` were bad, both divided by max(1, design_effect).

    0 < limit <= 1; beyond .98 nothing can show.
    """
    cash, log_e = math.exp(state[0]) if state else CASH, state[1:] or (math.log(1.0 - CASH),) * len(_MULTIPLES)
    if not n:
        return state
    rates = (min(_HIGHEST, limit * multiple) for multiple in _MULTIPLES)
    counts = n / max(1.0, design_effect), bad / max(1.0, design_effect)
    log_e, cash = spend(
        tuple(value + _log_factor(*counts, rate, limit) for value, rate in zip(log_e, rates, strict=True)), cash
    )
    return (math.log(cash), *log_e)


def log_e_value(state: tuple[float, ...]) -> float:
    """Natural logarithm of the e-value now."""
    return log_wealth(state[1:], math.exp(state[0])) if state else 0.0


def _log_factor(n: float, bad: float, rate: float, limit: float) -> float:
    if rate <= limit:
        return 0.0
    return bad * math.log(rate / limit) + (n - bad) * (math.log1p(-rate) - math.log1p(-limit))
