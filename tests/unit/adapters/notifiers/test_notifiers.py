"""Telling people over a loopback server and by a command: taken, refused, hung, gone."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.notifiers.command import Command
from gatewright.adapters.notifiers.command import Options as CommandOptions
from gatewright.adapters.notifiers.webhook import Options, Webhook
from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.notice import Notice
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeClock
from tests.fixtures.ports import free_port

SECRET = "/services/T000/B000/a-secret"
NOTICE = Notice(
    id="toy-2-ab/7/paused",
    at=datetime(2026, 1, 1, tzinfo=UTC),
    kind="paused",
    model="toy",
    rollout="toy-2-ab",
    run="run1",
    version=2,
    phase="paused",
    weight=25.0,
    why="paused by ada",
    actor="ada",
    text="toy version 2 is paused at 25 %: paused by ada",
)


@dataclass
class Service:
    """What a chat service heard, and how it answers; `hangs` until it is set free."""

    port: int = 0
    status: int = 200
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)
    hangs: bool = False


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            service.heard.append((self.path, json.loads(body)))
            if service.hangs:
                service.free.wait(30)
            self.send_response(service.status)
            self.send_header("location", f"http://127.0.0.1:{service.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.free.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(root=tmp_path, model="toy", database=Database(tmp_path / "state.db"), clock=FakeClock())


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as service:
        yield service


def webhook(context: Context, monkeypatch: pytest.MonkeyPatch, url: str, timeout_s: float = 3.0) -> Webhook:
    monkeypatch.setenv("ALERTS_URL", url)
    return Webhook(Options(url_env="ALERTS_URL", timeout=Duration(timeout_s)), context)


def test_a_webhook_gets_the_notice_as_json_with_a_text(
    context: Context, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook(context, monkeypatch, f"http://127.0.0.1:{service.port}{SECRET}?v=1").tell(NOTICE)
    ((path, body),) = service.heard
    assert path == f"{SECRET}?v=1"
    assert (body["text"], body["kind"], body["id"]) == (NOTICE.text, "paused", NOTICE.id)
    assert body["at"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("status", [302, 404, 500, 503])
def test_anything_but_2xx_is_not_taken_and_the_url_stays_secret(
    context: Context, service: Service, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    service.status = status
    with pytest.raises(WorldFailed, match=f"POST to ALERTS_URL was answered with {status}") as failed:
        webhook(context, monkeypatch, f"http://127.0.0.1:{service.port}{SECRET}").tell(NOTICE)
    assert "secret" not in str(failed.value) + failed.value.fix
    assert len(service.heard) == 1


def test_a_webhook_that_hangs_is_given_up(context: Context, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.hangs = True
    with pytest.raises(WorldFailed, match="POST to ALERTS_URL: ") as failed:
        webhook(context, monkeypatch, f"http://127.0.0.1:{service.port}{SECRET}", timeout_s=0.2).tell(NOTICE)
    assert "secret" not in str(failed.value)


def test_a_port_that_is_closed(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorldFailed, match="POST to ALERTS_URL: Connection refused"):
        webhook(context, monkeypatch, f"http://127.0.0.1:{free_port()}{SECRET}").tell(NOTICE)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "is not set"),
        ("file:///etc/passwd", "is no http or https URL"),
        ("hooks/x", "is no http or https URL"),
        ("https://ada:secret@hooks/x", "holds a user name or a password"),
        ("http://169.254.169.254/latest/meta-data", "leads to a link-local address"),
        ("http://[fe80::1]/x", "leads to a link-local address"),
    ],
)
def test_a_url_that_cannot_be_called(context: Context, monkeypatch: pytest.MonkeyPatch, url: str, what: str) -> None:
    with pytest.raises(UnusableInput, match=what) as refused:
        webhook(context, monkeypatch, url).tell(NOTICE)
    assert "secret" not in str(refused.value)


def command(context: Context, program: str, timeout_s: float = 20.0) -> Command:
    argv = (sys.executable, "-c", program)
    return Command(CommandOptions(command=argv, timeout=Duration(timeout_s)), context)


def test_a_command_reads_the_notice_in_the_workspace(context: Context, tmp_path: Path) -> None:
    command(context, "import sys; open('heard.json', 'w').write(sys.stdin.read())").tell(NOTICE)
    assert json.loads((tmp_path / "heard.json").read_text())["text"] == NOTICE.text


def test_a_command_that_fails_is_told_with_its_last_words(context: Context) -> None:
    with pytest.raises(WorldFailed, match="ended with exit code 7: no such team"):
        command(context, "import sys; sys.stderr.write('no such team'); sys.exit(7)").tell(NOTICE)


def test_a_command_that_hangs_is_ended(context: Context) -> None:
    with pytest.raises(WorldFailed, match="took more than 500ms"):
        command(context, "import signal; signal.pause()", timeout_s=0.5).tell(NOTICE)


def test_a_command_that_is_not_there(context: Context) -> None:
    absent = Command(CommandOptions(command=("no-such-pager",)), context)
    with pytest.raises(WorldFailed, match="there is no such program"):
        absent.tell(NOTICE)
