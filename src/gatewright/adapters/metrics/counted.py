"""Blocks from counters that only grow: the difference of two readings between which the weight was one and the same.

A block is told only if its first reading was taken some time after the weight was proven first: requests routed before
end late, and a scrape tells what was counted up to then. Whatever spans a change is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from gatewright.adapters.metrics.by_weight import Counts, Span, blocks, goes_on
from gatewright.adapters.metrics.placeholders import Role
from gatewright.domain.evidence import Observation
from gatewright.domain.rollout import Rollout


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
class Watch(Span):
    """The cursor: the first of the `readings` opens the next block; `last` is the newest of the time before `since`."""

    readings: tuple[Reading, ...] = ()
    last: Reading | None = None

    @property
    def newest(self) -> Reading | None:
        """The last reading of all, whatever the weight was."""
        return self.readings[-1] if self.readings else self.last


def going_on(rollout: Rollout, tick: int, now: float, source: str) -> Watch:
    """The watch of the last look; begun anew when the weight may have been another one in between."""
    before = _decode(rollout.cursor)
    if before is not None and goes_on(before, rollout, tick, now, source):
        return before
    last = before.newest if before is not None and before.source == source else None
    return Watch(source=source, tick=tick, looked=now, weight=rollout.weight, since=now, last=last)


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
    return blocks(
        rollout,
        (
            (before.at, _difference(before.canary, after.canary), _difference(before.stable, after.stable))
            for before, after in pairs
        ),
    )


def encode(watch: Watch) -> str:
    """The watch as a rollout's cursor."""
    return json.dumps(asdict(watch))


def _difference(before: Counts, after: Counts) -> Counts:
    return Counts(
        requests=after.requests - before.requests,
        bad=after.bad - before.bad,
        timed=after.timed - before.timed,
        slow=after.slow - before.slow,
    )


def _decode(cursor: str) -> Watch | None:
    """The watch in `cursor`; None for what another source has left there."""
    try:
        fields = json.loads(cursor)
        last = fields.get("last")
        readings = tuple(map(_reading, fields["readings"]))
        return Watch(**{**fields, "readings": readings, "last": _reading(last) if last else None})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _reading(fields: Mapping[str, Any]) -> Reading:
    return Reading(**{**fields, "canary": Counts(**fields["canary"]), "stable": Counts(**fields["stable"])})
