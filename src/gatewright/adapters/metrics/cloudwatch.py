"""Live evidence from CloudWatch: what SageMaker counts, minute by minute, of the production variants of an endpoint.

Each version is a variant with a name of its own, `domain.routing.cluster_name`, which it keeps over rollouts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen, Predicate

from gatewright.adapters.metrics import by_weight, latency_limit, minutes
from gatewright.adapters.metrics.by_weight import Counts
from gatewright.adapters.metrics.metric_data import MetricData, Points, Series
from gatewright.adapters.metrics.minutes import MINUTE_S, Errors, counts_of, minute_of, series_of
from gatewright.adapters.metrics.placeholders import ROLES, Role
from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.duration import Duration
from gatewright.domain.errors import GatewrightError, WorldFailed
from gatewright.domain.evidence import History, Look
from gatewright.domain.rollout import Rollout
from gatewright.domain.routing import cluster_name
from gatewright.ports import Context

_ENDPOINT = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_LONGEST_S = 14 * 86400.0
_LONGEST_PERIOD_S = 86400
_HOUR_S = 3600


def endpoint_name(text: str) -> bool:
    """Letters, digits and single hyphens inside, at most 63: people-model."""
    return _ENDPOINT.fullmatch(text) is not None


def length_from_a_minute(duration: Duration) -> bool:
    """At least 1m."""
    return duration.seconds >= MINUTE_S


def length_from_a_minute_to_14_days(duration: Duration) -> bool:
    """CloudWatch keeps minutes for 15 days."""
    return MINUTE_S <= duration.seconds <= _LONGEST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Section `evidence` with `kind: cloudwatch`.

    `endpoint`: else the model's name. `region`: else the environment's. `errors` are all requests that were not
    answered with 2XX, or those answered with 5XX. A minute is read `delay` after its end; what was counted within
    `settle` after a change of weight is left out. When neither version has shown a request for `silence`, the look has
    failed. `history` is how far stable's past reaches. `timeout`: for an answer.
    """

    endpoint: Annotated[str, Predicate(endpoint_name)] | None = None
    region: Annotated[str, MinLen(1)] | None = None
    errors: Errors = "model-errors"
    delay: Annotated[Duration, Predicate(length_from_a_minute)] = Duration(120.0)
    settle: Duration = Duration(60.0)
    silence: Annotated[Duration, Predicate(length_from_a_minute_to_14_days)] = Duration(300.0)
    history: Annotated[Duration, Predicate(length_from_a_minute_to_14_days)] = Duration(3600.0)
    timeout: Duration = Duration(10.0)


