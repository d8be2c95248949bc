"""A real Prometheus that scrapes a real target: what it says, and how it says what is wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.adapters.metrics.live import LiveMetrics
from gatewright.adapters.metrics.prometheus import Options, Prometheus, Queries
from gatewright.domain.duration import Duration
from gatewright.domain.evidence import Look
from gatewright.domain.rollout import Breaker, Phase, Rollout, RolloutPolicy
from gatewright.domain.routing import cluster_name
from gatewright.effects.processes import wait_until
from gatewright.engine.controller import Controller
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import Silent
from gatewright.workspace import SystemClock
from tests.fixtures import prometheus_binary
from tests.fixtures.looks import counts
from tests.fixtures.prometheus import QUERIES, SCRAPE_S, RealPrometheus, Target
from tests.scenarios.controlled import World, new_world
from tests.unit.adapters.metrics.test_counted import ROLLOUT

PROGRAM = prometheus_binary.find()
pytestmark = [
    pytest.mark.xdist_group("prometheus"),
    pytest.mark.skipif(PROGRAM is None, reason="no Prometheus: python tests/fixtures/prometheus_binary.py says why"),
]
numbers = itertools.count()
LOOK_S = 0.3
OPTIONS = {
    "queries": Queries(**QUERIES),
    "slow_above": Duration(0.25),
    "scrape_interval": Duration(SCRAPE_S),
    "settle": Duration(0.1),
    "history": Duration(60.0),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    assert PROGRAM is not None
    found, target = RealPrometheus(PROGRAM, tmp_path_factory.mktemp("prometheus")), Target()
    found.watch(
        target
    )  # the server takes up to five seconds to notice: one target for all tests, with arms of their own
    try:
        yield found
    finally:
        found.stop()
        target.stop()


class Observed:
    """Two versions that no other test knows, counted by one target and looked at three times a second."""

    def __init__(self, server: RealPrometheus, folder: Path) -> None:
        number = next(numbers)
        self.server, self.clock, self.target = server, SystemClock(), server.targets[0]
        digests = {role: f"sha256:{number:04d}{role[0]}".ljust(71, "0") for role in ("canary", "stable")}
        policy = RolloutPolicy(tick=Duration(LOOK_S), breaker=Breaker(tick=Duration(LOOK_S)), lease=Duration(60.0))
        self.rollout = replace(ROLLOUT, **digests, policy=policy, slow_after_ms=250.0)  # type: ignore[arg-type]
        self.arms = (cluster_name(self.rollout.canary), cluster_name(self.rollout.stable or ""))
        context = Context(root=folder, model="toy", database=Database(folder / "state.db"), clock=self.clock)
        self.source = Prometheus(Options(url=server.url, **OPTIONS), context)  # type: ignore[arg-type]
        self.tick = 0
        self.told = {metric: [0, 0, 0, 0] for metric in ("errors", "latency")}

    def scraped(self, scrapes: int = 2) -> None:
        """Wait until the target was asked so often again."""
        wanted = self.target.scrapes + scrapes
        assert wait_until(lambda: self.target.scrapes >= wanted, timeout_s=20)

    def begin(self, canary: int = 1) -> None:
        """One more request of both arms, which the server knows then."""
        for arm, count in zip(self.arms, (canary, 1), strict=True):
            self.target.count(arm, 1)
            self.server.until(f'sum(requests_total{{arm="{arm}"}})', str(count))
        self.scraped(4)

    def look(self) -> Look:
        self.clock.sleep(LOOK_S)
        self.tick += 1
        found = self.source.observe(self.rollout, self.tick)
        self.rollout = replace(self.rollout, cursor=found.cursor, blind_s=1.0 if found.error else 0.0)
        for metric, *block in counts(found):
            self.told[metric] = [old + new for old, new in zip(self.told[metric], block, strict=True)]
        return found

    def until_open(self) -> None:
        """Look until a first block is open."""
        for _ in range(20):
            assert self.look().error is None
            if '"readings": []' not in self.rollout.cursor:
                return
        raise AssertionError("no block was opened")

    def until_error(self, sentence: str) -> None:
        errors = []
        for _ in range(30):
            errors.append(self.look().error or "")
            if sentence in errors[-1]:
                return
        raise AssertionError(errors)


@pytest.fixture
def observed(server: RealPrometheus, tmp_path: Path) -> Observed:
    return Observed(server, tmp_path)


def test_what_the_target_counts_is_told_exactly_once(observed: Observed) -> None:
    observed.begin()
    observed.until_open()
    canary, stable = observed.arms
    for _ in range(4):
        observed.target.count(canary, 90, failed=10, slow=7)
        observed.target.count(stable, 400, slow=1)
        assert observed.look().error is None
    observed.scraped()
    for _ in range(3):
        assert observed.look().error is None
    assert observed.told == {"errors": [400, 40, 1600, 0], "latency": [400, 28, 1600, 4]}


def test_a_canary_that_was_never_scraped_is_no_canary_without_errors(observed: Observed) -> None:
    observed.target.count(observed.arms[1], 5)
    observed.server.until(f'sum(requests_total{{arm="{observed.arms[1]}"}})', "5")
    observed.scraped(4)
    assert "total of canary has no value: no data" in (observed.look().error or "")


def test_a_restart_of_the_target_is_seen_although_its_counters_have_caught_up(observed: Observed) -> None:
    canary = observed.target.arms[observed.arms[0]]
    observed.target.count(observed.arms[0], 49)
    observed.begin(canary=50)
    observed.until_open()
    canary.good = 3
    observed.scraped()
    canary.good = 1000
    observed.until_error("the counters of canary began anew: a restart?")
    assert observed.told["errors"] == [0, 0, 0, 0]


def test_a_counter_that_falls_in_between_is_seen_in_a_sum_that_rises(observed: Observed) -> None:
    """The restart of a process between two of its scrapes: never absent, and the sum over codes only grows."""
    canary = observed.arms[0]
    for arm in observed.arms:
        observed.target.count(arm, 51, failed=50)
        observed.server.until(f'count(requests_total{{arm="{arm}"}})', "2")
    observed.scraped(4)
    observed.until_open()
    with observed.target.lock:
        observed.target.arms[canary].failed = 3
        observed.target.arms[canary].good += 500
    observed.until_error("the counters of canary began anew")


def test_a_second_target_is_another_population(observed: Observed) -> None:
    observed.begin()
    observed.until_open()
    other = Target()
    try:
        other.count(observed.arms[0], 700)
        observed.server.watch(observed.target, other)
        observed.until_error("the counters of canary are of other targets than before")
        assert observed.told["errors"][0] < 700
    finally:
        observed.server.watch(observed.target)
        other.stop()


def test_a_target_that_is_down_is_no_data_and_then_it_goes_on(observed: Observed) -> None:
    observed.begin()
    observed.until_open()
    with observed.target.down():
        observed.until_error("total of canary has no value")
    observed.server.until(f'sum(requests_total{{arm="{observed.arms[0]}"}})', "1")
    observed.scraped(5)
    observed.until_open()


def test_two_series_are_refused(observed: Observed) -> None:
    observed.target.count(observed.arms[0], 5, failed=5)
    observed.server.until(f'count(requests_total{{arm="{observed.arms[0]}"}})', "2")
    observed.scraped(4)
    queries = replace(observed.source._options.queries, total='requests_total{arm="{arm}"}')
    observed.source._options = replace(observed.source._options, queries=queries)
    assert "total of canary returned 2 series: make one of them with sum(…)" in (observed.look().error or "")


@pytest.mark.parametrize(
    ("total", "sentence"),
    [
        ('sum(requests_total{arm="{arm}"}', "failed: bad_data: "),
        ('sum(requests_total{arm="{arm}"}) / 3', "which is no count: give the counter itself, not a rate"),
        ('sum(requests_total{arm="{arm}"}) / 0', "is +Inf, which is no count"),
        ('scalar(requests_total{arm="{arm}"})', "is a scalar instead of a vector"),
        ('sum(no_such_thing{arm="{arm}"})', "total of canary has no value"),
    ],
)
def test_what_a_real_server_says_to_a_query_that_is_wrong(observed: Observed, total: str, sentence: str) -> None:
    observed.begin()
    queries = replace(observed.source._options.queries, total=total)
    observed.source._options = replace(observed.source._options, queries=queries)
    assert sentence in (observed.look().error or "")


def test_history_is_what_stable_has_counted(observed: Observed) -> None:
    observed.begin()
    stable = observed.arms[1]
    for _ in range(5):
        observed.target.count(stable, 97, failed=3, slow=2)
        observed.scraped(3)
    found = observed.source.history(observed.rollout)
    # What was counted before the first point of the range, or after its last, is not known.
    assert 100 <= found.requests <= 500
    assert (found.errors / found.requests, found.slow / found.requests) == (0.03, 0.02)
    assert found.per_second is not None
    assert found.slow_after_ms == 250.0


def live(server: RealPrometheus, folder: Path) -> tuple[World, Target]:
    """A controller that sees through Prometheus, with pretended traffic: real time."""
    world = new_world(folder)
    clock = SystemClock()
    context = Context(root=folder, model="toy", database=world.workspace.database, clock=clock)
    source = Prometheus(Options(url=server.url, **OPTIONS), context)  # type: ignore[arg-type]
    world.workspace = replace(world.workspace, clock=clock, metrics=LiveMetrics(source, context))
    return world, server.targets[0]


def drive(world: World, target: Target, *, failed: int) -> Rollout:
    """Tick under traffic until the rollout ends; of each 50 requests the canary fails so many."""
    canary, stable = cluster_name(world.rollout.canary), cluster_name(world.rollout.stable or "")
    for _ in range(200):
        if world.traffic.shown:
            target.count(canary, 50 - failed, failed=failed)
        target.count(stable, 50)
        world.rollout = Controller(world.workspace, Silent()).tick(world.rollout)
        if world.rollout.phase.terminal:
            return world.rollout
        world.workspace.clock.sleep(0.1)
    raise AssertionError(f"still {world.rollout.phase}: {world.rollout.why}")


@pytest.mark.parametrize(("failed", "end"), [(0, Phase.PROMOTED), (30, Phase.ROLLED_BACK)], ids=["good", "bad"])
def test_a_whole_rollout_by_what_prometheus_says(
    server: RealPrometheus, tmp_path: Path, failed: int, end: Phase
) -> None:
    world, target = live(server, tmp_path)
    stable = cluster_name(world.rollout.stable or "")
    target.count(stable, 1)
    assert wait_until(lambda: server.answers(f'count(requests_total{{arm="{stable}"}})') == ["1"], timeout_s=20)
    before, wanted = target.scrapes, 4
    assert wait_until(lambda: target.scrapes >= before + wanted, timeout_s=20)
    rollout = drive(world, target, failed=failed)
    assert rollout.phase is end, rollout.why
    assert rollout.requests > 20
    assert world.kinds()[-1] == end.value
