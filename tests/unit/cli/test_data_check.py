"""`gatewright data check`: every way to touch a recorded version is found, and every way to write a wrong new one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from gatewright.cli.data import data
from tests.fixtures.repository import commit_all, git
from tests.unit.cli.conftest import Shell

Touch = Callable[[Path], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions on main, and a branch."""
    root = tmp_path_factory.mktemp("made")
    for number in (1, 2):
        add_version(root, number)
    commit_all(root)
    git(root, "checkout", "--quiet", "-b", "branch")
    return root


@pytest.fixture
def root(made: Path, empty: Path) -> Path:
    """A copy of it, which is the current folder."""
    return Path(shutil.copytree(made, empty, dirs_exist_ok=True))


def add_version(root: Path, number: int) -> None:
    pl.DataFrame({"x": range(10 * number)}).write_parquet(root / f"{number}.parquet")
    words = ["add", "set", f"{number}.parquet", "--data-to", f"2026-0{number}-01", "-C", str(root)]
    assert CliRunner().invoke(data, words, catch_exceptions=False).exit_code == 0


def pointer(root: Path, number: int) -> Path:
    return sorted((root / "data/versions/set").glob("*.yaml"))[number - 1]


def add_third(root: Path) -> Path:
    add_version(root, 3)
    return pointer(root, 3)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.mark.parametrize("words", [("--against", "main"), ("--staged",)])
def test_a_new_version_is_well(root: Path, shell: Shell, words: tuple[str, ...]) -> None:
    new = add_third(root).relative_to(root).as_posix()
    git(root, "add", "data")
    told = shell("data", "check", *words)
    assert told.code == 0, told.err
    assert told.out == f"new  {new}\n1 new, no recorded version was touched\n"


TOUCHES = [
    (lambda root: edit(pointer(root, 1), "created_by:", "created_by: x #"), "was edited"),
    (lambda root: pointer(root, 2).unlink(), "was deleted"),
    (lambda root: pointer(root, 2).rename(pointer(root, 2).with_name("2026-02-01-00000000.yaml")), "renamed to data/"),
    (lambda root: shutil.rmtree(root / "data/versions/set"), "was deleted"),
]


@pytest.mark.parametrize(("touch", "words"), TOUCHES, ids=["edited", "deleted", "renamed", "all deleted"])
@pytest.mark.parametrize("committed", [True, False])
def test_a_touched_version_is_named_with_what_to_do(
    root: Path, shell: Shell, touch: Touch, words: str, committed: bool
) -> None:
    names = [pointer(root, number).relative_to(root).as_posix() for number in (1, 2)]
    touch(root)
    git(root, "add", "--all")
    if committed:
        git(root, "commit", "--quiet", "-m", "touched")
    told = shell("data", "check", "--against", "main")
    assert told.code == 1
    assert words in told.err
    assert any(name in told.err for name in names)
    assert "do: git " in told.err
    assert shell("data", "check", "--staged").code == (0 if committed else 1)


def test_what_main_did_meanwhile_is_not_this_branch_s(root: Path, shell: Shell) -> None:
    git(root, "checkout", "--quiet", "main")
    add_third(root)
    commit_all(root)
    git(root, "checkout", "--quiet", "branch")
    assert shell("data", "check", "--against", "main").code == 0


@pytest.mark.parametrize(
    ("touch", "words"),
    [
        (lambda path: edit(path, "rows: 30", "rows: x"), "whole number"),
        (lambda path: edit(path, "name: set", "name: other"), "lies in the folder 'set'"),
        (lambda path: path.rename(path.with_name("2026-03-01-00000000.yaml")), "but the file is called"),
        (lambda path: edit(path, "parent: 2026-02-01", "parent: 2025-02-01"), "is not there"),
        (lambda path: path.rename(path.with_suffix(".yml")), "is no pointer file"),
    ],
    ids=["bad type", "bad name", "bad file name", "no parent", "bad suffix"],
)
@pytest.mark.parametrize("words_of", [("--against", "main"), ("--staged",)])
def test_a_wrong_new_version(root: Path, shell: Shell, touch: Touch, words: str, words_of: tuple[str, ...]) -> None:
    touch(add_third(root))
    git(root, "add", "--all")
    told = shell("data", "check", *words_of, "--output", "json")
    assert told.code == 1
    document = json.loads(told.out)
    assert document["ok"] is False
    assert any(words in finding["what"] for finding in document["findings"])


def test_staged_looks_at_the_index_and_not_at_the_file(root: Path, shell: Shell) -> None:
    path = add_third(root)
    edit(path, "rows: 30", "rows: x")
    git(root, "add", "data")
    edit(path, "rows: x", "rows: 30")
    assert shell("data", "check", "--staged").code == 1
    assert shell("data", "check", "--against", "main").code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say what to compare with"),
        (("--staged", "--against", "main"), "say what to compare with"),
        (("--against", "nowhere"), "git knows no commit"),
        (("--against", "--output"), "git knows no commit"),
    ],
)
def test_what_cannot_be_compared(root: Path, shell: Shell, words: tuple[str, ...], says: str) -> None:
    told = shell("data", "check", *words)
    assert (told.code, says in told.err) == (2, True), told.err


def test_outside_a_repository(empty: Path, shell: Shell) -> None:
    assert shell("data", "check", "--staged").code == 2
