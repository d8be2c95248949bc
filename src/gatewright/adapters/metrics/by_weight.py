"""What was counted under one weight, as blocks of both arms, and since when that weight is proven.

Neither a counter nor the sum of a minute says under which weight a request was routed. So a block is told only if the
weight was read back as asked at the look before it, at all looks in between and at one after it, if no look failed
meanwhile, and if the canary's lease cannot have lapsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gatewright.adapters.metrics.placeholders import Role
from gatewright.domain.errors import WorldFailed
from gatewright.domain.evidence import Block, LiveMetric, Observation
from gatewright.domain.rollout import Rollout
from gatewright.rules.evidence import interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted of one arm: requests and bad ones, those timed and slow ones."""

    requests: int
    bad: int
    timed: int
    slow: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """By which `source`, when and at which tick was looked last, and since when the `weight` is the same.

    Up to `looked` it is proven: since that look nothing has been missed. Seconds since 1970.
    """

    source: str
    tick: int
    looked: float
    weight: float
    since: float


def goes_on(span: Span, rollout: Rollout, tick: int, now: float, source: str) -> bool:
    """Whether this look follows the last one of `span`, with no other weight and no failed look in between."""
    return (
        (span.source, span.weight, span.tick + 1) == (source, rollout.weight, tick)
        and rollout.blind_s == 0.0
        and 0.0 <= now - span.looked < rollout.policy.lease.seconds
    )


def blocks(rollout: Rollout, counted: Iterable[tuple[float, Counts, Counts]]) -> Iterator[Observation]:
    """Errors and latency, one block of each for each tick: of (since when, canary, stable), all under this weight.

    WorldFailed for counts that contradict each other.
    """
    told: dict[tuple[int, LiveMetric], list[int]] = {}
    for at, canary, stable in counted:
        tick = int(at // interval_s(rollout.policy))
        _check("canary", canary)
        _check("stable", stable)
        metrics: tuple[tuple[LiveMetric, tuple[int, ...]], ...] = (
            ("errors", (canary.requests, canary.bad, stable.requests, stable.bad)),
            ("latency", (canary.timed, canary.slow, stable.timed, stable.slow)),
        )
        for metric, counts in metrics:
            known = told.get((tick, metric), [0, 0, 0, 0])
            told[tick, metric] = [one + more for one, more in zip(known, counts, strict=True)]
    for (tick, metric), (canary_n, canary_bad, stable_n, stable_bad) in told.items():
        if canary_n or stable_n:
            block = Block(canary_n=canary_n, canary_bad=canary_bad, stable_n=stable_n, stable_bad=stable_bad)
            yield Observation(metric=metric, weight=rollout.weight, tick=tick, block=block)


def requests(seen: Iterable[Observation]) -> int:
    """Requests of both arms in these blocks."""
    return sum(int(each.block.canary_n + each.block.stable_n) for each in seen if each.metric == "errors")


def _check(role: Role, counts: Counts) -> None:
    for what, count, of in (("failed", counts.bad, counts.requests), ("slow", counts.slow, counts.timed)):
        if not 0 <= count <= of:
            raise WorldFailed(
                f"the counters of {role} contradict each other: {count} more {what} of {of} more requests",
                fix="count both at one place: the same servers, the same paths",
            )
