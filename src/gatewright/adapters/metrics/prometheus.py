"""Live evidence from a Prometheus: errors and slow answers of both arms, as differences of their counters.

The counters are read as they are, at moments that are set here, and subtracted here: `increase()` and `rate()`
extrapolate to the edges of their range, so what they say is no count. An edge is a multiple of the interval between
looks, read one scrape interval later, when every sample up to it has arrived; nobody chooses it by what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from annotated_types import MinLen, Predicate

from gatewright.adapters.metrics import by_weight, counted
from gatewright.adapters.metrics.by_weight import Counts
from gatewright.adapters.metrics.counted import Reading, Watch
from gatewright.adapters.metrics.placeholders import ROLES, Role, filled, values_of
from gatewright.adapters.metrics.prometheus_server import Asked, PrometheusServer
from gatewright.adapters.metrics.promql import BucketQuery, Query, limit_values, selectors
from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.duration import Duration
from gatewright.domain.errors import GatewrightError, WorldFailed
from gatewright.domain.evidence import History, Look
from gatewright.domain.rollout import Rollout
from gatewright.effects.service_addresses import server_address
from gatewright.ports import Context
from gatewright.rules.evidence import interval_s

_STALE_SCRAPES = 3.0
_HISTORY_STEPS = 120
_TARGETS = "(count(count by (job, instance) ({})) or vector(0))"
_RESETS = "(sum(resets({})) or vector(0))"
_ANEW = "began anew: a restart?"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def variable_name(text: str) -> bool:
    """The name of an environment variable, never the token itself: letters, digits and _."""
    return _VARIABLE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """Counters of one arm, each one number: all requests, those that went well (or those that failed), fast ones.

    `good` is the safer of the two: misspelt, it lets nothing pass.
    """

    total: Annotated[str, MinLen(1), Query()]
    good: Annotated[str, MinLen(1), Query()] | None = None
    errors: Annotated[str, MinLen(1), Query()] | None = None
    fast: Annotated[str, MinLen(1), BucketQuery()]

    def __post_init__(self) -> None:
        """ValueError unless it says either what went well or what failed."""
        if (self.good is None) == (self.errors is None):
            raise ValueError("needs one of good and errors")

    def written(self) -> dict[str, str]:
        """Those that are there, by name."""
        found = {"total": self.total, "good": self.good, "errors": self.errors, "fast": self.fast}
        return {name: query for name, query in found.items() if query is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Section `evidence` with `kind: prometheus`.

    A request is slow above `slow_above`, which is the bucket that `fast` names. What was counted within `settle` after
    a change of weight is left out. `history` is how far stable's past reaches. All queries of a look take at most
    `timeout`. The token is the value of the environment variable `token_variable`.
    """

    url: Annotated[str, Predicate(server_address)]
    queries: Queries
    slow_above: Duration
    scrape_interval: Duration
    settle: Duration = Duration(5.0)
    history: Duration = Duration(3600.0)
    timeout: Duration = Duration(5.0)
    token_variable: Annotated[str, Predicate(variable_name)] | None = None


