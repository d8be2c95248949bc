"""Do the predictions of two models on the same traffic differ? The mean of two-sided block e-processes.

Predictions are counted in cells (`Cells`): of a class, or between cuts. For each class, or each cut of the distribution
function, one event is followed ("is this class", "is above this cut") in both directions, by the block e-process of
`sequential`: more often than stable by more than the margin, and, with the complement of the event, more seldom. The
null is that for each event the two shares differ by at most the margin in every block. Under it each of these processes
is a test supermartingale, so is their mean, and P(mean ever >= 1/alpha) <= alpha, however much the events depend on
each other.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gatewright.domain.evidence import Block, Cells, MixedEvidence
from gatewright.stats import sequential

MOST_CLASSES = 10
_CUTS = 9


def choose_cells(outputs: Sequence[float]) -> Cells:
    """Cells for predictions that look like these: each value one up to ten of them, else between their deciles."""
    values = sorted(set(outputs))
    if len(values) <= MOST_CLASSES:
        return Cells(classes=True, points=tuple(values))
    ordered = sorted(outputs)
    cuts = {ordered[len(ordered) * (number + 1) // (_CUTS + 1)] for number in range(_CUTS)}
    return Cells(classes=False, points=tuple(sorted(cuts - {ordered[-1]})))


def count(cells: Cells, outputs: Iterable[float]) -> tuple[int, ...]:
    """How many of `outputs` fall into each cell; one more cell than points, the last for what no point speaks of."""
    counts = [0] * (len(cells.points) + 1)
    for output in outputs:
        counts[cell(cells, output)] += 1
    return tuple(counts)


def cell(cells: Cells, output: float) -> int:
    """The cell of one prediction."""
    at = bisect_left(cells.points, output)
    strange = cells.classes and (at == len(cells.points) or cells.points[at] != output)
    return len(cells.points) if strange else at


def events(cells: Cells, counts: Sequence[int]) -> tuple[int, ...]:
    """How often each event happened among these counts.

    Of two classes only the second is followed, as it says all of the first, and what is neither of them.
    """
    if cells.classes:
        return tuple(counts[1:] if len(cells.points) <= 2 else counts)
    total = sum(counts)
    below = 0
    found = []
    for here in counts[:-1]:
        below += here
        found.append(total - below)
    return tuple(found)


def start(cells: Cells, margin: float, history: Sequence[int]) -> MixedEvidence:
    """No evidence yet; `history` are stable's own past predictions by cell."""
    n = sum(history)
    parts = [
        sequential.start("worse", margin, bad, n)
        for happened in events(cells, history)
        for bad in (happened, n - happened)
    ]
    return MixedEvidence(parts=tuple(parts))


def design_effect(cells: Cells, outputs: Sequence[float], users: Sequence[str]) -> float:
    """The largest of the events' design effects by user; 1 when the users are not known."""
    if len(users) != len(outputs):
        return 1.0
    mine: dict[str, list[float]] = defaultdict(list)
    for user, output in zip(users, outputs, strict=True):
        mine[user].append(output)
    counts = [(len(those), events(cells, count(cells, those))) for those in mine.values()]
    numbers = range(len(events(cells, count(cells, ()))))
    return max(sequential.design_effect((n, happened[number]) for n, happened in counts) for number in numbers)


def update(
    evidence: MixedEvidence, cells: Cells, canary: Sequence[int], stable: Sequence[int], design_effect: float = 1.0
) -> MixedEvidence:
    """The evidence after one more block of predictions by cell, whose counts are divided by the design effect."""
    pairs = zip(evidence.parts, _blocks(cells, canary, stable), strict=True)
    after = replace(evidence, parts=tuple(sequential.update(part, block, design_effect) for part, block in pairs))
    return replace(after, peak_log_e=max(evidence.peak_log_e, log_e_value(after)))


def log_e_value(evidence: MixedEvidence) -> float:
    """Natural logarithm of the e-value now: the mean over events and directions."""
    logarithms = [sequential.log_e_value(part) for part in evidence.parts]
    top = max(logarithms)
    return top + math.log(math.fsum(math.exp(value - top) for value in logarithms) / len(logarithms))


def alarmed(evidence: MixedEvidence, alpha: float) -> bool:
    """Was e >= 1/alpha after any block so far?"""
    return evidence.peak_log_e >= -math.log(alpha)


def largest_difference(cells: Cells, canary: Sequence[int], stable: Sequence[int]) -> tuple[int, float, float]:
    """The event whose share differs most: its number, and its shares of the canary's and of stable's predictions."""
    n_c, n_s = max(1, sum(canary)), max(1, sum(stable))
    pairs = zip(events(cells, canary), events(cells, stable), strict=True)
    shares = [(index, k_c / n_c, k_s / n_s) for index, (k_c, k_s) in enumerate(pairs)]
    return max(shares, key=lambda found: abs(found[1] - found[2]))


def event_name(cells: Cells, number: int) -> str:
    """The event in words."""
    if not cells.classes:
        return f"predictions above {cells.points[number]:.4g}"
    number += 1 if len(cells.points) <= 2 else 0
    return (
        f"prediction {cells.points[number]:g}" if number < len(cells.points) else "predictions that stable never made"
    )


def _blocks(cells: Cells, canary: Sequence[int], stable: Sequence[int]) -> Iterator[Block]:
    n_c, n_s = sum(canary), sum(stable)
    for k_c, k_s in zip(events(cells, canary), events(cells, stable), strict=True):
        yield Block(canary_n=n_c, canary_bad=k_c, stable_n=n_s, stable_bad=k_s)
        yield Block(canary_n=n_c, canary_bad=n_c - k_c, stable_n=n_s, stable_bad=n_s - k_s)
