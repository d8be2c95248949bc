"""Whole minutes of one weight: which of them may be told by now, and what CloudWatch has counted in each.

A sum of a minute cannot be divided. So a minute is told only if it lies wholly inside a span of one proven weight, some
time after its beginning, and only when its metrics have had time to arrive; then once, as it is at that moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from gatewright.adapters.metrics.by_weight import Counts, Span, goes_on
from gatewright.adapters.metrics.metric_data import Points, Series, whole
from gatewright.adapters.metrics.placeholders import Role
from gatewright.domain.errors import WorldFailed
from gatewright.domain.rollout import Rollout

MINUTE_S = 60
Errors = Literal["model-errors", "5xx"]
_METRIC_OF: Mapping[Errors, str] = {"model-errors": "InvocationModelErrors", "5xx": "Invocation5XXErrors"}
_NOTHING = Counts(requests=0, bad=0, timed=0, slow=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Span):
    """The cursor: minutes before `told` are told or left out, those before `asked` had arrived when it was asked last.

    Both are the end of a minute, in seconds since 1970.
    """

    told: int = 0
    asked: int = 0


def going_on(rollout: Rollout, tick: int, now: float, source: str) -> Watch:
    """The watch of the last look; begun anew when the weight may have been another one in between."""
    before = _decode(rollout.cursor)
    if before is not None and goes_on(before, rollout, tick, now, source):
        return before
    return Watch(source=source, tick=tick, looked=now, weight=rollout.weight, since=now)


def usable(watch: Watch, arrived: int, settle_s: float) -> range:
    """The beginnings of the minutes that may be told now: proven, settled, `arrived` and not told yet."""
    first = max(-int(-(watch.since + settle_s) // MINUTE_S) * MINUTE_S, watch.told)
    return range(first, min(arrived, minute_of(watch.looked)), MINUTE_S)


def moved(watch: Watch, minutes: range, *, arrived: int, tick: int, now: float) -> Watch:
    """The watch after a look that has told `minutes`."""
    told = minutes.stop if minutes else watch.told
    return replace(watch, tick=tick, looked=now, told=told, asked=max(watch.asked, arrived))


def encode(watch: Watch) -> str:
    """The watch as a rollout's cursor."""
    return json.dumps(asdict(watch))


def minute_of(moment: float) -> int:
    """The beginning of the minute in which `moment` lies."""
    return int(moment // MINUTE_S) * MINUTE_S


def series_of(role: Role, variant: str, limit_ms: float, errors: Errors) -> dict[str, Series]:
    """What is asked of one arm. A trimmed count TC(x:y) has the values above x, and y itself still belongs to it.

    Both sides of the limit are asked: so a value that is missing can be told from none, and a limit that CloudWatch
    understands otherwise is seen. ModelLatency is in microseconds.
    """
    limit = round(limit_ms * 1000)
    asked = {
        "requests": ("Invocations", "Sum"),
        "errors": (_METRIC_OF[errors], "Sum"),
        "timed": ("ModelLatency", "SampleCount"),
        "fast": ("ModelLatency", f"TC(:{limit})"),
        "slow": ("ModelLatency", f"TC({limit}:)"),
    }
    return {
        f"{role}_{name}": Series(of=role, variant=variant, metric=metric, stat=stat)
        for name, (metric, stat) in asked.items()
    }


def counts_of(role: Role, at: int, series: Mapping[str, Series], points: Mapping[str, Points]) -> Counts:
    """What this arm has counted in the minute that begins `at`. WorldFailed where its series contradict each other.

    No point in any series is no request: SageMaker tells of requests only. An arm of which every request failed need
    not have answered any.
    """
    asked = {name: f"{role}_{name}" for name in ("requests", "errors", "timed", "fast", "slow")}
    found = {name: whole(points[key][at], series[key]) if at in points[key] else None for name, key in asked.items()}
    if all(count is None for count in found.values()):
        return _NOTHING
    requests, errors = found["requests"], found["errors"]
    if requests is None or errors is None:
        missing = "requests" if requests is None else "errors"
        raise _contradiction(role, at, f"{series[asked[missing]].metric} has no point, and other metrics have")
    if errors > requests:
        raise _contradiction(role, at, f"{errors} errors of {requests} requests")
    timed, slow = _timed(found)
    if slow is None or (not timed and errors < requests):
        fast = found["fast"]
        what = f"{requests - errors} requests went well, {found['timed']} were timed, {fast} fast, {found['slow']} slow"
        raise _contradiction(role, at, what)
    return Counts(requests=requests, bad=errors, timed=timed, slow=slow)


def _timed(found: Mapping[str, int | None]) -> tuple[int, int | None]:
    """How many were timed, and how many of them were slow; None for what does not add up.

    A trimmed count may have no point where it would be 0: then the other side has to have them all.
    """
    timed = found["timed"] or 0
    slow = found["slow"] or 0
    return timed, slow if (found["fast"] or 0) + slow == timed else None


def _contradiction(role: Role, at: int, what: str) -> WorldFailed:
    minute = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return WorldFailed(
        f"cloudwatch: the metrics of {role} in the minute {minute} contradict each other: {what}",
        fix="metrics that come late are one cause: a longer evidence.delay helps. That minute is left out",
    )


def _decode(cursor: str) -> Watch | None:
    """The watch in `cursor`; None for what another source has left there."""
    try:
        return Watch(**json.loads(cursor))
    except (ValueError, TypeError):
        return None
