"""The counters of a real Envoy as evidence: what each fault of a version does to them, and a whole rollout by them."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.metrics.envoy_stats import EnvoyStats, Options
from gatewright.adapters.metrics.live import LiveMetrics
from gatewright.domain.duration import Duration
from gatewright.domain.errors import WorldFailed
from gatewright.domain.evidence import Look
from gatewright.domain.rollout import Phase, Rollout
from gatewright.engine.controller import Controller
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeTraffic, Silent
from gatewright.workspace import SystemClock
from tests.fixtures.gateway import CANARY, Gateway, until
from tests.fixtures.looks import counts
from tests.scenarios.controlled import new_world
from tests.unit.adapters.metrics.test_counted import ROLLOUT

pytestmark = pytest.mark.xdist_group("envoy-stats")
LIMIT_MS = 250.0
FLUSH_S, SETTLE_S = 0.1, 0.3


class QuickGateway(Gateway):
    """An Envoy that adds to its histograms ten times a second, and waits long enough for a busy machine."""

    try_timeout_s = 0.8

    def put(self, path: str, document: dict[str, Any]) -> None:
        if path.endswith("bootstrap.json"):
            document = {**document, "stats_flush_interval": f"{FLUSH_S}s"}
        super().put(path, document)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = QuickGateway(tmp_path_factory.mktemp("envoy"))
    try:
        for weight in (9_999, 1):  # a cluster has no histogram before its first answer
            gateway.route(weight)
            ask(gateway, 3)
        yield gateway
    finally:
        gateway.stop()


def ask(gateway: Gateway, count: int, timeout_s: float = 5.0) -> Counter[str]:
    """So many requests one after the other; what came of them."""
    found: Counter[str] = Counter()
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.options.port, timeout=timeout_s)
        try:
            connection.request("POST", "/predict", b"{}")
            answer = connection.getresponse()
            answer.read()
            found[str(answer.status)] += 1
        except (OSError, http.client.HTTPException) as error:
            found[type(error).__name__] += 1
        finally:
            connection.close()
    return found


@dataclass
class Observed:
    """A rollout that is looked at whenever a test says so."""

    gateway: Gateway
    source: EnvoyStats
    rollout: Rollout
    clock: SystemClock
    tick: int = 0

    def __post_init__(self) -> None:
        self.told: dict[str, list[int]] = {"errors": [0, 0, 0, 0], "latency": [0, 0, 0, 0]}

    def look(self, after: float = SETTLE_S) -> Look:
        self.clock.sleep(after)
        self.tick += 1
        found = self.source.observe(self.rollout, self.tick)
        self.rollout = replace(self.rollout, cursor=found.cursor, blind_s=1.0 if found.error else 0.0)
        for metric, *block in counts(found):
            self.told[metric] = [old + new for old, new in zip(self.told[metric], block, strict=True)]
        return found

    def during(self, action: Callable[[], Counter[str]]) -> Counter[str]:
        """What came of `action`, with a block opened before it."""
        until(lambda: self.look().error is None and self.open, "an open block", attempts=20)
        return action()

    def until_told(self, **expected: list[int]) -> None:
        """Look until the blocks add up to what is expected, and once more."""
        for _ in range(12):
            assert self.look().error is None
            if self.told == expected:
                break
        assert self.look().error is None
        assert self.told == expected

    @property
    def open(self) -> bool:
        return '"readings": []' not in self.rollout.cursor


def observed(gateway: Gateway, folder: Path, **options: Any) -> Observed:
    address = f"http://{gateway.admin.read_text(encoding='ascii').strip()}"
    chosen = {"url": address, "cluster": "model-{role}", "settle": Duration(SETTLE_S), **options}
    context = Context(root=folder, model="toy", database=Database(folder / "state.db"), clock=(clock := SystemClock()))
    rollout = replace(ROLLOUT, slow_after_ms=LIMIT_MS, weight=99.99)
    return Observed(gateway, EnvoyStats(Options(**chosen), context), rollout, clock)


def test_history_is_all_that_stable_has_counted(gateway: Gateway, tmp_path: Path) -> None:
    gateway.route(1)
    source = observed(gateway, tmp_path).source
    before = source.history(ROLLOUT)
    assert before.slow_after_ms == 1000.0
    assert ask(gateway, 320) == {"200": 320}
    until(lambda: source.history(ROLLOUT).slow_after_ms < 1000, "the histogram")
    found = source.history(ROLLOUT)
    assert (found.requests - before.requests, found.errors - before.errors) == (320, 0)
    assert found.slow_after_ms in (25.0, 50.0, 100.0, 250.0, 500.0)
    assert found.slow <= 0.01 * found.requests
    assert found.per_second is None
    assert observed(gateway, tmp_path, slow_above=Duration(0.25)).source.history(ROLLOUT).slow_after_ms == 250.0
    with pytest.raises(WorldFailed, match=r"no bucket ends at slow_above, 30 ms: 0\.5, 1, 5, 10, 25, 50, "):
        observed(gateway, tmp_path, slow_above=Duration(0.03)).source.history(ROLLOUT)


@pytest.mark.parametrize(
    ("fault", "errors", "latency"),
    [
        ("well", [6, 0, 0, 0], [6, 0, 0, 0]),
        ("slow", [6, 0, 0, 0], [6, 6, 0, 0]),
        ("failing", [6, 6, 6, 0], [0, 0, 6, 0]),
        ("killed", [6, 6, 6, 0], [0, 0, 6, 0]),
        # Envoy measures a rescued request from its beginning, and tells it of the cluster that answered.
        ("hanging", [6, 6, 6, 0], [0, 0, 6, 6]),
    ],
)
def test_a_rescued_request_is_an_error_of_the_canary(
    gateway: Gateway, tmp_path: Path, fault: str, errors: list[int], latency: list[int]
) -> None:
    gateway.route(9_999)
    looks = observed(gateway, tmp_path)
    gateway.servers[CANARY].become(fault)
    try:
        assert looks.during(lambda: ask(gateway, 6)) == {"200": 6}
    finally:
        gateway.servers[CANARY].recover()
    looks.until_told(errors=errors, latency=latency)


def test_an_answer_that_breaks_off_is_an_error_although_its_status_is_counted_as_good(
    gateway: Gateway, tmp_path: Path
) -> None:
    gateway.route(9_999)
    looks = observed(gateway, tmp_path)
    gateway.servers[CANARY].become("breaking")
    try:
        assert looks.during(lambda: ask(gateway, 3)) == {"IncompleteRead": 3}
    finally:
        gateway.servers[CANARY].recover()
    looks.until_told(errors=[3, 0, 0, 0], latency=[0, 0, 0, 0])
    assert ask(gateway, 20) == {"200": 20}  # it is known by now, and told with the requests that come next
    looks.until_told(errors=[23, 3, 0, 0], latency=[20, 0, 0, 0])


def test_a_request_that_both_versions_fail_is_one_error_of_each(gateway: Gateway, tmp_path: Path) -> None:
    gateway.route(9_999)
    looks = observed(gateway, tmp_path)
    for server in gateway.servers.values():
        server.become("failing")
    try:
        assert looks.during(lambda: ask(gateway, 20)) == {"503": 20}
    finally:
        for server in gateway.servers.values():
            server.recover()
    looks.until_told(errors=[20, 20, 20, 20], latency=[0, 0, 20, 0])


def test_a_client_that_leaves_counts_as_an_error(gateway: Gateway, tmp_path: Path) -> None:
    """As rollout.md says: no counter of a cluster tells it from a request that was rescued."""
    gateway.route(9_999)
    looks = observed(gateway, tmp_path)
    gateway.servers[CANARY].become("hanging")
    try:
        assert looks.during(lambda: ask(gateway, 5, timeout_s=0.03)) == {"TimeoutError": 5}
    finally:
        gateway.servers[CANARY].recover()
    looks.until_told(errors=[5, 5, 0, 0], latency=[0, 0, 0, 0])


def test_a_cluster_that_is_not_there_and_a_limit_without_bucket_are_told(gateway: Gateway, tmp_path: Path) -> None:
    looks = observed(gateway, tmp_path, cluster="modell-{role}")
    assert "there is no cluster 'modell-canary' (canary): no data" in (looks.look(0.0).error or "")
    looks = observed(gateway, tmp_path)
    looks.rollout = replace(looks.rollout, slow_after_ms=37.0)
    assert "no bucket of canary ends at this rollout's limit of 37.0 ms" in (looks.look(0.0).error or "")


def test_gatewrights_own_gateway_is_found_by_its_file(gateway: Gateway, tmp_path: Path) -> None:
    looks = observed(gateway, tmp_path, url=None)
    assert "the gateway is not up" in (looks.look(0.0).error or "")
    folder = tmp_path / ".gatewright" / "gateway" / "toy"
    folder.mkdir(parents=True)
    (folder / "admin.address").write_text(gateway.admin.read_text(encoding="ascii"), encoding="ascii")
    assert looks.look(0.0).error is None


class EnvoysTraffic(FakeTraffic):
    """Pretended, but for the weight: that is Envoy's."""

    gateway: Gateway

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        before = self.shown
        FakeTraffic.set_weight(self, rollout, weight)
        if self.shown != before:
            self.gateway.route(max(round(self.shown * 100), 1))


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        pytest.param("well", Phase.PROMOTED, marks=pytest.mark.slow),
        ("failing", Phase.ROLLED_BACK),
        ("breaking", Phase.ROLLED_BACK),
    ],
)
def test_a_whole_rollout_by_what_envoy_counts(gateway: Gateway, tmp_path: Path, fault: str, end: Phase) -> None:
    world = new_world(tmp_path)
    looks = observed(gateway, tmp_path)
    world.workspace = replace(
        world.workspace, clock=looks.clock, metrics=LiveMetrics(looks.source, looks.source._context)
    )
    world.traffic = traffic = EnvoysTraffic()
    traffic.gateway = gateway
    world.workspace = replace(world.workspace, traffic=traffic)
    gateway.route(1)
    gateway.servers[CANARY].become(fault)
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            ask(gateway, 5)

    clients = [threading.Thread(target=load) for _ in range(2)]
    try:
        for client in clients:
            client.start()
        for _ in range(120):
            world.rollout = Controller(world.workspace, Silent()).tick(world.rollout)
            if world.rollout.phase.terminal:
                break
            looks.clock.sleep(0.25)
    finally:
        over.set()
        for client in clients:
            client.join(10)
        gateway.servers[CANARY].recover()
    assert world.rollout.phase is end, world.rollout.why
    assert world.rollout.requests > 0
    assert world.rollout.slow_after_ms is not None
