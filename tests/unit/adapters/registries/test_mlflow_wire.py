"""Tracking servers that are down, slow, full or something else: each is told as what it is, and no secret is."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.registries.mlflow.artifacts import place_of
from gatewright.adapters.registries.mlflow.credentials import Credentials, address_of
from gatewright.adapters.registries.mlflow.wire import Refused, Wire
from gatewright.domain.errors import GatewrightError, UnusableInput, WorldFailed
from gatewright.testing import FakeClock

SECRET = "s3cr3t-of-ours"
PASSWORD = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": SECRET}


class Scripted(ThreadingHTTPServer):
    """Answers what `script` says, one entry after the other, the last for ever; keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[tuple[int, bytes]] = [(200, b"{}")]
        self.asked: list[tuple[str, str, str | None]] = []
        self.hangs = threading.Event()
        self.silent = False


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers.get("authorization")))
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.server.silent:
            self.server.hangs.wait(20)
            return
        status, body = self.server.script[0] if len(self.server.script) == 1 else self.server.script.pop(0)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    thread = threading.Thread(target=scripted.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield scripted
    scripted.hangs.set()
    scripted.shutdown()
    scripted.server_close()


@pytest.fixture
def wire(server: Scripted) -> Callable[..., Wire]:
    def opened(environment: dict[str, str] | None = None, timeout_s: float = 5.0) -> Wire:
        address = address_of(f"http://127.0.0.1:{server.server_address[1]}/mlflow")
        return Wire(address, Credentials.of(environment or {}), FakeClock(), timeout_s)

    return opened


def refused(code: str, message: str = "") -> bytes:
    return json.dumps({"error_code": code, "message": message}).encode()


def told(call: Callable[[], object]) -> GatewrightError:
    with pytest.raises(GatewrightError) as caught:
        call()
    return caught.value


def test_what_passes_is_asked_again_and_what_lasts_is_told(server: Scripted, wire: Callable[..., Wire]) -> None:
    server.script = [(503, b"busy"), (500, refused("INTERNAL_ERROR")), (200, b'{"a": 1}')]
    assert wire().get("runs/get", run_id="1") == {"a": 1}
    server.script, server.asked = [(500, refused("INTERNAL_ERROR", "the database is gone"))], []
    error = told(lambda: wire().get("runs/get", run_id="1"))
    assert "answered 500 to GET: the database is gone" in str(error)
    assert len(server.asked) == 3
    assert server.asked[0][1] == "/mlflow/api/2.0/mlflow/runs/get?run_id=1"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"<!doctype html><html>Sign in</html>", "answered 200 to POST: HTML"),
        (200, b"[1]", "no JSON"),
        (502, b"<html>Bad gateway</html>", "answered 502 to POST: HTML"),
        (302, b"", "answered 302 to POST: a redirect"),
        (401, b"who are you", "not allowed"),
        (403, refused("PERMISSION_DENIED"), "not allowed"),
        (413, b"<html>too large</html>", "too large, or no space left"),
        (507, b"", "too large, or no space left"),
        (404, b"<html>nothing here</html>", "answered 404 to POST: HTML"),
    ],
)
def test_each_failure_is_told_as_what_it_is(
    server: Scripted, wire: Callable[..., Wire], status: int, body: bytes, says: str
) -> None:
    server.script = [(status, body)]
    error = told(lambda: wire().post("runs/create", {}))
    assert isinstance(error, WorldFailed)
    assert not isinstance(error, Refused)
    assert says in str(error)
    assert error.fix


def test_a_refusal_carries_the_server_s_word_and_is_not_repeated(server: Scripted, wire: Callable[..., Wire]) -> None:
    server.script = [(404, refused("RESOURCE_DOES_NOT_EXIST", "no such model\nTraceback"))]
    error = told(lambda: wire().get("registered-models/get", name="x"))
    assert isinstance(error, Refused)
    assert (error.code, len(server.asked)) == ("RESOURCE_DOES_NOT_EXIST", 1)
    assert "Traceback" not in str(error)


def test_a_server_that_is_down_and_one_that_never_answers(server: Scripted, wire: Callable[..., Wire]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clock = FakeClock()
    down = Wire(address_of(f"http://127.0.0.1:{port}"), Credentials.of({}), clock, 1.0)
    error = told(lambda: down.get("runs/get"))
    assert "cannot be reached (GET): Connection refused" in str(error)
    assert clock.slept == [0.3, 1.0]
    server.silent = True
    error = told(lambda: wire(timeout_s=0.1).get("runs/get"))
    assert "timed out" in str(error)
    assert len(server.asked) == 3


def test_an_upload_that_breaks_off_is_sent_again_from_its_beginning(
    server: Scripted, wire: Callable[..., Wire], tmp_path: Path
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"x" * 5000)
    server.script = [(500, b""), (200, b"{}")]
    wire().put("1/abc/artifacts/model/weights.bin", file)
    assert [method for method, *_ in server.asked] == ["PUT", "PUT"]
    server.script = [(413, b"")]
    assert "for a file of 5,000 bytes" in str(told(lambda: wire().put("x", file)))


def test_no_secret_is_told(server: Scripted, wire: Callable[..., Wire]) -> None:
    server.script = [(400, refused("INVALID", f"Authorization {SECRET} is bad"))]
    error = told(lambda: wire(PASSWORD).get("runs/get"))
    header = server.asked[0][2]
    assert header is not None
    assert header.startswith("Basic ")
    assert SECRET not in str(error)
    assert "***" in str(error)
    credentials = Credentials.of(PASSWORD)
    assert SECRET not in repr(credentials)
    assert header.partition(" ")[2] not in credentials.redacted(f"sent {header}")
    assert Credentials.of({"MLFLOW_TRACKING_TOKEN": SECRET}).header == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"http://ada:{SECRET}@host", "holds credentials"),
        ("sqlite:///mlflow.db", "no address of a tracking server"),
        ("databricks", "no address of a tracking server"),
        ("./mlruns", "no address of a tracking server"),
        ("http://host:99999999", "is no URL"),
        ("https://host/?token=1", "no address of a tracking server"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str, says: str) -> None:
    for error in (
        told(lambda: address_of(address)),
        told(lambda: address_of(None, {"MLFLOW_TRACKING_URI": address})),
    ):
        assert isinstance(error, UnusableInput)
        assert says in str(error)
        assert SECRET not in str(error)


def test_what_is_missing_or_not_spoken_is_told() -> None:
    assert "no MLflow tracking server is named" in str(told(lambda: address_of(None, {})))
    assert "does not speak" in str(told(lambda: Credentials.of({"MLFLOW_TRACKING_AUTH": "plugin"})))
    broken = {"MLFLOW_TRACKING_TOKEN": "a\nb"}
    assert "line break" in str(told(lambda: Credentials.of(broken)))
    missing = Credentials.of({"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nonexistent.pem"})
    assert "certificate cannot be read" in str(told(missing.tls))


@pytest.mark.parametrize("uri", ["/srv/mlruns/1", "file:///srv/mlruns", "s3://bucket/1", "https://elsewhere/files"])
def test_artifacts_that_the_server_does_not_keep_are_refused(wire: Callable[..., Wire], uri: str) -> None:
    assert "lets clients fetch artifacts" in str(told(lambda: place_of(wire(), uri)))
