"""The digest of the code: every change of any file is another digest, and the way it got there is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewright.effects.code import code_digest
from tests.fixtures.repository import commit_all, git

CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda root: (root / "training" / "train.py").write_text("print(2)\n"),
    "edited to the same size": lambda root: (root / "training" / "train.py").write_text("print(7)\n"),
    "new": lambda root: (root / "training" / "new.py").write_text(""),
    "deleted": lambda root: (root / "training" / "deep" / "b.txt").unlink(),
    "renamed": lambda root: (root / "a.txt").rename(root / "b.txt"),
    "moved": lambda root: (root / "a.txt").rename(root / "training" / "a.txt"),
    "swapped": lambda root: swap(root / "a.txt", root / "training" / "train.py"),
    "executable": lambda root: (root / "training" / "train.py").chmod(0o755),
    "a link": lambda root: (root / "link").symlink_to("a.txt"),
    "a file for a link": lambda root: replace_link(root / "training" / "link"),
    "space in a name": lambda root: (root / "training" / "a b\n.py").write_text("x"),
    "data nobody knows": lambda root: (root / "data" / "other.parquet").write_bytes(b"other"),
}


def swap(one: Path, two: Path) -> None:
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def replace_link(path: Path) -> None:
    target = path.read_text()
    path.unlink()
    path.write_text(target)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    for name, text in {
        "training/train.py": "print(1)\n", "training/deep/b.txt": "b", "a.txt": "a", "gatewright.yaml": "model: toy\n",
        "data/versions/set/1.yaml": "rows: 1\n", "data/set.parquet": "rows",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "training" / "link").symlink_to("../a.txt")
    commit_all(root)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "root", symlinks=True))


def digest(root: Path) -> str:
    return code_digest(root, ("gatewright.yaml",), lambda: ["data/set.parquet"])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_another_digest_before_and_after_the_commit(
    root: Path, change: Callable[[Path], object]
) -> None:
    before = digest(root)
    change(root)
    changed = digest(root)
    assert changed != before
    git(root, "add", "--all")
    assert digest(root) == changed
    git(root, "commit", "--quiet", "-m", "change")
    assert digest(root) == changed
    git(root, "revert", "--no-edit", "HEAD")
    assert digest(root) == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_outside_a_repository_too(root: Path, change: Callable[[Path], object]) -> None:
    shutil.rmtree(root / ".git")
    before = digest(root)
    change(root)
    assert digest(root) != before


@pytest.mark.parametrize("name", ["gatewright.yaml", "data/versions/set/2.yaml", "data/set.parquet", ".gatewright/x"])
def test_what_has_a_digest_of_its_own_is_no_code(root: Path, name: str) -> None:
    before = digest(root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("other")
    assert digest(root) == before
    shutil.rmtree(root / ".git")
    outside = digest(root)
    (root / name).write_text("and another")
    assert digest(root) == outside
