"""Durations as counts in cells that are 5 % wide, from a tenth of a millisecond on: small, and exact enough to show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from gatewright.domain.evidence import Durations
from gatewright.stats.confidence import Interval, quantile

Cells = tuple[tuple[int, int], ...]
"""(number of the cell, how many), ascending."""
_FIRST_MS, _WIDER = 0.1, 1.05
_P = 0.99


def count(durations_ms: Iterable[float]) -> Cells:
    """How many fall into each cell."""
    return tuple(sorted(Counter(map(_cell, durations_ms)).items()))


def added(known: Durations | None, more: Durations) -> Durations:
    """Both together."""
    if known is None:
        return more
    return Durations(canary=_merged(known.canary, more.canary), stable=_merged(known.stable, more.stable))


def p99(cells: Cells) -> Interval | None:
    """The 99th percentile in milliseconds, with an interval that holds at every look; None without any duration.

    It speaks of durations that are independent and alike: those of a day that gets busier are a mixture.
    """
    return quantile([(_FIRST_MS * _WIDER**number, many) for number, many in cells], _P)


def _cell(ms: float) -> int:
    return max(0, math.ceil(math.log(ms / _FIRST_MS) / math.log(_WIDER))) if ms > _FIRST_MS else 0


def _merged(one: Cells, other: Cells) -> Cells:
    return tuple(sorted((Counter(dict(one)) + Counter(dict(other))).items()))
