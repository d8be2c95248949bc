"""Blocks of declared slices, from requests and labels that carry the names of theirs.

Blocks are those of the whole: errors by arrival and weight, quality by the arrival of the request, that of the label,
and weight.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from gatewright.adapters.metrics import told
from gatewright.domain.documents import short
from gatewright.domain.evidence import PastSlice, PastSlices, SliceMetric, SliceObservation
from gatewright.domain.rollout import Rollout

Event = tuple[tuple[int, int], float, str, tuple[str, ...], float]
"""Window of the request and of what is told of it, weight, arm, slices, and what was lost: 0 good, 1 bad."""


def blocks(rollout: Rollout, metric: SliceMetric, events: Iterable[Event]) -> Iterator[SliceObservation]:
    """Requests of both arms by window, weight and slice; nothing before the slices to follow are chosen.

    What they were chosen by must not be judged by them.
    """
    if rollout.slices is None:
        return
    followed = {key.name: key for key in rollout.slices.keys if key.metric == metric}
    canary, stable = short(rollout.canary), short(rollout.stable or "")
    losses: dict[tuple[tuple[int, int], float, str], dict[str, list[float]]]
    losses = defaultdict(lambda: {canary: [], stable: []})
    for window, weight, arm, slices, lost in events:
        if weight and arm in (canary, stable):
            for name in followed.keys() & set(slices):
                losses[window, weight, name][arm].append(lost)
    margins = rollout.policy.quality if metric == "quality" else None
    for (window, weight, name), lost_by in sorted(losses.items()):
        arms = lost_by[canary], lost_by[stable]
        block = told.block(*arms, margins) if margins else told.events(*arms)
        yield SliceObservation(key=followed[name], weight=weight, tick=window[1], block=block)


def past(answers: Iterable[tuple[str, ...]], losses: Iterable[tuple[tuple[str, ...], float]]) -> PastSlices:
    """What stable answered of late, and what it lost by what was told of it: all, and by slice."""
    known = [slices for slices in answers if slices]
    answered = Counter(name for slices in known for name in set(slices))
    lost: dict[str, list[float]] = defaultdict(list)
    for slices, loss in losses:
        for name in set(slices):
            lost[name].append(loss)
    return PastSlices(
        answers=len(known),
        slices=tuple(
            PastSlice(
                name=name,
                answers=count,
                labelled=len(lost[name]),
                wrong=sum(lost[name]),
                squares=sum(loss * loss for loss in lost[name]),
            )
            for name, count in answered.items()
        ),
    )
