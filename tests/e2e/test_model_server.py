"""The real model server process: starts on a free port, is spoken to over HTTP, and is ended by pid."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewright.effects.files import measure_artifact
from gatewright.effects.processes import wait_until
from tests.unit.serving.toy_model import write_artifact

Process = subprocess.Popen[bytes]
Start = Callable[..., Process]
LIMIT_S = 20.0


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("models") / "served")


@pytest.fixture
def start(artifact: Path) -> Iterator[Start]:
    started: list[Process] = []

    def begin(digest: str = "") -> Process:
        digest = digest or measure_artifact(artifact).digest
        argv = ["--artifact", str(artifact), "--model", "toy", "--digest", digest]
        process = subprocess.Popen(
            [sys.executable, "-m", "gatewright.serving.server", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        process.wait(LIMIT_S)


def first_line(process: Process) -> dict[str, Any]:
    assert process.stdout
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return line


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_serves_the_digest_it_was_told_and_ends_with_its_stdin(start: Start, artifact: Path) -> None:
    process = start()
    line = first_line(process)
    digest = measure_artifact(artifact).digest
    assert line == {"port": line["port"], "digest": digest, "pid": process.pid}
    connection = http.client.HTTPConnection("127.0.0.1", line["port"], timeout=LIMIT_S)
    connection.request("GET", "/ready")
    assert json.loads(connection.getresponse().read()) == {"ready": True, "model": "toy", "digest": digest}
    connection.request("POST", "/predict", json.dumps({"instances": [{"AGE": 50}, {"AGE": 5, "SEX": 2}]}))
    response = connection.getresponse()
    assert response.headers["x-gatewright-model"] == digest[7:19]
    assert json.loads(response.read())["predictions"] == [1, 0]
    connection.close()
    assert process.stdin
    process.stdin.close()
    assert process.wait(LIMIT_S) == 0


def test_sigterm_lets_the_request_in_flight_finish(start: Start) -> None:
    process = start()
    port = first_line(process)["port"]
    body = json.dumps({"instances": [{"AGE": 50}]}).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as client:
        client.sendall(head.encode())
        assert b"100 Continue" in client.recv(1000)  # the server waits for the body now
        process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: refuses_connections(port), timeout_s=LIMIT_S)
        client.sendall(body)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert process.wait(LIMIT_S) == 0


def test_another_digest_is_refused_with_exit_2(start: Start) -> None:
    process = start("sha256:" + "0" * 64)
    assert "changed: recorded sha256:0000" in first_line(process)["error"]
    assert process.stdout
    assert process.stdout.read() == b""
    assert process.wait(LIMIT_S) == 2


def test_without_a_supervisor_it_does_not_even_start(start: Start) -> None:
    process = start()
    assert process.stdin
    process.stdin.close()
    assert "standard input ended" in first_line(process)["error"]
    assert process.wait(LIMIT_S) == 4
