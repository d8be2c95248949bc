"""Live evidence from the counters of an Envoy: our own gateway's, or one that somebody else runs.

A try that another arm rescued is in `upstream_rq_total` of its cluster and in no counter of statuses, and one that
found no connection is only in `upstream_rq_pending_failure_eject`. An answer that breaks off is in `upstream_rq_2xx`,
but not in the histogram `upstream_rq_time`. Envoy adds to that histogram every few seconds only
(`stats_flush_interval`), so what had been answered one such interval ago and is not in it now has broken off: never
too many, told a little late.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

from annotated_types import MinLen, Predicate

from gatewright.adapters.metrics import by_weight, counted
from gatewright.adapters.metrics.by_weight import Counts
from gatewright.adapters.metrics.counted import Reading
from gatewright.adapters.metrics.placeholders import ROLES, Role, Template, filled, values_of
from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.duration import Duration
from gatewright.domain.errors import GatewrightError, WorldFailed
from gatewright.domain.evidence import History, Look
from gatewright.domain.rollout import Rollout
from gatewright.effects.asking import ask
from gatewright.effects.service_addresses import server_address
from gatewright.ports import Context

_COUNTERS = ("total", "2xx", "3xx", "4xx", "active", "pending_failure_eject")
_TIME = "time"
_UPTIME = "server.uptime"
_FEWEST_FOR_P99 = 300
_SLOW_WITHOUT_HISTORY_MS = 1000.0
_NEVER_SLOW_MS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Section `evidence` with `kind: envoy-stats`.

    `url` is the address of Envoy's admin interface, by default that of the gateway that Gatewright runs; `cluster` the
    name that an arm's cluster has there. A request is slow above `slow_above`, which is the end of one of Envoy's
    buckets. What was counted within `settle` after a change of weight is left out; it is longer than
    `stats_flush_interval`.
    """

    url: Annotated[str, Predicate(server_address)] | None = None
    cluster: Annotated[str, MinLen(1), Template()] = "{arm}"
    slow_above: Duration | None = None
    settle: Duration = Duration(10.0)
    timeout: Duration = Duration(2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The counters of one cluster, and how many requests were answered within each limit, in milliseconds.

    `uptime_s` is that of its Envoy, where it tells of it.
    """

    counters: Mapping[str, int]
    within: Mapping[float, int]
    uptime_s: int | None = None

    @property
    def requests(self) -> int:
        """Tries that have ended, one way or another."""
        counters = self.counters
        return max(counters["total"] + counters["pending_failure_eject"] - counters["active"], 0)

    @property
    def answered(self) -> int:
        """Those that ended with an answer that is no server error."""
        return sum(self.counters[name] for name in ("2xx", "3xx", "4xx"))

    @property
    def timed(self) -> int:
        """Those whose answer came to its end, as far as Envoy has added them up."""
        return max(self.within.values(), default=0)


class EnvoyStats:
    """Port `MetricSource` on the admin interface of one Envoy."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._context = context
        self._source = f"envoy-stats {sha256(canonical_json(options))}"

    def history(self, rollout: Rollout) -> History:
        """All that stable's cluster has counted. How long that took is not known, so neither is its traffic.

        The limit L is `slow_above`; else the end of the bucket with stable's p99, at least 20 ms; with fewer than 300
        answers one second.
        """
        stable = self._clusters(rollout, ("stable",))["stable"]
        limit = self._limit(stable)
        requests = stable.requests
        return History(
            requests=requests,
            errors=min(max(requests - stable.answered, 0), requests),
            # Errors have as many requests as latency in a history: what was not timed is not slow.
            slow=min(stable.timed - stable.within[limit], requests),
            slow_after_ms=limit,
        )

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """Blocks from one look to the next at one weight; every fault makes the look fail."""
        now = self._context.clock.now().timestamp()
        watch = counted.going_on(rollout, tick, now, self._source)
        if not rollout.weight:
            return Look(cursor=counted.encode(watch))
        try:
            before = watch.readings[-1] if watch.readings else None
            reading = self._reading(rollout, now, before)
            settle_s = self._options.settle.seconds
            watch, pairs = counted.closed(watch, reading, tick=tick, now=now, settle_s=settle_s)
            seen = tuple(counted.observations(rollout, pairs))
        except GatewrightError as error:
            return Look(cursor=rollout.cursor, error=str(error))
        return Look(cursor=counted.encode(watch), observations=seen, requests=by_weight.requests(seen))

    def _reading(self, rollout: Rollout, now: float, before: Reading | None) -> Reading:
        clusters = self._clusters(rollout, ROLES)
        limit = rollout.slow_after_ms
        notes = _went_on(clusters["stable"].uptime_s, before, now, self._options.settle.seconds)
        found: dict[Role, Counts] = {}
        for role, cluster in clusters.items():
            if limit is None or limit not in cluster.within:
                raise WorldFailed(
                    f"envoy: no bucket of {role} ends at this rollout's limit of {limit} ms",
                    fix="start a new rollout: this one took its limit from another source",
                )
            notes[f"total of {role}"] = cluster.counters["total"]
            notes |= _broken(role, cluster, before, now, self._options.settle.seconds)
            found[role] = _counts(role, cluster, limit, notes[f"broken of {role}"], before)
        return Reading(at=now, oldest=now, canary=found["canary"], stable=found["stable"], notes=notes)

    def _limit(self, stable: Cluster) -> float:
        ends = sorted(stable.within)
        wanted = self._options.slow_above
        if wanted is not None:
            limit = wanted.seconds * 1000
            if limit not in ends:
                raise WorldFailed(
                    f"envoy: no bucket ends at slow_above, {limit:g} ms: {', '.join(f'{end:g}' for end in ends)}",
                    fix="choose one of these, or set Envoy's histogram_bucket_settings",
                )
            return limit
        least = _SLOW_WITHOUT_HISTORY_MS
        if stable.timed >= _FEWEST_FOR_P99:
            p99 = next(end for end in ends if stable.within[end] >= 0.99 * stable.timed)
            least = max(p99, _NEVER_SLOW_MS)
        return next((end for end in ends if end >= least), ends[-1])

    def _clusters(self, rollout: Rollout, roles: tuple[Role, ...]) -> dict[Role, Cluster]:
        names = {role: filled(self._options.cluster, values_of(rollout, role)) for role in roles}
        either = "|".join(map(re.escape, names.values()))
        of_clusters = rf"cluster\.({either})\.upstream_rq_({'|'.join((*_COUNTERS, _TIME))})"
        pattern = rf"^({of_clusters}|{re.escape(_UPTIME)})$"
        query = f"/stats?format=json&histogram_buckets=cumulative&filter={quote(pattern, safe='')}"
        answer = ask(f"{self._address()}{query}", timeout_s=self._options.timeout.seconds)
        if answer.status != 200:
            raise WorldFailed(f"envoy: its statistics were answered with status {answer.status}", fix="see its log")
        counters, histograms = _parsed(answer.body)
        found = {role: _cluster(name, role, counters, histograms) for role, name in names.items()}
        return _timed(found)

    def _address(self) -> str:
        if self._options.url is not None:
            return self._options.url.rstrip("/")
        try:
            address = (self._context.gateway_folder / "admin.address").read_text().strip()
        except OSError as error:
            raise WorldFailed("envoy: the gateway is not up", fix="gatewright serve start") from error
        return f"http://{address}"


def _went_on(uptime_s: int | None, before: Reading | None, now: float, flush_s: float) -> dict[str, int]:
    """The mark by which a restart is found whose counters are beyond the old ones already; WorldFailed after one.

    Envoy sets its uptime as seldom as it fills its histograms.
    """
    if uptime_s is None:
        return {}
    known = before.notes.get("uptime") if before else None
    if before is not None and known is not None and uptime_s < known + (now - before.at) - flush_s - 1.0:
        raise _anew("this Envoy")
    return {"uptime": uptime_s}


def _anew(what: str) -> WorldFailed:
    return WorldFailed(
        f"envoy: the counters of {what} began anew: a restart? What was counted meanwhile is left out",
        fix="nothing is to be done unless it happens again and again",
    )


def _broken(role: Role, cluster: Cluster, before: Reading | None, now: float, flush_s: float) -> dict[str, int]:
    """Answers of this arm that broke off so far, and the mark by which the next ones are found."""
    mark = {f"answered of {role}": cluster.answered, f"marked of {role}": int(now)}
    if before is None:
        return {f"broken of {role}": 0, **mark}
    known, marked = before.notes[f"broken of {role}"], before.notes[f"marked of {role}"]
    answered = before.notes[f"answered of {role}"]
    if now - marked < flush_s:
        return {f"broken of {role}": known, f"answered of {role}": answered, f"marked of {role}": marked}
    return {f"broken of {role}": max(answered - cluster.timed, known), **mark}


def _counts(role: Role, cluster: Cluster, limit: float, broken: int, before: Reading | None) -> Counts:
    """Counters of one moment are not read in one moment: what seems to fall by a few stays until it has risen.

    WorldFailed after a restart.
    """
    old = before.of(role) if before else Counts(requests=0, bad=0, timed=0, slow=0)
    total = before.notes[f"total of {role}"] if before else 0
    if cluster.counters["total"] < total or cluster.timed < old.timed:
        raise _anew(role)
    requests = max(cluster.requests, old.requests)
    bad = min(max(requests - cluster.answered + broken, old.bad), old.bad + requests - old.requests)
    return Counts(requests=requests, bad=bad, timed=cluster.timed, slow=cluster.timed - cluster.within[limit])


def _parsed(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Counters and histograms by name."""
    try:
        entries = json.loads(body)["stats"]
        plain = {entry["name"]: entry["value"] for entry in entries if "name" in entry}
        lists = [found for entry in entries if "histograms" in entry for found in entry["histograms"]]
        return plain, {found["name"]: found["buckets"] for found in lists}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WorldFailed(
            "envoy: its statistics are not those of an Envoy: is url the address of its admin interface?",
            fix="ask the same with curl: URL/stats?format=json",
        ) from error


def _cluster(name: str, role: Role, counters: Mapping[str, Any], histograms: Mapping[str, Any]) -> Cluster:
    prefix = f"cluster.{name}.upstream_rq_"
    if f"{prefix}total" not in counters:
        raise WorldFailed(
            f"envoy: there is no cluster {name!r} ({role}): no data, which is not the same as no requests",
            fix="is cluster written as Envoy names it?",
        )
    # A class of statuses has no counter before the first answer with one.
    found = {counter: _count(f"{prefix}{counter}", counters.get(f"{prefix}{counter}", 0)) for counter in _COUNTERS}
    within: dict[float, int] = {}
    for bucket in histograms.get(f"{prefix}{_TIME}", ()):
        end = bucket.get("upper_bound") if isinstance(bucket, dict) else None
        if not isinstance(end, (int, float)) or isinstance(end, bool) or not end > 0:
            raise WorldFailed(f"envoy: a bucket of {prefix}{_TIME} has no end", fix="Envoy 1.25 or later is needed")
        within[float(end)] = _count(f"{prefix}{_TIME}", bucket.get("cumulative"))
    uptime_s = _count(_UPTIME, counters[_UPTIME]) if _UPTIME in counters else None
    return Cluster(counters=found, within=within, uptime_s=uptime_s)


def _timed(clusters: dict[Role, Cluster]) -> dict[Role, Cluster]:
    """The clusters; one that has no histogram yet has timed nothing, which only the canary's may have for long.

    WorldFailed when nothing was timed at all, or nothing of a stable arm that has answered.
    """
    ends = next((cluster.within for cluster in clusters.values() if cluster.within), {})
    stable = clusters["stable"]
    if not ends or (stable.answered and not stable.within):
        raise WorldFailed(
            "envoy: no answer of stable is in the histogram upstream_rq_time: latency cannot be seen",
            fix="is there traffic, and does stats_config of this Envoy include it?",
        )
    nothing = dict.fromkeys(ends, 0)
    return {role: cluster if cluster.within else replace(cluster, within=nothing) for role, cluster in clusters.items()}


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WorldFailed(f"envoy: {name} is {value!r:.80}, which is no count", fix="is this an Envoy?")
    return value
