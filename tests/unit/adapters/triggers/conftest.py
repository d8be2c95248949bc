"""An order, a repository whose upstream knows its data version, and a CI on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatewright.domain.claim import Order
from tests.fixtures.ci_server import CiServer
from tests.fixtures.repository import commit_all, git

SECRET = "s3cr3t-of-the-tests"
POINTER = "data/versions/people/2026-06-30-0123abcd.yaml"
ORDER = Order(
    model="toy",
    data_version="people@2026-06-30-0123abcd",
    reason="data: people 2026-05-31-aaaaaaaa → people 2026-06-30-0123abcd append, 10 rows",
    run="20260701-120000-0a1b2c3d",
    pointers=(POINTER,),
    created_at=datetime(2026, 7, 1, 12, tzinfo=UTC),
)


@pytest.fixture
def ci() -> Iterator[CiServer]:
    server = CiServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository and its remote side by side, to be copied: making them costs a dozen processes."""
    folder = tmp_path_factory.mktemp("remote")
    git(folder, "init", "--quiet", "--bare", "origin.git")
    git(folder, "clone", "--quiet", "origin.git", "clone")
    clone, pointer = folder / "clone", folder / "clone" / "models" / "toy" / POINTER
    pointer.parent.mkdir(parents=True)
    pointer.write_text("name: people\n", encoding="utf-8")
    git(clone, "checkout", "--quiet", "-B", "main")
    commit_all(clone)
    git(clone, "remote", "set-url", "origin", "../origin.git")
    git(clone, "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A workspace below a repository; its upstream `origin/main` holds the pointer of the order."""
    shutil.copytree(template, tmp_path / "copy")
    return tmp_path / "copy" / "clone" / "models" / "toy"


@pytest.fixture
def context(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("GITHUB_TOKEN", "GITLAB_TRIGGER_TOKEN", "JENKINS_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("JENKINS_USER", "ada")
    return SimpleNamespace(root=root)
