"""When will a mixture of e-values reach its limit, if each grows as it should be expected to?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gatewright.stats.wealth import log_wealth

FAR = 1e12


def time_until(log_e: Sequence[float], growth: Sequence[float], limit: float, *, cash: float = 0.0) -> float:
    """The least T with ln(cash + mean_j exp(log_e_j + T growth_j)) >= limit; infinite when there is none.

    `growth` is expected log growth per unit of T, `limit` a logarithm. Once one alternative has outgrown the others
    this is Wald's approximation, distance over drift, of the expected sample number: A. Wald, "Sequential tests of
    statistical hypotheses", Annals of Mathematical Statistics 16 (1945) 117-186.
    """
    if log_wealth(tuple(log_e), cash) >= limit:
        return 0.0
    if max(growth) <= 0.0:
        return math.inf

    def reached(time: float) -> bool:
        return log_wealth(tuple(start + time * by for start, by in zip(log_e, growth, strict=True)), cash) >= limit

    high = 1.0
    while not reached(high):
        high *= 2.0
        if high > FAR:
            return math.inf
    low = 0.0 if high == 1.0 else high / 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
