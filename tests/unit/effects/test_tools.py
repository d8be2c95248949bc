from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewright.effects.tools import tools_digest


def install(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "site" / name).mkdir()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program and a package, both found first."""
    (tmp_path / "site" / "sums-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "not_a_package").mkdir()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "trainer"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), str(tmp_path / "none")])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        install("more-1.0.dist-info"),
        lambda folder: (folder / "site" / "sums-1.0.dist-info").rename(folder / "site" / "sums-1.1.dist-info"),
        lambda folder: (folder / "site" / "sums-1.0.dist-info").rmdir(),
        lambda folder: (folder / "bin" / "trainer").write_text("#!/bin/sh\nexit 0\n"),
        lambda folder: (folder / "bin" / "trainer").unlink(),
    ],
    ids=["installed", "upgraded", "removed", "program changed", "program gone"],
)
def test_other_tools_have_another_digest(folder: Path, change: Callable[[Path], object]) -> None:
    before = tools_digest("trainer")
    assert before == tools_digest("trainer")
    change(folder)
    assert tools_digest("trainer") != before


def test_what_is_no_package_does_not_count(folder: Path) -> None:
    before = tools_digest("python")
    install("folder")(folder)
    assert tools_digest("python") == before
    assert tools_digest("trainer") != before