class CloudWatch:
    """Port `MetricSource` on the metrics of one SageMaker endpoint."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options, self._clock = options, context.clock
        endpoint = options.endpoint or context.model
        self._metrics = MetricData(endpoint=endpoint, region=options.region, timeout_s=options.timeout.seconds)
        self._source = f"cloudwatch {endpoint} {sha256(canonical_json(options))}"

    def history(self, rollout: Rollout) -> History:
        """Stable's minutes within `history`; one that contradicts itself is left out. WorldFailed without any request.

        The limit L is the configured one, else stable's p99, but at least the floor; of fewer than 300 one second.
        """
        end = self._arrived(self._clock.now().timestamp())
        start = end - minute_of(self._options.history.seconds)
        limit_ms = self._limit_ms(rollout, start, end)
        asked = self._series(rollout, "stable", limit_ms)
        points = self._metrics.points(asked, start=start, end=end, period=MINUTE_S)
        past = _past(asked, points, range(start, end, MINUTE_S))
        requests = sum(counts.requests for counts in past.values())
        if not requests:
            raise self._nothing("stable has shown no request", self._options.history)
        return History(
            requests=requests,
            errors=sum(counts.bad for counts in past.values()),
            # Errors have as many requests as latency in a history: what was not timed is not slow.
            slow=min(sum(counts.slow for counts in past.values()), requests),
            slow_after_ms=limit_ms,
            per_second=_per_second(past, end),
        )

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """Blocks of the minutes that have become usable; every fault makes the look fail, and nothing is told twice."""
        now = self._clock.now().timestamp()
        watch = minutes.going_on(rollout, tick, now, self._source)
        if not rollout.weight:
            return Look(cursor=minutes.encode(watch))
        arrived = self._arrived(now)
        told = minutes.usable(watch, arrived, self._options.settle.seconds)
        try:
            # A look without anything new asks nothing, for each metric costs; the first of a span shows that it can be.
            counted = self._counted(rollout, told, arrived) if told or arrived > watch.asked else ()
            seen = tuple(by_weight.blocks(rollout, counted))
        except GatewrightError as error:
            return Look(cursor=rollout.cursor, error=str(error))
        watch = minutes.moved(watch, told, arrived=arrived, tick=tick, now=now)
        return Look(cursor=minutes.encode(watch), observations=seen, requests=by_weight.requests(seen))

    def _counted(self, rollout: Rollout, told: range, arrived: int) -> tuple[tuple[int, Counts, Counts], ...]:
        """Both arms in each minute of `told`. WorldFailed when neither has a point of late."""
        limit_ms = latency_limit.frozen_ms(rollout)
        asked = {key: series for role in ROLES for key, series in self._series(rollout, role, limit_ms).items()}
        recent = arrived - max(minute_of(self._options.silence.seconds), MINUTE_S)
        start = min(told.start, recent) if told else recent
        points = self._metrics.points(asked, start=start, end=arrived, period=MINUTE_S)
        if not any(at >= recent for found in points.values() for at in found):
            raise self._nothing("neither version has shown a request", self._options.silence)
        return tuple(
            (at, counts_of("canary", at, asked, points), counts_of("stable", at, asked, points)) for at in told
        )

    def _limit_ms(self, rollout: Rollout, start: int, end: int) -> float:
        latency = rollout.policy.latency
        if latency.limit is not None:
            return latency_limit.of_stable_ms(latency, timed=0, p99_ms=None)
        asked = {
            key: Series(of="stable", variant=cluster_name(rollout.stable or ""), metric="ModelLatency", stat=stat)
            for key, stat in (("timed", "SampleCount"), ("p99", "p99"))
        }
        period = min(end - start, _LONGEST_PERIOD_S)
        found = self._metrics.points(asked, start=start, end=end, period=period)
        timed, p99 = found["timed"], found["p99"]
        if timed.keys() != p99.keys():
            raise WorldFailed(
                f"cloudwatch: {asked['p99']} has {len(p99)} points, and {asked['timed']} {len(timed)}: no limit",
                fix="try again, or set rollout.latency.limit",
            )
        typical = _median(p99, timed)
        in_ms = None if typical is None else round(typical) / 1000
        return latency_limit.of_stable_ms(latency, timed=int(sum(timed.values())), p99_ms=in_ms)

    def _series(self, rollout: Rollout, role: Role, limit_ms: float) -> dict[str, Series]:
        digest = (rollout.canary if role == "canary" else rollout.stable) or ""
        return series_of(role, cluster_name(digest), limit_ms, self._options.errors)

    def _arrived(self, now: float) -> int:
        """The end of the last minute of which the metrics have arrived."""
        return minute_of(now - self._options.delay.seconds)

    def _nothing(self, what: str, within: Duration) -> WorldFailed:
        where = f"the endpoint {self._metrics.endpoint} in {self._metrics.region}"
        return WorldFailed(
            f"cloudwatch: {what} on {where} for {within}: no data, which is not the same as no error",
            fix="is there traffic? has the endpoint a variant for each version? is evidence.delay long enough?",
        )


def _past(asked: Mapping[str, Series], points: Mapping[str, Points], past: range) -> dict[int, Counts]:
    """Stable's minutes; WorldFailed when none of those with a point is without contradiction."""
    counted: dict[int, Counts] = {}
    refused: WorldFailed | None = None
    for at in past:
        try:
            counted[at] = counts_of("stable", at, asked, points)
        except WorldFailed as error:
            refused = error
    if refused is not None and not any(counts.requests for counts in counted.values()):
        raise refused
    return counted


def _median(values: Points, weights: Points) -> float | None:
    """The value with half of the weights at or below it; of one value itself, of two that with the larger weight.

    CloudWatch divides the past at its own edges, so that a period may come in two parts.
    """
    half, below = sum(weights[at] for at in values) / 2, 0.0
    for value, weight in sorted((value, weights[at]) for at, value in values.items()):
        below += weight
        if below >= half:
            return value
    return None


def _per_second(past: Mapping[int, Counts], end: int) -> float | None:
    """Requests a second over the last hour, or since the first of them when that is later; None without any."""
    recent = {at: counts.requests for at, counts in past.items() if at >= end - _HOUR_S and counts.requests}
    return sum(recent.values()) / (end - min(recent)) if recent else None