class Prometheus:
    """Port `MetricSource` on somebody's own Prometheus."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self._clock = context.clock
        self._server = PrometheusServer(
            url=options.url.rstrip("/"), token_variable=options.token_variable, timeout_s=options.timeout.seconds
        )
        self._source = f"prometheus {sha256(canonical_json(options))}"

    def history(self, rollout: Rollout) -> History:
        """Stable's requests within `history`, as far as its counters went on. WorldFailed without any counter."""
        self._server.begin()
        scrape_s = self._options.scrape_interval.seconds
        end = self._clock.now().timestamp() - scrape_s
        queries = self._queries(rollout, "stable")
        self._read(rollout, "stable", end)
        length = self._options.history.seconds
        step = max(length / _HISTORY_STEPS, 2 * scrape_s)
        words = {
            **queries,
            "targets": _joined(_TARGETS, queries["total"]),
            "resets": _joined(_RESETS, queries["total"], within_s=step + scrape_s),
        }
        asked = {name: Asked(name=f"{name} of stable", query=query) for name, query in words.items()}
        found = {
            name: self._server.counts(each, start=end - length, end=end, step=step) for name, each in asked.items()
        }
        steps = list(_steps(found))
        requests = sum(counts.requests for counts, _ in steps)
        bad, slow = sum(counts.bad for counts, _ in steps), sum(counts.slow for counts, _ in steps)
        if requests and bad == requests and "good" in queries:
            raise WorldFailed(
                f"prometheus: good counted none of stable's last {requests} requests: is it what the server has?",
                fix="ask the same in the web interface of the server",
            )
        return History(
            requests=requests,
            errors=bad,
            slow=slow,
            slow_after_ms=self._options.slow_above.seconds * 1000,
            per_second=requests / sum(seconds for _, seconds in steps) if requests else None,
        )

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """Blocks between edges at which the weight was one and the same; every fault makes the look fail."""
        now = self._clock.now().timestamp()
        watch = counted.going_on(rollout, tick, now, self._source)
        if not rollout.weight:
            return Look(cursor=counted.encode(watch))
        edge_s = interval_s(rollout.policy)
        at = (now - self._options.scrape_interval.seconds) // edge_s * edge_s
        settle_s = self._options.settle.seconds
        try:
            self._same_limit(rollout)
            self._server.begin()
            new = not watch.readings or at > watch.readings[-1].at
            reading = self._reading(rollout, at, watch) if new else None
            watch, pairs = counted.closed(watch, reading, tick=tick, now=now, settle_s=settle_s)
            seen = tuple(counted.observations(rollout, pairs))
        except GatewrightError as error:
            return Look(cursor=rollout.cursor, error=str(error))
        return Look(cursor=counted.encode(watch), observations=seen, requests=by_weight.requests(seen))

    def _same_limit(self, rollout: Rollout) -> None:
        limit = self._options.slow_above.seconds * 1000
        if rollout.slow_after_ms != limit:
            raise WorldFailed(
                f"prometheus: this rollout's limit is {rollout.slow_after_ms} ms, and slow_above {limit:g} ms",
                fix="write the limit that it began with, or start a new rollout",
            )

    def _reading(self, rollout: Rollout, at: float, watch: Watch) -> Reading:
        before = watch.readings[-1] if watch.readings else None
        found = {role: self._read(rollout, role, at, watch.newest) for role in ROLES}
        notes = {f"targets of {role}": targets for role, (_, _, targets) in found.items()}
        reading = Reading(
            at=at,
            oldest=min(oldest for _, oldest, _ in found.values()),
            canary=found["canary"][0],
            stable=found["stable"][0],
            notes=notes,
        )
        if before is not None:
            for role in ROLES:
                self._went_on(rollout, role, before, reading)
        return reading

    def _read(self, rollout: Rollout, role: Role, at: float, known: Reading | None = None) -> tuple[Counts, float, int]:
        """Counts of one arm at `at`, when the oldest of their samples was taken, and how many targets they are of.

        WorldFailed for a counter that had a value in `known` and has none now, although the same targets count on.
        """
        queries = self._queries(rollout, role)
        found = {
            name: self._server.count(Asked(name=f"{name} of {role}", query=query), at)
            for name, query in queries.items()
        }
        total, fast = found["total"], found["fast"]
        if total is None:
            raise WorldFailed(
                f"prometheus: total of {role} has no value: no data, which is not the same as no requests",
                fix="has it been scraped already? ask the same in the web interface of the server",
            )
        if fast is None:
            raise WorldFailed(
                f"prometheus: fast of {role} has no value, although total has: is there a bucket with this le?",
                fix="ask the same in the web interface of the server",
            )
        good = total - (found["errors"] or 0) if "errors" in found else found["good"] or 0
        if not (0 <= good <= total and fast <= total):
            raise WorldFailed(
                f"prometheus: of {total} requests of {role} {good} went well and {fast} were fast: that cannot be",
                fix="count all of them at one place: the same servers, the same paths",
            )
        oldest = self._oldest(queries, role, at)
        asked = Asked(name=f"targets of {role}", query=_joined(_TARGETS, queries["total"]))
        targets = self._server.count(asked, at) or 0
        gone = _gone(found, known.of(role)) if known and total >= known.of(role).requests else None
        if known and gone and not self._began(rollout, role, known, at, targets):
            raise WorldFailed(
                f"prometheus: {gone} of {role} has no value any more: no data, which is not the same as none",
                fix="ask the same in the web interface of the server",
            )
        return Counts(requests=total, bad=total - good, timed=total, slow=total - fast), oldest, targets

    def _oldest(self, queries: Mapping[str, str], role: Role, at: float) -> float:
        times = []
        for selector in dict.fromkeys(selector for query in queries.values() for selector in selectors(query)):
            asked = Asked(name=f"the time of {selector}", query=f"min(timestamp({selector}))")
            taken = self._server.number(asked, at)
            if taken is not None:
                times.append(taken)
        scrape_s = self._options.scrape_interval.seconds
        if not times or at - min(times) > _STALE_SCRAPES * scrape_s:
            age = f"are {at - min(times):.3g} s old" if times else "have no time"
            raise WorldFailed(
                f"prometheus: samples of {role} {age}, with one each {scrape_s:g} s: stale",
                fix="is its target up, and scrape_interval what the server has?",
            )
        return min(times)

    def _went_on(self, rollout: Rollout, role: Role, before: Reading, after: Reading) -> None:
        """WorldFailed when a target of this arm began anew, vanished or came since `before`."""
        fell = any(new < old for old, new in zip(_numbers(before, role), _numbers(after, role), strict=True))
        began = self._began(rollout, role, before, after.at, after.notes[f"targets of {role}"])
        if fell or began:
            raise WorldFailed(
                f"prometheus: the counters of {role} {began or _ANEW} What was counted meanwhile is left out",
                fix="nothing is to be done unless it happens again and again",
            )

    def _began(self, rollout: Rollout, role: Role, before: Reading, at: float, targets: int) -> str:
        """What the targets of this arm have done since `before`; empty when they are the same and counted on."""
        total = self._queries(rollout, role)["total"]
        within_s = at - before.oldest
        asked = Asked(name=f"resets of {role}", query=_joined(_RESETS, total, within_s=within_s))
        if self._server.count(asked, at):
            return _ANEW
        asked = Asked(
            name=f"targets of {role}", query=_joined(_TARGETS, total, within_s=within_s, over="count_over_time({})")
        )
        there = {before.notes[f"targets of {role}"], targets, self._server.count(asked, at)}
        return "are of other targets than before" if len(there) > 1 else ""

    def _queries(self, rollout: Rollout, role: Role) -> dict[str, str]:
        values = {**values_of(rollout, role), **limit_values(self._options.slow_above.seconds)}
        return {name: filled(query, values) for name, query in self._options.queries.written().items()}


