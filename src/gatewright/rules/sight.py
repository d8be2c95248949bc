"""May a look be believed? What contradicts itself teaches nothing."""

from __future__ import annotations

from collections import Counter

from gatewright.domain.evidence import LIVE_METRICS, Look


def doubt(look: Look) -> str | None:
    """Why this look is not to be believed; None when nothing speaks against it.

    Requests of one tick under one weight are one block: a second one of the same metric is a second series, which would
    count every request twice.
    """
    for seen in look.observations:
        if not 0.0 <= seen.weight <= 100.0:
            return f"{seen.metric}: requests under a weight of {seen.weight!r} %; a weight lies between 0 and 100"
    blocks = Counter((seen.metric, seen.weight, seen.tick) for seen in look.observations if seen.metric in LIVE_METRICS)
    twice = next((block for block, count in blocks.items() if count > 1), None)
    if twice is not None:
        metric, weight, tick = twice
        return f"{metric}: two series for the requests of tick {tick} at {weight:g} %; one is needed"
    return None
