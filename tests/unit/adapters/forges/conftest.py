"""A CI on loopback with one forge behind it, and what an adapter gets of its workspace."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gatewright.testing import FakeClock
from tests.fixtures.ci_server import CiServer

SECRET = "s3cr3t-of-the-tests"
MARKER = "<!-- gatewright:toy -->"
COMMIT = "c0ffee" * 6 + "c0ff"


@pytest.fixture
def ci() -> Iterator[CiServer]:
    server = CiServer()
    yield server
    server.close()


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("GITHUB_TOKEN", "GATEWRIGHT_GITLAB_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    return SimpleNamespace(clock=FakeClock())
