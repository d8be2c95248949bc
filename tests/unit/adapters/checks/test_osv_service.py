"""The real pip-audit and the real uv against an OSV service on loopback: it knows, or does anything but answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gatewright.adapters.checks.auditing import KNOWN_BAD, DependencyAudit
from gatewright.adapters.checks.pip_audit import PipAuditCheck
from gatewright.adapters.checks.uv_audit import UvAuditCheck
from gatewright.domain.project import Allowance, DependenciesSection
from gatewright.ports import CheckResult, Context
from gatewright.testing import FakeClock

BAD = {*(name for name, _ in KNOWN_BAD), "leaky"}
CHECKS: dict[str, Callable[..., Any]] = {"pip-audit": PipAuditCheck, "uv": UvAuditCheck}


def record(name: str, severity: str | None) -> dict[str, Any]:
    told = {"severity": [{"type": "CVSS_V3", "score": severity}]} if severity else {}
    affected = {
        "package": {"ecosystem": "PyPI", "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.0"}]}],
    }
    stamps = {"modified": "2026-01-01T00:00:00Z", "published": "2018-08-20T00:00:00Z"}
    return {
        "id": f"PYSEC-{name}",
        "aliases": [f"CVE-{name}"],
        "summary": "bad",
        "affected": [affected],
        **stamps,
        **told,
    }


class Osv(ThreadingHTTPServer):
    """A service in a mode: honest, or empty, error, html, stalled."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.mode = "honest"
        self.severity: str | None = None
        self.released = threading.Event()
        self.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        full = self.path.endswith("/query")
        found = [self._vulnerabilities(query, full) for query in (asked.get("queries") or [asked])]
        self._say(found[0] if full else {"results": found})

    def do_GET(self) -> None:
        self._say(record(self.path.rpartition("-")[2], self.server.severity))

    def _vulnerabilities(self, query: Any, full: bool) -> dict[str, Any]:
        name = query["package"]["name"].lower()
        if name not in BAD:
            return {}
        whole = record(name, self.server.severity)
        return {"vulns": [whole if full else {"id": whole["id"], "modified": whole["modified"]}]}

    def _say(self, answer: Any) -> None:
        body, kind, status = json.dumps(answer).encode(), "application/json", 200
        match self.server.mode:
            case "empty":
                body = b"{}"
            case "error":
                status = 500
            case "html":
                body, kind = b"<html>sign in</html>", "text/html"
            case "stalled":
                self.server.released.wait(60)
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def osv() -> Iterator[Osv]:
    server = Osv()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


def audited(root: Path, tool: str, service: str, *lines: str, limit_s: float = 60.0, **policy: Any) -> CheckResult:
    (root / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    section = DependenciesSection(tool=cast("Any", tool), service=service, **policy)
    clock = FakeClock(moment=datetime(2026, 6, 1, tzinfo=UTC))
    check = CHECKS[tool](section, cast("Context", SimpleNamespace(root=root, clock=clock)))
    audit: DependencyAudit = check._audit
    object.__setattr__(audit, "timeout_s", limit_s)
    result: CheckResult = check.run(root)
    return result


@pytest.mark.parametrize("tool", CHECKS)
def test_clean_and_vulnerable(osv: Osv, tmp_path: Path, tool: str) -> None:
    clean = audited(tmp_path, tool, osv.url, "solid==1.0", "other==2.1")
    assert (clean.status, clean.summary) == ("passed", "2 packages, no known vulnerability"), clean.summary
    found = audited(tmp_path, tool, osv.url, "solid==1.0", "leaky==2.1")
    assert (found.status, found.summary) == ("failed", "1 known vulnerability in 2 packages")
    (finding,) = found.findings
    assert (finding.where, finding.rule, "CVE-leaky" in finding.what) == ("leaky 2.1", "PYSEC-leaky", True)
    assert "9.0" in finding.what


@pytest.mark.parametrize("tool", CHECKS)
@pytest.mark.parametrize("mode", ["empty", "error", "html", "stalled", "unreachable"])
def test_a_service_that_does_not_answer_is_no_pass(osv: Osv, tmp_path: Path, tool: str, mode: str) -> None:
    osv.mode = mode
    service = "http://127.0.0.1:1" if mode == "unreachable" else osv.url
    result = audited(tmp_path, tool, service, "solid==1.0", limit_s=1.5 if mode == "stalled" else 60.0)
    assert (result.status, result.findings) == ("unavailable", ()), result.summary


def test_severity_is_asked_of_the_service(osv: Osv, tmp_path: Path) -> None:
    for vector, fail_on, status in (
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L", "high", "passed"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "high", "failed"),
        (None, "critical", "failed"),
    ):
        osv.severity = vector
        result = audited(tmp_path, "uv", osv.url, "leaky==1.0", fail_on=fail_on)
        assert result.status == status, (vector, result.summary)


def test_what_somebody_allows_passes_until_its_day(osv: Osv, tmp_path: Path) -> None:
    for expires, status in ((date(2026, 6, 1), "passed"), (date(2026, 5, 31), "failed")):
        allow = (Allowance(id="CVE-leaky", reason="no such path is called", by="ada", expires=expires),)
        result = audited(tmp_path, "uv", osv.url, "leaky==1.0", allow=allow)
        assert result.status == status
        told = [*cast("Any", result.details["let_through"]), *(finding.what for finding in result.findings)]
        assert "ada" in told[0]
        assert str(expires) in told[0]


def test_uv_does_not_guess_versions(osv: Osv, tmp_path: Path) -> None:
    result = audited(tmp_path, "uv", osv.url, "solid>=1.0")
    assert (result.status, "does not pin every package" in result.summary) == ("unavailable", True)
