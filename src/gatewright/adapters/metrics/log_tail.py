"""Reading a growing, rotated log of lines: every complete line once, with a position that goes on across rotations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_GROWTH = 1 << 24  # the proxy goes on writing into a rotated file for a moment: room for positions of these lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where reading goes on. `base` is the position of the first byte of the file with `inode`, `before` that of the
    file rotated away from it: what lies between `at` and `base` is still to be read there."""

    inode: int = 0
    base: int = 0
    at: int = 0
    before: int = 0


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

    What is left of a file rotated to `<name>.1` comes first; what was rotated away twice is left out.
    OSError when the log cannot be read.
    """
    if not path.exists():
        return position, []
    found = path.stat()
    inode = found.st_ino
    # An inode is given away again once its file is gone: one that is shorter than what was read of it is another file.
    same = position.inode in (0, inode) and found.st_size >= position.at - position.base
    rotated = path.with_name(path.name + ".1")
    today = replace(position, inode=inode)
    if not same:
        base = position.at
        if rotated.exists() and rotated.stat().st_ino == position.inode:
            base = position.base + rotated.stat().st_size + _GROWTH
        today = Position(inode=inode, base=base, at=position.at, before=position.base)
    rest: list[Line] = []
    if today.at < today.base and rotated.exists():
        rest = list(_lines(rotated, today.at, today.before))
    return today, rest + list(_lines(path, today.at, today.base))


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


def _lines(path: Path, at: int, base: int) -> Iterator[Line]:
    at = max(at, base)
    with path.open("rb") as file:
        file.seek(at - base)
        for text in file:
            if not text.endswith(b"\n"):
                return
            yield Line(text=text, at=at, end=at + len(text))
            at += len(text)
