"""Live evidence from the gateway's access log: errors and slow answers, charged to the arm that was drawn.

A failed try is repeated on the other arm, and the log names only the arm of the last try. The unit of analysis is
the request as it was drawn, so with more than one try the request is charged, as failed, to the *other* arm, and the
rescuing arm gets no credit: its extra requests were chosen by the first arm's failure.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from gatewright.adapters.metrics import latency_limit
from gatewright.adapters.metrics.draws import Drawn, Users, count
from gatewright.adapters.metrics.log_tail import Position, at_end, newest, read_on
from gatewright.adapters.metrics.user_groups import by_group
from gatewright.domain.errors import WorldFailed
from gatewright.domain.evidence import Block, Durations, History, LiveMetric, Look, Observation
from gatewright.domain.rollout import Rollout
from gatewright.domain.routing import TESTER, WHOLE, cluster_name
from gatewright.domain.share import HALF_A_PART, ShareEvidence
from gatewright.ports import Context
from gatewright.rules.evidence import interval_s
from gatewright.stats import durations
from gatewright.stats.sequential import design_effect

_SETTLE_S = 2.5
_HISTORY_BYTES = 8 << 20
_RECENT_S = 3600.0
_CLIENT_LEFT = "DC"
_FEEDBACK = "/feedback"  # labels ask no model: they would only thin the evidence out
# What the server did to an answer that had begun: closed, refused, reset, let it wait, broke the protocol. The status
# says 200 all the same, and no retry is possible any more.
_BROKEN = frozenset(("LR", "UC", "UF", "UPE", "UR", "UT"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The access log has no options of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far the log was read.

    Arrival ticks up to `closed` are told already, as far as their lines stand before `high`; a line that comes
    later opens a block of its own.
    """

    position: Position
    closed: int = -1
    high: int = 0
    users: Users = field(default_factory=Users)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One line of the log; `cluster` answered the last of `attempts` tries. Duration in milliseconds."""

    start_s: float
    route: str
    cluster: str
    attempts: int
    code: int
    duration_ms: float
    user: str | None
    broken: bool

    @property
    def weight(self) -> float:
        """The canary's weight, in per cent, under which this request was routed; 0 outside a rollout's split."""
        parts = self.route.split("|")
        return 100.0 * int(parts[2]) / WHOLE if len(parts) > 2 and parts[2].isdigit() else 0.0

    def drawn(self, arms: tuple[str, str]) -> str:
        """The arm that was drawn for this request: with several tries the one that did not answer the last."""
        if self.attempts < 2 or self.cluster not in arms:
            return self.cluster
        return arms[1] if self.cluster == arms[0] else arms[0]

    @property
    def failed(self) -> bool:
        """A rescued request counts as failed, and so does a server error or an answer that broke off."""
        return self.attempts > 1 or self.code >= 500 or self.code == 0 or self.broken

    def slow(self, limit_ms: float) -> bool:
        """A rescued request counts as slow: its own arm never answered it."""
        return self.attempts > 1 or self.duration_ms > limit_ms


class AccessLog:
    """Port `MetricSource` on the gateway's own log."""

    def __init__(self, options: object, context: Context) -> None:
        self._path = context.access_log
        self._clock = context.clock

    def history(self, rollout: Rollout) -> History:
        """Stable's requests before the rollout, the newest few ten thousand.

        The limit L is the configured one, else the p99 of what it answered at the first try, but at least the floor
        (below, a quieter server alone, with colder caches, looks like a slower model); with fewer than 300 of these one
        second. WorldFailed when the log cannot be read.
        """
        stable = cluster_name(rollout.stable or "")
        mine = [request for request in self._recent() if _was_stable(request, stable)]
        durations = sorted(request.duration_ms for request in mine if request.attempts == 1)
        p99 = durations[int(0.99 * len(durations))] if durations else None
        limit = latency_limit.of_stable_ms(rollout.policy.latency, timed=len(durations), p99_ms=p99)
        failed = [request.failed for request in mine]
        slow = [request.slow(limit) for request in mine]
        users = [request.user for request in mine]
        return History(
            requests=len(mine),
            errors=sum(failed),
            slow=sum(slow),
            slow_after_ms=limit,
            per_second=_per_second([request.start_s for request in mine], self._clock.now().timestamp()),
            design_effects={"errors": _design_effect(users, failed), "latency": _design_effect(users, slow)},
        )

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """Blocks of (arrival tick × weight), told once the requests that arrived in the tick have ended."""
        cursor = _decode(rollout.cursor)
        if cursor is None:
            return Look(cursor=_encode(Cursor(position=at_end(self._path))))
        try:
            position, lines = read_on(self._path, cursor.position)
        except OSError as error:
            return Look(cursor=rollout.cursor, error=f"the access log cannot be read: {error.strerror}")
        tick_s = interval_s(rollout.policy)
        closing = max(int((self._clock.now().timestamp() - _SETTLE_S) // tick_s) - 1, cursor.closed)
        told: dict[tuple[int, float], list[Request]] = defaultdict(list)
        kept, end = None, position.at
        for line in lines:
            end = line.end
            request = _parse(line.text)
            if request is None or not request.route.startswith(f"{rollout.id}|"):
                continue
            arrival = int(request.start_s // tick_s)
            if arrival > closing:
                kept = line.at if kept is None else kept
            elif arrival > cursor.closed or line.at >= cursor.high:
                told[arrival, request.weight].append(request)
        going_on = replace(position, at=end if kept is None else kept)
        draws, users = count(_draws(rollout, told, tick_s), cursor.users, _era(rollout).era)
        return Look(
            cursor=_encode(Cursor(position=going_on, closed=closing, high=max(end, cursor.high), users=users)),
            draws=draws,
            observations=tuple(_observations(rollout, told)),
            durations=_durations(rollout, told),
            requests=sum(map(len, told.values())),
        )

    def _recent(self) -> Iterator[Request]:
        try:
            for line in newest(self._path, _HISTORY_BYTES):
                request = _parse(line)
                if request is not None:
                    yield request
        except OSError as error:
            raise WorldFailed(
                f"the access log cannot be read: {error.strerror}", fix=f"is {self._path} a file of this user?"
            ) from error


def _observations(rollout: Rollout, told: Mapping[tuple[int, float], list[Request]]) -> Iterator[Observation]:
    canary, stable = cluster_name(rollout.canary), cluster_name(rollout.stable or "")
    limit = latency_limit.frozen_ms(rollout)
    for (arrival, weight), requests in sorted(told.items()):
        if not weight:
            continue
        arms: dict[str, list[Request]] = {canary: [], stable: []}
        for request in requests:
            drawn = request.drawn((canary, stable))
            if drawn in arms:
                arms[drawn].append(request)
        judges: dict[LiveMetric, Callable[[Request], bool]] = {
            "errors": lambda request: request.failed,
            "latency": lambda request: request.slow(limit),
        }
        for metric, is_bad in judges.items():
            bad = {arm: sum(map(is_bad, drawn_there)) for arm, drawn_there in arms.items()}
            block = Block(
                canary_n=len(arms[canary]),
                canary_bad=bad[canary],
                stable_n=len(arms[stable]),
                stable_bad=bad[stable],
            )
            groups = by_group((request.user, is_bad(request)) for request in arms[stable])
            yield Observation(metric=metric, weight=weight, tick=arrival, block=block, groups=groups)


def _draws(rollout: Rollout, told: Mapping[tuple[int, float], list[Request]], tick_s: float) -> Iterator[Drawn]:
    """Requests under the present weight for which one of the arms was drawn, as they came."""
    arms = (cluster_name(rollout.canary), cluster_name(rollout.stable or ""))
    era = _era(rollout)
    for (arrival, weight), requests in sorted(told.items()):
        at = arrival * tick_s
        if not weight or abs(weight - era.weight) > HALF_A_PART or at < era.since:
            continue
        for request in requests:
            if (drawn := request.drawn(arms)) in arms:
                yield Drawn(at=at, weight=weight, user=request.user, canary=drawn == arms[0])


def _era(rollout: Rollout) -> ShareEvidence:
    """Since when draws are counted, and under which weight."""
    known = rollout.share
    return known if known and known.weight == rollout.weight else ShareEvidence(weight=rollout.weight)


def _durations(rollout: Rollout, told: Mapping[tuple[int, float], list[Request]]) -> Durations:
    """Of what each arm answered at the first try while the traffic was divided."""
    clusters = cluster_name(rollout.canary), cluster_name(rollout.stable or "")
    found: dict[str, list[float]] = {cluster: [] for cluster in clusters}
    for (_, weight), requests in told.items():
        for request in requests:
            if weight and request.attempts == 1 and request.cluster in found:
                found[request.cluster].append(request.duration_ms)
    canary, stable = (durations.count(found[cluster]) for cluster in clusters)
    return Durations(canary=canary, stable=stable)


def _per_second(starts: list[float], now: float) -> float | None:
    """Requests a second over the last hour, or since the first of them when that is later; None without any."""
    recent = [start for start in starts if start > now - _RECENT_S]
    return len(recent) / max(now - min(recent), 1.0) if recent else None


def _was_stable(request: Request, stable: str) -> bool:
    """Whether `stable` was drawn, as far as one line can tell without knowing the other arm."""
    alone = request.weight == 0
    if request.attempts < 2 or alone:
        return request.cluster == stable
    return request.cluster != stable


def _design_effect(users: Iterable[str | None], bad: Iterable[bool]) -> float:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for user, event in zip(users, bad, strict=True):
        if user is None:
            return 1.0
        counts[user][0] += 1
        counts[user][1] += event
    return design_effect((n, k) for n, k in counts.values())


def _parse(line: bytes) -> Request | None:
    """A request from its line; None for what no arm was drawn for, and for clients that left before the answer."""
    try:
        fields = json.loads(line)
        if fields.get("path") == _FEEDBACK or fields["route"].endswith(f"|{TESTER}"):
            return None
        if not fields["cluster"] or not fields["attempts"] or _CLIENT_LEFT in fields["flags"].split(","):
            return None
        duration = fields["duration_us"]
        return Request(
            start_s=int(fields["start_us"]) / 1e6,
            route=fields["route"],
            cluster=fields["cluster"],
            attempts=int(fields["attempts"]),
            code=int(fields["code"]),
            duration_ms=duration / 1000 if duration is not None else float(fields["duration_ms"]),
            user=fields["user"],
            broken=not _BROKEN.isdisjoint(fields["flags"].split(",")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _encode(cursor: Cursor) -> str:
    return json.dumps(asdict(cursor))


def _decode(text: str) -> Cursor | None:
    """The cursor in `text`; None for what another source has left there."""
    try:
        fields = json.loads(text)
        users = Users(**fields["users"]) if "users" in fields else Users()
        position = Position(**fields["position"])
        return Cursor(position=position, closed=fields["closed"], high=fields["high"], users=users)
    except (ValueError, KeyError, TypeError):
        return None