def _gone(found: Mapping[str, int | None], known: Counts) -> str | None:
    """The counter that had a value and has none."""
    had = {"good": known.requests - known.bad, "errors": known.bad}
    return next((name for name, count in had.items() if count and found.get(name, 0) is None), None)


def _numbers(reading: Reading, role: Role) -> tuple[int, ...]:
    counts = reading.of(role)
    return counts.requests, counts.requests - counts.bad, counts.bad, counts.timed - counts.slow, counts.slow


def _steps(found: Mapping[str, Mapping[float, int]]) -> Iterator[tuple[Counts, float]]:
    """What was counted between neighbouring points of stable's past, and in how many seconds; not over a restart."""
    total, targets, resets = found["total"], found["targets"], found["resets"]
    for before, after in pairwise(sorted(total)):
        here = [{name: points.get(at) for name, points in found.items()} for at in (before, after)]
        if targets.get(before) != targets.get(after) or resets.get(after) or any(None in (at["fast"],) for at in here):
            continue
        old, new = ({name: value or 0 for name, value in at.items()} for at in here)
        grown = {name: new[name] - old[name] for name in found if name not in ("targets", "resets")}
        bad = grown["errors"] if "errors" in grown else grown["total"] - grown["good"]
        slow = grown["total"] - grown["fast"]
        if min(*grown.values(), bad, slow) >= 0 and bad <= grown["total"]:
            yield Counts(requests=grown["total"], bad=bad, timed=grown["total"], slow=slow), after - before


def _joined(form: str, query: str, *, within_s: float | None = None, over: str = "{}") -> str:
    """`form` of every selector of `query`, added up; over a range that reaches `within_s` back."""
    span = "" if within_s is None else f"[{round(within_s * 1000) + 1}ms]"
    return " + ".join(form.format(over.format(f"{selector}{span}")) for selector in selectors(query))
