"""Files are written whole or not at all, listed without leaving their folder, and killed at named points."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.effects import files
from gatewright.effects.files import (
    copy_tree_atomic,
    digest_listing,
    list_files,
    place_folder,
    remove,
    safe_join,
    write_atomic,
)


def test_a_write_is_synced_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(files.os, "fsync", lambda number: (done.append("sync"), sync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda self, target: (done.append("rename"), replace(self, target))[1])
    write_atomic(tmp_path / "new" / "a.json", b"1")
    assert done == ["sync", "rename", "sync"]
    assert (tmp_path / "new" / "a.json").read_bytes() == b"1"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.json", b"old")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(WorldFailed, match=r"cannot write .*a\.json: File too large") as caught:
            write_atomic(tmp_path / "a.json", b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.exit_code == 4
    assert (tmp_path / "a.json").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["../b", "/etc/passwd", "a/../../b", "a\0b", "link/b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(UnusableInput, match="leads out of"):
        safe_join(tmp_path / "in", name)
    assert safe_join(tmp_path / "in", "x/y") == tmp_path / "in" / "x" / "y"


def test_files_are_listed_by_path_and_a_link_out_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "b").mkdir(parents=True)
    (root / "b" / "two").write_bytes(b"2")
    (root / "a").write_bytes(b"1")
    listed = list_files(root)
    assert [file.path for file in listed] == ["a", "b/two"]
    assert digest_listing(reversed(listed)) == digest_listing(listed)
    (tmp_path / "secret").write_bytes(b"s")
    (root / "c").symlink_to(tmp_path / "secret")
    with pytest.raises(UnusableInput, match="leads out of"):
        list_files(root)


def test_a_copy_is_there_as_a_whole_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"1")

    def refuse(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "_sync_file", refuse)
        with pytest.raises(WorldFailed, match="No space left"):
            copy_tree_atomic(source, tmp_path / "to" / "target")
    assert list((tmp_path / "to").iterdir()) == []
    copy_tree_atomic(source, tmp_path / "to" / "target")
    (source / "file").write_bytes(b"2")
    copy_tree_atomic(source, tmp_path / "to" / "target")
    assert (tmp_path / "to" / "target" / "file").read_bytes() == b"1"


def reach(points: str, armed: str, testing: str = "1") -> int:
    code = f"from gatewright.effects.failpoints import failpoint\nfor name in {points.split()}: failpoint(name)\n"
    environment = {**os.environ, "GATEWRIGHT_FAILPOINTS": armed, "GATEWRIGHT_TESTING": testing}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode


@pytest.mark.parametrize(
    ("armed", "testing", "killed"),
    [
        ("b", "1", True),
        ("a@2", "1", True),
        ("a@3", "1", False),
        ("x,b", "1", True),
        ("#3", "1", True),
        ("#4", "1", False),
        ("b", "0", False),
        ("", "1", False),
    ],
)
def test_a_failpoint_kills_at_its_occurrence_and_only_under_the_switch(armed: str, testing: str, killed: bool) -> None:
    assert reach("a b a", armed, testing) == (-signal.SIGKILL if killed else 0)


def test_a_failpoint_stops_when_it_shall_and_goes_on_afterwards(tmp_path: Path) -> None:
    passed = tmp_path / "passed"
    code = "from gatewright.effects.failpoints import failpoint\nfor name in 'aba': failpoint(name)\n"
    environment = {
        **os.environ,
        "GATEWRIGHT_TESTING": "1",
        "GATEWRIGHT_FAILPOINTS": "b=stop",
        "GATEWRIGHT_FAILPOINTS_PASSED": str(passed),
    }
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert passed.read_text().split() == ["a@1", "b@1"]
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=30) == 0
    assert passed.read_text().split() == ["a@1", "b@1", "a@2"]


def test_removing_takes_files_folders_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "below" / "file").write_bytes(b"1")
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("link", "file", "absent"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    remove(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_of_two_who_copy_to_one_place_at_once_both_are_content(tmp_path: Path) -> None:
    first, second, target = (tmp_path / name for name in ("first", "second", "target"))
    for folder in (first, second):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    place_folder(first, target)
    place_folder(second, target)
    assert (target / "file").read_text() == "first"
    assert second.is_dir()
    with pytest.raises(FileNotFoundError):
        place_folder(tmp_path / "absent", target)
