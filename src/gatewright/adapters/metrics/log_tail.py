"""Reading a growing, rotated log of lines: every complete line once, with a position that goes on across rotations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where reading goes on: `base` is the position of the first byte of the file with `inode`."""

    inode: int = 0
    base: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One complete line and the position behind it."""

    text: bytes
    at: int
    end: int


def at_end(path: Path) -> Position:
    """The position behind the last byte that `path` has now."""
    if not path.exists():
        return Position()
    found = path.stat()
    return Position(inode=found.st_ino, at=found.st_size)


def read_on(path: Path, position: Position) -> tuple[Position, list[Line]]:
    """Complete lines behind `position`, and the position with the inode and base of today's file.

    When the file was rotated to `<name>.1` its rest comes first. OSError when the log cannot be read.
    """
    if not path.exists():
        return position, []
    inode = path.stat().st_ino
    if position.inode in (0, inode):
        today = Position(inode=inode, base=position.base, at=position.at)
        return today, list(_lines(path, today))
    rotated = path.with_name(path.name + ".1")
    rest, base = [], position.at
    if rotated.exists() and rotated.stat().st_ino == position.inode:
        rest = list(_lines(rotated, position))
        base = position.base + rotated.stat().st_size
    today = Position(inode=inode, base=base, at=base)
    return Position(inode=inode, base=base, at=position.at), rest + list(_lines(path, today))


def newest(path: Path, limit: int) -> Iterator[bytes]:
    """Complete lines among the last `limit` bytes of `path`, oldest first."""
    if not path.exists():
        return
    start = max(0, path.stat().st_size - limit)
    with path.open("rb") as file:
        file.seek(start)
        if start:
            file.readline()
        for line in file:
            if line.endswith(b"\n"):
                yield line


def _lines(path: Path, position: Position) -> Iterator[Line]:
    at = max(position.at, position.base)
    with path.open("rb") as file:
        file.seek(at - position.base)
        for text in file:
            if not text.endswith(b"\n"):
                return
            yield Line(text=text, at=at, end=at + len(text))
            at += len(text)
