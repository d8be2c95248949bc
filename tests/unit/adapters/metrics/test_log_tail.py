"""Reading on in a log that somebody else rotates."""

from __future__ import annotations

from pathlib import Path

from gatewright.adapters.metrics.log_tail import Position, read_on


def texts(path: Path, position: Position) -> tuple[Position, list[bytes]]:
    """The next position and what was read up to it."""
    today, lines = read_on(path, position)
    return Position(inode=today.inode, base=today.base, at=lines[-1].end, before=today.before), [
        line.text for line in lines
    ]


def test_a_log_that_begins_anew_in_a_file_with_the_same_inode_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    position, told = texts(path, Position())
    assert told == [b"one\n", b"two\n", b"three\n"]
    before = path.stat().st_ino
    path.write_bytes(b"four\n")  # as a file whose inode was free again
    assert path.stat().st_ino == before
    position, told = texts(path, position)
    assert told == [b"four\n"]
    with path.open("ab") as log:
        log.write(b"five\n")
    assert texts(path, position)[1] == [b"five\n"]
