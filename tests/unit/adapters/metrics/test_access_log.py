"""The access log as evidence: whose request it was, in which block, and every line exactly once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.adapters.metrics.access_log import AccessLog, Options
from gatewright.domain.duration import Duration
from gatewright.domain.evidence import USER_GROUPS, Durations, Observation
from gatewright.domain.rollout import Breaker, LatencyMargins, Phase, Rollout, RolloutPolicy
from gatewright.domain.routing import cluster_name
from gatewright.domain.share import ShareEvidence
from gatewright.ports import Context
from gatewright.stats import durations
from gatewright.store.database import Database
from gatewright.testing import FakeClock

NEW, OLD = "sha256:" + "a" * 64, "sha256:" + "b" * 64
CANARY, STABLE = cluster_name(NEW), cluster_name(OLD)
TICK_S = 10.0
START_S = 1_800_000_000.0
ROLLOUT = Rollout(
    id="r1",
    model="toy",
    run="run",
    number=2,
    canary=NEW,
    stable=OLD,
    policy=RolloutPolicy(tick=Duration(TICK_S), breaker=Breaker(tick=Duration(TICK_S))),
    started_at=datetime.fromtimestamp(START_S, UTC),
    phase=Phase.PROGRESSING,
    slow_after_ms=100.0,
)


@dataclass
class Log:
    """A log that grows, is rotated, and is read through a cursor."""

    root: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(moment=datetime.fromtimestamp(START_S, UTC)))
    cursor: str = ""

    def __post_init__(self) -> None:
        self.path = self.root / ".gatewright" / "gateway" / "toy" / "access.jsonl"
        self.path.parent.mkdir(parents=True)
        self.path.touch()
        database = Database(self.root / "state.db")
        self.source = AccessLog(Options(), Context(root=self.root, model="toy", database=database, clock=self.clock))

    def write(self, *lines: str) -> None:
        with self.path.open("a") as file:
            file.writelines(lines)

    def rotate(self) -> None:
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self.path.touch()

    def look(self) -> list[Observation]:
        found = self.source.observe(replace(ROLLOUT, cursor=self.cursor), 0)
        assert found.error is None
        self.cursor = found.cursor
        return list(found.observations)

    def errors_at(self, after_s: float) -> list[tuple[int, int, int, int]]:
        """(canary n, bad, stable n, bad) of the error blocks told by a look this long after the start."""
        self.clock.moment = datetime.fromtimestamp(START_S + after_s, UTC)
        blocks = [seen.block for seen in self.look() if seen.metric == "errors"]
        return [(block.canary_n, block.canary_bad, block.stable_n, block.stable_bad) for block in blocks]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    log = Log(tmp_path)
    assert log.look() == []
    return log


def line(at_s: float = 0.0, **changes: Any) -> str:
    fields = {
        "start_us": str(int((START_S + at_s) * 1e6)),
        "duration_us": 5000,
        "duration_ms": 5,
        "cluster": CANARY,
        "code": 200,
        "flags": "-",
        "attempts": 1,
        "route": "r1|3|2500",
        "user": "u1",
        **changes,
    }
    return json.dumps(fields) + "\n"


LATER = 2 * TICK_S + 3


def test_requests_that_were_copied_are_stables_alone_and_no_evidence(log: Log) -> None:
    copied = {"route": "r1|3|0|mirrored", "cluster": STABLE}
    log.write(line(**copied), line(**copied, code=503), line(**copied, attempts=2), line())
    assert log.errors_at(LATER) == [(1, 0, 0, 0)]


def test_what_testers_ask_for_is_no_evidence(log: Log) -> None:
    chosen = {"route": "r1|3|0|tester"}
    log.write(line(**chosen), line(**chosen, code=503), line(**chosen, cluster=STABLE), line())
    assert log.errors_at(LATER) == [(1, 0, 0, 0)]
    assert log.source.history(ROLLOUT).requests == 0


def test_what_the_fallback_rescued_before_the_first_step_is_not_the_canarys(log: Log) -> None:
    log.write(line(route="r1|2|9999", cluster="model-before", attempts=2), line(route="r1|2|9999", cluster=STABLE))
    assert log.errors_at(LATER) == [(0, 0, 1, 0)]


def test_durations_are_those_of_the_first_try_under_a_divided_traffic(log: Log) -> None:
    log.write(line(), line(duration_us=9000), line(cluster=STABLE), line(attempts=2), line(route="r1|2|0"))
    log.clock.moment = datetime.fromtimestamp(START_S + LATER, UTC)
    seen = log.source.observe(replace(ROLLOUT, cursor=log.cursor), 0).durations
    assert seen == Durations(canary=durations.count([5.0, 9.0]), stable=durations.count([5.0]))


def test_labels_that_a_client_brings_are_no_requests_of_an_arm(log: Log) -> None:
    log.write(line(path="/feedback"), line(path="/feedback", code=503), line(path="/predict"))
    assert log.errors_at(LATER) == [(1, 0, 0, 0)]


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({}, (1, 0, 0, 0)),
        ({"cluster": STABLE}, (0, 0, 1, 0)),
        ({"code": 500}, (1, 1, 0, 0)),
        ({"code": 0}, (1, 1, 0, 0)),
        ({"code": 404}, (1, 0, 0, 0)),
        ({"flags": "UPE"}, (1, 1, 0, 0)),  # 200, but the answer broke off
        ({"flags": "UT,UC", "cluster": STABLE}, (0, 0, 1, 1)),
        ({"attempts": 2, "cluster": STABLE}, (1, 1, 0, 0)),  # rescued by stable: the canary failed
        ({"attempts": 2, "cluster": CANARY}, (0, 0, 1, 1)),  # rescued by the canary: stable failed
        ({"attempts": 2, "cluster": STABLE, "code": 503}, (1, 1, 0, 0)),  # both failed: charged to the drawn arm
    ],
)
def test_a_request_is_charged_to_the_arm_that_was_drawn(
    log: Log, fields: dict[str, Any], counted: tuple[int, int, int, int]
) -> None:
    log.write(line(**fields))
    assert log.errors_at(LATER) == [counted]


@pytest.mark.parametrize(
    "skipped",
    [
        line(flags="DC"),
        line(flags="UF,DC"),
        line(cluster=None, attempts=0),
        line(route="another|3|2500"),
        line(cluster="model-of-nobody"),
        "no json\n",
        "[]\n",
        '{"half": \n',
    ],
)
def test_what_tells_nothing_about_an_arm_is_no_evidence(log: Log, skipped: str) -> None:
    log.write(skipped, line())
    assert log.errors_at(LATER) == [(1, 0, 0, 0)]


def test_requests_outside_a_split_are_no_evidence(log: Log) -> None:
    log.write(line(route="r1|3|0", cluster=STABLE))
    assert log.errors_at(LATER) == []


def test_slow_answers_and_rescued_ones_are_bad_for_latency(log: Log) -> None:
    log.write(
        line(), line(duration_us=100_001), line(attempts=2, cluster=STABLE), line(duration_us=None, duration_ms=101)
    )
    log.clock.forward(LATER)
    (block,) = [seen.block for seen in log.look() if seen.metric == "latency"]
    assert (block.canary_n, block.canary_bad) == (4, 3)


def test_users_of_stable_are_counted_by_group_as_long_as_all_are_known(log: Log) -> None:
    users = [f"u{number}" for number in range(200)]
    log.write(line(), *(line(cluster=STABLE, user=user, code=503 if user == "u7" else 200) for user in users))
    log.clock.forward(LATER)
    errors, latency = log.look()
    assert len(errors.groups) == len(latency.groups) == USER_GROUPS
    assert [sum(column) for column in zip(*errors.groups, strict=True)] == [200, 1]
    assert sum(1 for n, _ in errors.groups if n) > USER_GROUPS / 2
    log.write(line(LATER), *(line(LATER, cluster=STABLE, user=user) for user in ("u1", None)))
    log.clock.forward(LATER)
    assert [seen.groups for seen in log.look()] == [(), ()]


def test_a_block_is_an_arrival_tick_at_a_weight_and_is_told_once_it_has_settled(log: Log) -> None:
    log.write(line(1), line(2, route="r1|4|5000"), line(2 * TICK_S + 1))
    assert log.errors_at(TICK_S + 1) == []
    assert log.errors_at(LATER) == [(1, 0, 0, 0), (1, 0, 0, 0)]
    assert log.errors_at(LATER) == []
    assert log.errors_at(LATER + TICK_S) == [(1, 0, 0, 0)]


def test_a_late_line_opens_a_block_of_its_own(log: Log) -> None:
    log.write(line(1))
    assert log.errors_at(LATER) == [(1, 0, 0, 0)]
    log.write(line(2, code=500))
    assert log.errors_at(LATER) == [(1, 1, 0, 0)]


def test_a_line_that_is_still_being_written_waits(log: Log) -> None:
    text = line(1)
    log.write(text[:40])
    assert log.errors_at(LATER) == []
    log.write(text[40:])
    assert log.errors_at(LATER) == [(1, 0, 0, 0)]


def test_a_log_that_cannot_be_read_is_told_and_the_cursor_stays(log: Log) -> None:
    log.path.unlink()
    log.path.mkdir()
    found = log.source.observe(replace(ROLLOUT, cursor=log.cursor), 0)
    assert found.error is not None
    assert found.cursor == log.cursor


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("look"), st.integers(0, 30)),
        st.tuples(st.just("rotate"), st.just(0)),
        st.tuples(st.just("half"), st.integers(1, 60)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(actions=ACTIONS)
def test_however_it_is_read_every_line_counts_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]]
) -> None:
    log = Log(tmp_path_factory.mktemp("log"))
    log.look()
    now, written, told, half, rotated = 0.0, 0, Counter[str](), "", -100.0
    for action, size in actions:
        if action == "write":
            log.write(half, *(line(now + number / 10, code=500) for number in range(size)))
            written, half = written + size + bool(half), ""
        elif action == "half" and not half:
            text = line(now, code=500)
            log.write(text[:size])
            half = text[size:]
        elif action == "rotate" and not half and now > rotated + 4 * TICK_S:  # one older file is kept, not two
            log.rotate()
            rotated = now
        elif action == "look":
            now += size
            told.update(bad=sum(block[1] for block in log.errors_at(now)))
    log.write(half)
    written += bool(half)
    told.update(bad=sum(block[1] for block in log.errors_at(now + 100)))
    told.update(bad=sum(block[1] for block in log.errors_at(now + 200)))
    assert told["bad"] == written


def test_a_line_written_to_the_old_file_after_its_rotation_counts_too(log: Log) -> None:
    log.write(line(1))
    log.rotate()
    assert log.errors_at(5) == []
    with log.path.with_name(log.path.name + ".1").open("a") as old:
        old.write(line(4, code=500))
    log.write(line(6))
    assert log.errors_at(LATER) == [(3, 1, 0, 0)]


def test_history_freezes_the_p99_of_stable_and_charges_stable_only_with_its_own(log: Log) -> None:
    lines = [
        line(cluster=STABLE, route="r0|1|0", duration_us=1000 * number, user=f"u{number}") for number in range(1, 401)
    ]
    log.write(
        *lines, line(cluster=CANARY, route="r0|1|2500", attempts=2, user="x"), line(cluster=STABLE, code=500, user="y")
    )
    found = log.source.history(ROLLOUT)
    assert (found.requests, found.errors) == (402, 2)
    assert found.slow_after_ms == 396.0
    assert found.design_effects["errors"] == pytest.approx(1.0, abs=0.2)


def test_users_whose_requests_fail_together_raise_the_design_effect(log: Log) -> None:
    for user in range(40):
        log.write(*(line(cluster=STABLE, code=500 if user % 4 == 0 else 200, user=f"u{user}") for _ in range(10)))
    assert log.source.history(ROLLOUT).design_effects["errors"] > 5
    log.write(line(cluster=STABLE, user=None))
    assert log.source.history(ROLLOUT).design_effects["errors"] == 1.0


def test_without_history_the_limit_is_one_second(log: Log) -> None:
    found = log.source.history(ROLLOUT)
    assert (found.requests, found.slow_after_ms) == (0, 1000.0)


def told(**latency: Any) -> Rollout:
    return replace(ROLLOUT, policy=replace(ROLLOUT.policy, latency=LatencyMargins(**latency)))


def test_a_promised_limit_takes_the_place_of_stables_past(log: Log) -> None:
    log.write(*(line(cluster=STABLE, duration_us=1000 * number) for number in range(1, 401)))
    found = log.source.history(told(limit=Duration(0.05), floor=Duration(0.2)))
    assert (found.slow_after_ms, found.slow) == (50.0, 350)


@pytest.mark.parametrize(("floor_s", "limit_ms"), [(0.02, 20.0), (0.001, 5.0), (0.1, 100.0)])
def test_nothing_below_the_floor_is_slow(log: Log, floor_s: float, limit_ms: float) -> None:
    log.write(*(line(cluster=STABLE, duration_us=5000) for _ in range(400)))
    found = log.source.history(told(floor=Duration(floor_s)))
    assert (found.slow_after_ms, found.slow) == (limit_ms, 0)


def test_draws_are_users_of_the_present_weight_each_once(log: Log) -> None:
    here = replace(ROLLOUT, weight=25.0, cursor=log.cursor)
    log.write(
        *(line(user=f"u{number}") for number in (1, 1, 2)),
        line(user="u3", cluster=STABLE),
        line(user="u4", cluster=STABLE, attempts=2),
        line(user="u5", cluster="model-other"),
        line(user="u6", route="r1|2|500"),
        line(user="u7", route="r1|2|0|mirrored", cluster=STABLE),
    )
    log.clock.moment = datetime.fromtimestamp(START_S + LATER, UTC)
    found = log.source.observe(here, 0)
    assert [(each.weight, each.drawn, each.canary) for each in found.draws] == [(25.0, 4, 3)]
    log.write(line(LATER, user="u1"), line(LATER, user="u9"))
    log.clock.moment = datetime.fromtimestamp(START_S + 3 * LATER, UTC)
    after = log.source.observe(replace(here, cursor=found.cursor), 0)
    assert [(each.drawn, each.canary) for each in after.draws] == [(1, 1)]
    again = ShareEvidence(weight=25.0, since=START_S + LATER + 60, reapplied=1)
    late = log.source.observe(replace(here, cursor=found.cursor, share=again), 0)
    assert late.draws == ()
