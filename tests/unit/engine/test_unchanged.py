"""The quick look says "unchanged" only while every byte that the full look read is the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewright.engine.unchanged import remember_unchanged, still_unchanged
from gatewright.store.database import Database

PROOF = {"data": "people-train 2026-01-01-aaaaaaaa"}


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@localhost")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "versions" / "people").mkdir(parents=True)
    (tmp_path / "data" / "versions" / "people" / "one.yaml").write_text("name: people\n", encoding="utf-8")
    (tmp_path / "gatewright.yaml").write_text("model: toy\n", encoding="utf-8")
    (tmp_path / "train.py").write_text("print(1)\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_text(".gatewright/\n", encoding="utf-8")
    Database(tmp_path / ".gatewright" / "state.db").close()
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def record(root: Path) -> None:
    database = Database(root / ".gatewright" / "state.db")
    with database.transaction("test") as connection:
        connection.execute("INSERT INTO records VALUES (1, 'r', 1, '{}', 'p', 'sha256:d')")
    database.close()


def test_holds_as_long_as_nothing_changes(root: Path) -> None:
    assert still_unchanged(root, None) is None
    remember_unchanged(root, None, PROOF)
    assert still_unchanged(root, None) == PROOF
    assert still_unchanged(root, "another") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "gatewright.yaml").write_text("model: toy # changed\n"),
        lambda root: (root / "data" / "versions" / "people" / "two.yaml").write_text("name: people\n"),
        lambda root: (root / "data" / "versions" / "people" / "one.yaml").unlink(),
        lambda root: (root / "train.py").write_text("print(2)\n"),
        lambda root: (root / "new.py").write_text("print(2)\n"),
        lambda root: (root / ".gatewright" / "unchanged.json").write_text("[]"),
        record,
    ],
    ids=["config", "new version", "lost version", "code", "new code", "damaged stamp", "new record"],
)
def test_any_other_byte_asks_for_a_full_look(root: Path, change: Callable[[Path], object]) -> None:
    remember_unchanged(root, None, PROOF)
    change(root)
    assert still_unchanged(root, None) is None


def test_two_models_have_a_stamp_each(root: Path) -> None:
    remember_unchanged(root, "one", PROOF)
    remember_unchanged(root, "two", {"data": "other"})
    assert still_unchanged(root, "one") == PROOF


def test_outside_a_repository_nothing_is_remembered(tmp_path: Path) -> None:
    remember_unchanged(tmp_path, None, PROOF)
    assert still_unchanged(tmp_path, None) is None
