"""Blocks from counters that only grow: the difference of two readings between which the weight was one and the same.

A counter does not say under which weight a request was routed. So a block is told only if the weight was read back
as asked at the look before it, at all looks in between and at one after it, if no look failed meanwhile, if the
canary's lease cannot have lapsed, and if its first reading was taken some time after all of this had begun: requests
routed before end late, and a scrape tells what was counted up to then. Whatever spans a change is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise

from gatewright.adapters.metrics.placeholders import ROLES, Role
from gatewright.domain.errors import WorldFailed
from gatewright.domain.evidence import Block, LiveMetric, Observation
from gatewright.domain.rollout import Rollout
from gatewright.rules.evidence import interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted of one arm since its counters began: requests and bad ones, those timed and slow ones."""

    requests: int
    bad: int
    timed: int
    slow: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Both arms at the moment `at`, in seconds since 1970, by samples of which the oldest is from `oldest`.

    `notes` is what a source compares its next reading with.
    """

    at: float
    oldest: float
    canary: Counts
    stable: Counts
    notes: Mapping[str, int] = field(default_factory=dict)

    def of(self, role: Role) -> Counts:
        """One arm."""
        return self.canary if role == "canary" else self.stable


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The cursor: by which `source`, when and at which tick was looked last, since when the `weight` is the same.

    The first of the `readings` opens the next block.
    """

    source: str
    tick: int
    looked: float
    weight: float
    since: float
    readings: tuple[Reading, ...] = ()


def going_on(rollout: Rollout, tick: int, now: float, source: str) -> Watch:
    """The watch of the last look; begun anew when the weight may have been another one in between."""
    before = _decode(rollout.cursor)
    if (
        before is not None
        and (before.source, before.weight, before.tick + 1) == (source, rollout.weight, tick)
        and rollout.blind_s == 0.0
        and 0.0 <= now - before.looked < rollout.policy.lease.seconds
    ):
        return before
    return Watch(source=source, tick=tick, looked=now, weight=rollout.weight, since=now)


def closed(
    watch: Watch, reading: Reading | None, *, tick: int, now: float, settle_s: float
) -> tuple[Watch, tuple[tuple[Reading, Reading], ...]]:
    """The watch with this look's reading, and the pairs of readings that are a block by now."""
    readings = watch.readings
    newer = reading is not None and (not readings or reading.at > readings[-1].at)
    if reading is not None and newer and reading.oldest >= watch.since + settle_s:
        readings = (*readings, reading)
    # Up to the last look the weight is proven: since that look nothing has been missed.
    done = [reading for reading in readings[1:] if reading.at <= watch.looked]
    pairs = tuple(pairwise([*readings[:1], *done]))
    return replace(watch, tick=tick, looked=now, readings=readings[len(done) :]), pairs


def observations(rollout: Rollout, pairs: Iterable[tuple[Reading, Reading]]) -> Iterator[Observation]:
    """The blocks of errors and latency, one for each tick. WorldFailed for counters that contradict each other."""
    told: dict[tuple[int, LiveMetric], list[int]] = {}
    for before, after in pairs:
        (n_c, bad_c, timed_c, slow_c), (n_s, bad_s, timed_s, slow_s) = (
            _difference(role, before, after) for role in ROLES
        )
        tick = int(before.at // interval_s(rollout.policy))
        counted: tuple[tuple[LiveMetric, tuple[int, ...]], ...] = (
            ("errors", (n_c, bad_c, n_s, bad_s)),
            ("latency", (timed_c, slow_c, timed_s, slow_s)),
        )
        for metric, counts in counted:
            known = told.get((tick, metric), [0, 0, 0, 0])
            told[tick, metric] = [one + more for one, more in zip(known, counts, strict=True)]
    for (tick, metric), (canary_n, canary_bad, stable_n, stable_bad) in told.items():
        if canary_n or stable_n:
            block = Block(canary_n=canary_n, canary_bad=canary_bad, stable_n=stable_n, stable_bad=stable_bad)
            yield Observation(metric=metric, weight=rollout.weight, tick=tick, block=block)


def requests(seen: Iterable[Observation]) -> int:
    """Requests of both arms in these blocks."""
    return sum(int(each.block.canary_n + each.block.stable_n) for each in seen if each.metric == "errors")


def encode(watch: Watch) -> str:
    """The watch as a rollout's cursor."""
    return json.dumps(asdict(watch))


def _difference(role: Role, before: Reading, after: Reading) -> tuple[int, int, int, int]:
    old, new = before.of(role), after.of(role)
    requests, bad = new.requests - old.requests, new.bad - old.bad
    timed, slow = new.timed - old.timed, new.slow - old.slow
    for what, count, of in (("failed", bad, requests), ("slow", slow, timed)):
        if not 0 <= count <= of:
            raise WorldFailed(
                f"the counters of {role} contradict each other: {count} more {what} of {of} more requests",
                fix="count both at one place: the same servers, the same paths",
            )
    return requests, bad, timed, slow


def _decode(cursor: str) -> Watch | None:
    """The watch in `cursor`; None for what another source has left there."""
    try:
        fields = json.loads(cursor)
        readings = tuple(
            Reading(**{**found, "canary": Counts(**found["canary"]), "stable": Counts(**found["stable"])})
            for found in fields["readings"]
        )
        return Watch(**{**fields, "readings": readings})
    except (ValueError, KeyError, TypeError):
        return None
