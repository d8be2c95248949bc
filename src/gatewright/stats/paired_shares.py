"""Do two models answer the very same requests differently? Bets on the pairs in which they differ.

For one event ("is this class", "is above this cut") a pair gives D = 1 if only the canary's answer has it, -1 if only
stable's has it, else 0. The null is that the mean of D, given the pairs before, is within the margin m on both sides.
Who bets a part L of the wealth on more multiplies it by 1 + L (D - m) a pair, with 0 < L < 1 / (1 + m), on less by
1 + L (-D - m): never below 0, and in expectation at most 1 under the null, whatever the two answers have to do with
each other (for copies of one request independence would be absurd). So the mean over bets, directions and events is a
test supermartingale, and P(mean ever >= 1/alpha) <= alpha (Ville). The order of the pairs does not matter: three counts
are enough.

Source: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", J. Royal Statistical
Society B 86 (2024) 1-27. Dividing the logarithm by a design effect d >= 1 takes the d-th root of each bet's wealth:
E stays <= 1 (Jensen).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from gatewright.domain.evidence import Cells
from gatewright.domain.shadow import PairedCounts
from gatewright.stats import drift

_PARTS = (0.02, 0.1, 0.3, 0.7, 0.95)


def log_e_value(events: Sequence[PairedCounts], pairs: int, margin: float, design_effect: float = 1.0) -> float:
    """Natural logarithm of the mean over all events, directions and bets; 0 without any event.

    margin in [0, 1); ValueError for counts that cannot be.
    """
    logarithms = []
    for counts in events:
        sides = (counts.canary_only, counts.stable_only)
        if min(sides) < 0 or sum(sides) > pairs or not 0.0 <= margin < 1.0:
            raise ValueError(f"{counts} of {pairs} pairs at margin {margin!r}: impossible")
        for more, less in (sides, sides[::-1]):
            logarithms += [_log_wealth(more, less, pairs, margin, part) / max(1.0, design_effect) for part in _PARTS]
    if not logarithms:
        return 0.0
    top = max(logarithms)
    return top + math.log(math.fsum(math.exp(value - top) for value in logarithms) / len(logarithms))


def count(cells: Cells, pairs: Iterable[tuple[int, int, int]]) -> tuple[PairedCounts, ...]:
    """For each event of the drift: in how many pairs, given as (canary's cell, stable's, how many), one has it only."""
    size = len(cells.points) + 1
    member = [drift.events(cells, tuple(int(cell == here) for cell in range(size))) for here in range(size)]
    found = [[0, 0] for _ in member[0]]
    for canary, stable, number in pairs:
        for only, has_canary, has_stable in zip(found, member[canary], member[stable], strict=True):
            only[0] += number * (has_canary > has_stable)
            only[1] += number * (has_stable > has_canary)
    return tuple(PairedCounts(canary_only=canary, stable_only=stable) for canary, stable in found)


def add(one: Sequence[PairedCounts], other: Sequence[PairedCounts]) -> tuple[PairedCounts, ...]:
    """Both together; none is as many zeros as are needed."""
    if not one or not other:
        return tuple(one or other)
    return tuple(
        PairedCounts(canary_only=a.canary_only + b.canary_only, stable_only=a.stable_only + b.stable_only)
        for a, b in zip(one, other, strict=True)
    )


def _log_wealth(more: int, less: int, pairs: int, margin: float, part: float) -> float:
    bet = part / (1.0 + margin)
    return (
        more * math.log1p(bet * (1.0 - margin))
        + (pairs - more - less) * math.log1p(-bet * margin)
        + less * math.log1p(-bet * (1.0 + margin))
    )
