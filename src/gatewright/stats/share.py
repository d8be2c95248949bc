"""Do draws fall on one arm as often as was declared? A one-sample e-process, two-sided, with a relative margin.

Null: in every block the probability p of each draw lies in [lo, hi] = [(1 - margin) share, (1 + margin) share],
whatever the blocks before it. For an alternative t < lo a block of n draws with k on the arm multiplies the wealth by
(t/lo)^k ((1-t)/(1-lo))^(n-k); with (t/lo) p + (1-t)/(1-lo) (1-p), which falls in p and is 1 at p = lo, as the
expectation of one draw, E <= 1 for every p >= lo. For t > hi the same holds with hi, from the other side. The mean over
alternatives of both sides is a test supermartingale, so P(mean ever >= 1/alpha) <= alpha (Ville). Where hi leaves no
room for an alternative below .98 nothing is bet on that side. Cash for a fault that begins late: `wealth`.

Draws must be independent: of a user whose requests stay together only the first one is a draw.

The state is a tuple of logarithms, the cash first and then the wealth of each alternative; () before any block.
"""

from __future__ import annotations

import math

from gatewright.stats.wealth import CASH, log_wealth, spend

_BELOW, _ABOVE = (0.8, 0.5, 0.05), (1.25, 2.0, 5.0)
_LOWEST, _HIGHEST = 1e-6, 0.98


def update(state: tuple[float, ...], drawn: int, hits: int, share: float, margin: float) -> tuple[float, ...]:
    """The state after a block; 0 <= hits <= drawn, share in (0, 1), margin in [0, 1). ValueError for others."""
    if not (0 <= hits <= drawn and 0.0 < share < 1.0 and 0.0 <= margin < 1.0):
        raise ValueError(f"{hits!r} of {drawn!r} draws at share {share!r}, margin {margin!r}: impossible")
    if not drawn:
        return state
    alternatives = _alternatives(share, margin)
    cash = math.exp(state[0]) if state else CASH
    log_e = state[1:] or (math.log(1.0 - CASH),) * len(alternatives)
    grown = (value + _log_factor(drawn, hits, *each) for value, each in zip(log_e, alternatives, strict=True))
    log_e, cash = spend(tuple(grown), cash)
    return (math.log(cash), *log_e)


def log_e_value(state: tuple[float, ...]) -> float:
    """Natural logarithm of the e-value now."""
    return log_wealth(state[1:], math.exp(state[0])) if state else 0.0


def _alternatives(share: float, margin: float) -> list[tuple[float, float]]:
    """(alternative, nearest end of the null); equal where there is nothing to bet on."""
    low, high = (1.0 - margin) * share, min((1.0 + margin) * share, 1.0)
    below = [(min(max(_LOWEST, low * part), low), low) for part in _BELOW]
    above = [(max(min(_HIGHEST, high * part), high), high) for part in _ABOVE]
    return below + above


def _log_factor(drawn: int, hits: int, alternative: float, null: float) -> float:
    if alternative == null:
        return 0.0
    others = (drawn - hits) * (math.log1p(-alternative) - math.log1p(-null))
    return hits * math.log(alternative / null) + others
