"""`gatewright data verify` when nothing changed: known without a look into any file, and never known too much."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gatewright.cli import data_verify, entry
from gatewright.effects.digest_cache import RACY_NS
from gatewright.engine import verifying
from gatewright.store import verified
from tests.unit.cli.conftest import Shell, Told

RECORD = Path(".gatewright/verified")


class Later:
    """A clock that is far enough behind the last change of any file of this test."""

    @staticmethod
    def time_ns() -> int:
        """The present moment and a minute, in ns."""
        return time.time_ns() + 60_000_000_000


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were verified in full."""
    seen: list[str] = []
    present = data_verify._present

    def told(version, source, every_byte):  # type: ignore[no-untyped-def]
        seen.append(version.name)
        return present(version, source, every_byte)

    monkeypatch.setattr(data_verify, "_present", told)
    return seen


@pytest.fixture
def verify(shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """`gatewright data verify` from where the command begins."""

    def call(*words: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["gatewright", "data", "verify", *words])
        with pytest.raises(SystemExit) as ended:
            entry.main()
        said = capsys.readouterr()
        return Told(code=int(ended.value.code or 0), out=said.out, err=said.err)

    return call


@pytest.fixture
def root(
    shell: Shell, verify: Callable[..., Told], full: list[str], empty: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder and a file of data that have just been verified in full."""
    (empty / "data/set/more").mkdir(parents=True)
    for name in ("set/a", "set/more/b", "one"):
        pl.DataFrame({"id": range(9), "y": [n % 2 for n in range(9)]}).write_csv(empty / f"data/{name}.csv")
    (empty / "data/set/notes.txt").write_text("no data")
    assert shell("data", "add", "set", "data/set", "--data-to", "2026-06-29").code == 0
    assert shell("data", "add", "one", "data/one.csv", "--role", "eval", "--data-to", "2026-06-30").code == 0
    monkeypatch.setattr(verifying, "time", Later)
    assert verify().code == 0
    assert full == ["one", "set"]
    full.clear()
    return empty


@pytest.mark.parametrize("words", [(), ("--output", "json"), ("--output=json",), ("set",), ("one", "--output", "text")])
def test_what_is_known_is_said_as_the_full_verification_says_it(
    root: Path, verify: Callable[..., Told], full: list[str], words: tuple[str, ...]
) -> None:
    known = verify(*words)
    assert full == []
    shutil.rmtree(root / ".gatewright")
    assert verify(*words) == known
    assert full != []


def test_another_folder_and_files_that_are_no_data(root: Path, verify: Callable[..., Told], full: list[str]) -> None:
    (root / "data/set/notes.txt").write_text("other words")
    (root / "data/set/.hidden.csv").write_text("x\n1\n")
    os.chdir("/")
    known = verify("-C", str(root))
    assert (known.code, known.out.count("verified"), full) == (0, 2, [])


def longer(root: Path) -> None:
    with (root / "data/set/a.csv").open("a") as file:
        file.write("10,1\n")


def deleted(root: Path) -> None:
    (root / "data/set/more/b.csv").unlink()


def folder_gone(root: Path) -> None:
    shutil.rmtree(root / "data/set/more")


def another_inode(root: Path) -> None:
    path = root / "data/one.csv"
    other = root / "other"
    other.write_bytes(path.read_bytes().replace(b"8", b"7"))
    os.utime(other, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def same_size_and_mtime(root: Path) -> None:
    path = root / "data/one.csv"
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().replace(b"8", b"7"))
    os.utime(path, ns=(before, before))


def pointer_edited(root: Path) -> None:
    path = next((root / "data/versions/one").iterdir())
    before = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace("rows: 9", "rows: 0"))
    os.utime(path, ns=(before, before))


@pytest.mark.parametrize(
    "change",
    [longer, deleted, folder_gone, another_inode, same_size_and_mtime, pointer_edited],
    ids=lambda c: c.__name__,
)
def test_a_change_is_found(root: Path, verify: Callable[..., Told], change: Callable[[Path], None]) -> None:
    change(root)
    found = verify()
    assert found.code == 2, found.out
    assert verify().code == 2, "and is not remembered as proven"


def link_that_leads_out(root: Path) -> None:
    (root / "out.csv").write_text("id,y\n1,1\n")
    (root / "data/set/z.csv").symlink_to(root / "out.csv")


def test_a_link_that_leads_out_is_refused(root: Path, verify: Callable[..., Told]) -> None:
    link_that_leads_out(root)
    found = verify()
    assert (found.code, "leads out of" in found.err) == (2, True)


def added(root: Path) -> None:
    shutil.copy(root / "data/one.csv", root / "data/set/new.csv")


def touched(root: Path) -> None:
    os.utime(root / "data/one.csv")


def damaged(root: Path) -> None:
    text = (root / RECORD).read_bytes()
    (root / RECORD).write_bytes(text[:-3] + bytes([text[-3] ^ 1]) + text[-2:])


def cut(root: Path) -> None:
    (root / RECORD).write_bytes((root / RECORD).read_bytes()[:-40])


def emptied(root: Path) -> None:
    (root / RECORD).write_bytes(b"")


def of_another_form(root: Path) -> None:
    (root / RECORD).write_bytes((root / RECORD).read_bytes().replace(b"verified/1", b"verified/0"))


def a_folder(root: Path) -> None:
    (root / RECORD).unlink()
    (root / RECORD).mkdir()


@pytest.mark.parametrize(
    "change", [added, touched, damaged, cut, emptied, of_another_form, a_folder], ids=lambda c: c.__name__
)
def test_whatever_is_not_as_remembered_is_verified_in_full(
    root: Path, verify: Callable[..., Told], full: list[str], change: Callable[[Path], None]
) -> None:
    change(root)
    found = verify()
    assert (found.code, found.out.count("verified"), full) == (0, 2, ["one", "set"]), found.err


def test_another_release_verifies_in_full(
    root: Path, verify: Callable[..., Told], full: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "__version__", "9.9")
    assert verify().code == 0
    assert full == ["one", "set"]


def test_a_new_version_is_verified(root: Path, shell: Shell, verify: Callable[..., Told], full: list[str]) -> None:
    shell("data", "add", "next", "data/set", "--data-to", "2026-07-01")
    found = verify()
    assert (found.out.count("verified"), full) == (3, ["next", "one", "set"])


def test_every_byte_is_read_when_asked_for(root: Path, verify: Callable[..., Told], full: list[str]) -> None:
    assert verify("--bytes").code == 0
    assert full == ["one", "set"]


@pytest.mark.parametrize("words", [("none",), ("set", "2026-06"), ("--output", "yaml"), ("--nothing",), ("-C", "")])
def test_other_words_are_left_to_the_full_command(
    root: Path, shell: Shell, verify: Callable[..., Told], words: tuple[str, ...]
) -> None:
    assert verify(*words) == shell("data", "verify", *words)


def test_what_changed_just_now_is_not_remembered(
    root: Path, verify: Callable[..., Told], full: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    touched(root)
    touched_at = (root / "data/one.csv").stat().st_ctime_ns

    class Soon:
        @staticmethod
        def time_ns() -> int:
            return touched_at + RACY_NS

    monkeypatch.setattr(verifying, "time", Soon)
    assert verify().code == 0
    full.clear()
    assert verify().code == 0
    assert "one" in full, "one more change may leave no trace"


def test_what_changes_while_it_is_verified_is_not_remembered(
    root: Path, verify: Callable[..., Told], full: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / RECORD).unlink()
    present = data_verify._present

    def changed_meanwhile(version, source, every_byte):  # type: ignore[no-untyped-def]
        found = present(version, source, every_byte)
        if version.name == "one":
            same_size_and_mtime(root)
        return found

    monkeypatch.setattr(data_verify, "_present", changed_meanwhile)
    assert verify().code == 0
    monkeypatch.setattr(data_verify, "_present", present)
    assert verify().code == 2
