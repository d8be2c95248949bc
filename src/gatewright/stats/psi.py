"""The population stability index of two histograms: sum over cells of (q − p) ln(q / p).

Siddiqi, "Credit Risk Scorecards" (2006), chapter 10: below 0.1 little has changed, above 0.25 much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WARN, FAIL = 0.1, 0.25
_LEAST = 1e-4


def psi(before: Sequence[float], now: Sequence[float]) -> float:
    """The index of two histograms over the same cells; an empty cell counts as a share of 1 in 10,000."""
    n_before, n_now = math.fsum(before), math.fsum(now)
    if not n_before or not n_now:
        return math.nan
    total = []
    for old, new in zip(before, now, strict=True):
        if old or new:
            p, q = max(old / n_before, _LEAST), max(new / n_now, _LEAST)
            total.append((q - p) * math.log(q / p))
    return math.fsum(total)


def psi_of_values(before: Mapping[str, float], now: Mapping[str, float]) -> float:
    """The index over named cells."""
    names = sorted(before.keys() | now.keys())
    return psi([before.get(name, 0.0) for name in names], [now.get(name, 0.0) for name in names])


def rebinned(low: float, high: float, counts: Sequence[float], edges: Sequence[float]) -> list[float]:
    """`counts` of equal bins between `low` and `high` as counts between `edges`, and below and above them.

    The result is one longer than `edges`. Within a bin the rows are taken to lie evenly: an estimate where the edges
    cut bins.
    """
    cells = [0.0] * (len(edges) + 1)
    bounds = [-math.inf, *edges, math.inf]
    width = (high - low) / len(counts) if counts else 0.0
    for number, count in enumerate(counts):
        left, right = low + number * width, low + (number + 1) * width
        if right <= left:
            at = sum(left >= edge for edge in edges[:-1]) if edges else 0
            at = len(edges) if edges and left > edges[-1] else at
            cells[at] += count
            continue
        for cell in range(len(cells)):
            inside = min(right, bounds[cell + 1]) - max(left, bounds[cell])
            if inside > 0:
                cells[cell] += count * inside / (right - left)
    return cells
