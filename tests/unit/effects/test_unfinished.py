"""What a killed writer leaves is swept away; what a living one writes, and what is not ours, is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gatewright.effects import unfinished
from gatewright.effects.files import copy_tree_atomic, write_atomic
from gatewright.effects.unfinished import sweep, unfinished_file, unfinished_folder

KILLED = {
    "write": "write_atomic(Path(sys.argv[1]) / 'a.json', b'1')",
    "copy": "copy_tree_atomic(Path(sys.argv[1]) / 'source', Path(sys.argv[1]) / 'target')",
}


def kill(what: str, folder: Path, point: str) -> None:
    code = f"import sys\nfrom pathlib import Path\nfrom gatewright.effects.files import *\n{KILLED[what]}\n"
    environment = {**os.environ, "GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": point}
    done = subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_the_next_write_of_the_same_file_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    kill("write", tmp_path, "before-rename:a.json")
    (left,) = hidden(tmp_path)
    write_atomic(tmp_path / "b.json", b"2")
    assert hidden(tmp_path) == [left]
    write_atomic(tmp_path / "a.json", b"2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


@pytest.mark.parametrize("there", [False, True])
def test_the_next_copy_sweeps_what_a_killed_one_left(tmp_path: Path, there: bool) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"1")
    kill("copy", tmp_path, f"before-rename:{tmp_path.name}")
    assert len(hidden(tmp_path)) == 1
    if there:
        (tmp_path / "target").mkdir()
    copy_tree_atomic(tmp_path / "source", tmp_path / "target")
    assert hidden(tmp_path) == []


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    with unfinished_file(tmp_path / "a") as (file, _), unfinished_folder(tmp_path / "b") as folder:
        (folder / "inside").write_bytes(b"1")
        sweep(tmp_path)
        assert file.exists()
        assert (folder / "inside").exists()
    assert hidden(tmp_path) == []


def test_only_unfinished_things_are_swept(tmp_path: Path) -> None:
    names = [".held", ".a.json", ".a.json.short", ".a.json.UPPERCAS", "a.json.abcdefgh"]
    for name in [*names, ".a.json.abcd_123"]:
        (tmp_path / name).write_bytes(b"1")
    sweep(tmp_path, "b.json")
    assert len(list(tmp_path.iterdir())) == len(names) + 1
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    sweep(tmp_path / "absent")


def test_a_writer_that_is_swept_before_it_has_its_lock_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, swept = unfinished._locked, list[Path]()

    def late(handle: int, path: Path, *, wait: bool) -> bool:
        if not swept:
            swept.append(path)
            path.unlink()
        return locked(handle, path, wait=wait)

    monkeypatch.setattr(unfinished, "_locked", late)
    write_atomic(tmp_path / "a.json", b"1")
    assert len(swept) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
