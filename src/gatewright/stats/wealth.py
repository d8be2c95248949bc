"""The wealth of a test martingale that holds cash back for a fault which begins late.

Evidence of a healthy canary drives every alternative far below 1, and without cash a fault that starts hours later
would be found hours late. So half of the initial wealth is held back, and after each block a part of it moves to the
alternatives: a thousandth at first, 1/(1000 + n) of what is left after n blocks, so that some is left after weeks.
Moving wealth by a fixed plan keeps its sum, so the guarantee stays: a mixture over the moment of change, the share
update of M. Herbster, M. K. Warmuth, "Tracking the best expert", Machine Learning 32 (1998) 151-178.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CASH = 0.5
CASH_SPENT = 0.001


def spend(log_e: tuple[float, ...], cash: float) -> tuple[tuple[float, ...], float]:
    """Move the next part of `cash` to every alternative; the wealth cash + mean(exp(log_e)) stays what it was.

    The cash itself tells how many blocks have passed: after n it is CASH / (1 + CASH_SPENT * n), nearly.
    """
    moved = CASH_SPENT * cash * cash / CASH
    if not moved:
        return log_e, cash
    return tuple(_log_sum((value, math.log(moved))) for value in log_e), cash - moved


def log_wealth(log_e: Sequence[float], cash: float) -> float:
    """log(cash + mean(exp(log_e))), without overflow or underflow."""
    mean = _log_sum(log_e) - math.log(len(log_e))
    return _log_sum((mean, math.log(cash))) if cash else mean


def _log_sum(logarithms: Sequence[float]) -> float:
    top = max(logarithms)
    return top + math.log(math.fsum(math.exp(value - top) for value in logarithms))
