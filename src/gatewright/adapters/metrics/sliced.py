"""Blocks of declared slices, from requests and labels that carry the names of theirs.

Blocks are those of the whole: errors by arrival and weight, quality by the arrival of the request, that of the label,
and weight.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from gatewright.domain.documents import short
from gatewright.domain.evidence import Block, PastSlice, PastSlices, SliceKey, SliceMetric, SliceObservation
from gatewright.domain.rollout import Rollout

Event = tuple[tuple[int, int], float, str, tuple[str, ...], bool]
"""Window of the request and of what is told of it, weight, arm, slices, and whether it was bad."""


def blocks(rollout: Rollout, metric: SliceMetric, events: Iterable[Event]) -> Iterator[SliceObservation]:
    """Requests of both arms by window, weight and slice; nothing before the slices to follow are chosen.

    What they were chosen by must not be judged by them.
    """
    if rollout.slices is None:
        return
    followed = {key.name: key for key in rollout.slices.keys if key.metric == metric}
    arms = {short(rollout.canary): 0, short(rollout.stable or ""): 2}
    counts: dict[tuple[tuple[int, int], float, SliceKey], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for window, weight, arm, slices, bad in events:
        if weight and arm in arms:
            for name in followed.keys() & set(slices):
                counted = counts[window, weight, followed[name]]
                counted[arms[arm]] += 1
                counted[arms[arm] + 1] += bad
    for (window, weight, key), (canary_n, canary_bad, stable_n, stable_bad) in sorted(
        counts.items(), key=lambda item: (item[0][0], item[0][1], item[0][2].name)
    ):
        block = Block(canary_n=canary_n, canary_bad=canary_bad, stable_n=stable_n, stable_bad=stable_bad)
        yield SliceObservation(key=key, weight=weight, tick=window[1], block=block)


def past(answers: Iterable[tuple[str, ...]], labels: Iterable[tuple[tuple[str, ...], bool]]) -> PastSlices:
    """What stable answered of late, and was told of it: all, and by slice."""
    known = [slices for slices in answers if slices]
    answered = Counter(name for slices in known for name in set(slices))
    labelled: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for slices, bad in labels:
        for name in set(slices):
            labelled[name] += 1
            wrong[name] += bad
    return PastSlices(
        answers=len(known),
        slices=tuple(
            PastSlice(name=name, answers=count, labelled=labelled[name], wrong=wrong[name])
            for name, count in answered.items()
        ),
    )
