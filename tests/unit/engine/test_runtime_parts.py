"""Parts of the supervisor alone: the lease by the monotonic clock, a model server's life, and faults it outlives."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.routing import Endpoint, RouteTable, cluster_name
from gatewright.effects.processes import wait_until
from gatewright.engine import servers
from gatewright.engine.model_runtime import Lease, ModelRuntime
from gatewright.engine.servers import ModelServer
from gatewright.engine.status import view
from gatewright.engine.supervisor import Supervisor
from gatewright.store.routes import Route
from gatewright.workspace import Workspace
from tests.fixtures import toy

DIGEST = "sha256:" + "a" * 64
ROUTE = Route(
    model="toy",
    rollout="r",
    stable="sha256:s",
    canary="sha256:c",
    weight=5,
    epoch=1,
    revision=1,
    renewals=1,
    lease_s=10,
)


def test_a_lease_lapses_when_nobody_renews_it_and_comes_back_with_a_renewal() -> None:
    lease = Lease()
    assert [lease.lapsed(ROUTE, now) for now in (100.0, 110.0, 110.1)] == [False, False, True]
    assert not lease.lapsed(replace(ROUTE, renewals=2), 110.2)
    assert lease.lapsed(replace(ROUTE, renewals=2), 120.3)
    assert not lease.lapsed(replace(ROUTE, rollout="another", renewals=2), 120.4)


def test_without_a_canary_or_a_lease_nothing_lapses() -> None:
    for route in (replace(ROUTE, canary=None), replace(ROUTE, lease_s=0.0)):
        lease = Lease()
        assert [lease.lapsed(route, now) for now in (0.0, 1e6)] == [False, False]


Begin = Callable[[str], ModelServer]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ModelServer whose process runs this code instead of a real server."""
    begun: list[ModelServer] = []

    def start(code: str) -> ModelServer:
        real = servers.spawn
        monkeypatch.setattr(servers, "spawn", lambda argv, **kept: real([sys.executable, "-c", code], **kept))
        server = ModelServer(model="toy", digest=DIGEST, folder="-", root=tmp_path, log=tmp_path / "server.log")  # type: ignore[arg-type]
        begun.append(server)
        assert server.look()
        return server

    yield start
    for server in begun:
        server.stop()


def until(server: ModelServer, condition: Callable[[], bool]) -> None:
    def there() -> bool:
        server.look()
        return condition()

    assert wait_until(there, timeout_s=15, every_s=0.01)


def announce(digest: str = DIGEST, port: int = 5) -> str:
    return f"print({json.dumps(json.dumps({'port': port, 'digest': digest}))}, flush=True);"


WAIT = "import sys; sys.stdin.read()"


def test_a_server_is_ready_once_it_has_proven_its_digest(begin: Begin) -> None:
    server = begin("print('a word of the model'); print('[]', '\\n{}');" + announce() + WAIT)
    assert not server.ready
    until(server, lambda: server.ready)
    assert server.endpoint == Endpoint(port=5)
    server.stop()
    assert not server.ready


def test_another_digest_is_never_served(begin: Begin) -> None:
    server = begin(announce("sha256:" + "b" * 64) + WAIT)
    until(server, lambda: server.error is not None)
    assert "instead of" in str(server.error)
    assert not server.ready
    assert server.process is None


def test_a_refusal_is_told_in_the_servers_own_words(begin: Begin) -> None:
    server = begin('print(\'{"error": "the artifact changed"}\'); raise SystemExit(2)')
    until(server, lambda: server.error is not None)
    assert (server.error, server.restarts) == ("the artifact changed", 1)


def test_after_three_crashes_it_is_given_up_but_not_for_ever(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(servers, "_GIVEN_UP_PAUSE_S", 0.0)
    server = begin("raise SystemExit(7)")
    until(server, lambda: server.error is not None)
    assert server.restarts == 3
    assert "it ended 3 times in a row (last exit code 7)" in str(server.error)
    until(server, lambda: server.restarts > 3)


class BrokenGateway:
    """A gateway that refuses, in turn, whatever it is asked."""

    def __init__(self, port_taken: int = 0) -> None:
        self.port_taken = port_taken
        self.started = 0

    def argv(self) -> tuple[str, ...]:
        self.started += 1
        if 1 < self.started <= 1 + self.port_taken:
            raise UnusableInput("the port is taken", fix="")
        return (sys.executable, "-c", "raise SystemExit(1)" if self.started == 1 else "import signal; signal.pause()")

    def ready(self) -> bool:
        return True

    def configure(self, table: RouteTable | None, endpoints: Mapping[str, Endpoint]) -> None:
        raise WorldFailed("deaf", fix="")

    def table(self) -> RouteTable | None:
        raise WorldFailed("mute", fix="")

    def rotate_log(self) -> None:
        raise WorldFailed("the disk is full", fix="")


def test_the_supervisor_outlives_a_gateway_and_a_database_that_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = BrokenGateway(port_taken=1)
    workspace = replace(Workspace.open(toy.write_project(tmp_path / "project", port=1)), gateway=gateway)
    monkeypatch.setattr("gatewright.engine.gateway_process._PAUSE_S", 0.0)
    supervisor = Supervisor(workspace.root, [workspace])
    looks: list[int] = []

    def read_route(self: object) -> Route | None:
        looks.append(1)
        if len(looks) > 30:
            supervisor.stop()
        raise WorldFailed("the database is locked", fix="")

    monkeypatch.setattr(type(workspace.routes), "get", lambda self, model: read_route(self))
    monkeypatch.setattr("gatewright.engine.supervisor._LOOP_S", 0.02)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    supervisor.run()
    assert gateway.started == 3
    assert workspace.processes.all() == ()


def served_by(runtime: ModelRuntime, *, stable: str | None, canary: str | None) -> None:
    """Both servers have answered once; now each is ready, or was given up for this reason."""
    for digest, error in (("sha256:s", stable), ("sha256:c", canary)):
        server = ModelServer(
            model="toy", digest=digest, folder="-", root=Path(), log=Path(), answered=True, error=error
        )
        server.endpoint = None if error else Endpoint(port=5)
        runtime._servers[digest] = server


@pytest.mark.parametrize(
    ("stable", "canary", "share"),
    [(None, None, 0.0), ("it ended 3 times", None, 5.0), ("it ended 3 times", "it ended 3 times", 0.0)],
)
def test_a_lapsed_weight_goes_back_unless_only_the_canary_answers(
    tmp_path: Path, stable: str | None, canary: str | None, share: float
) -> None:
    runtime = ModelRuntime(Workspace.open(toy.write_project(tmp_path / "project", port=1)), BrokenGateway())
    served_by(runtime, stable=stable, canary=canary)
    assert runtime._table(ROUTE, 0.0).share("sha256:c") == 5.0  # type: ignore[union-attr]
    lapsed = runtime._table(ROUTE, ROUTE.lease_s + 1.0)
    assert lapsed is not None
    assert lapsed.share("sha256:c") == share


def test_status_works_with_the_gateway_down_and_tells_recorded_from_observed(tmp_path: Path) -> None:
    workspace = Workspace.open(toy.write_project(tmp_path / "project", port=1))
    workspace.routes.put(replace(ROUTE, canary=None, stable=DIGEST, weight=0.0))
    found = view(workspace)
    assert found["traffic"]["recorded"] == {cluster_name(DIGEST): 100.0}
    assert found["traffic"]["observed"] is None
    assert found["traffic"]["error"] == "the gateway is not up"
    assert found["rollout"] is None
    assert json.loads(json.dumps(found)) == found
