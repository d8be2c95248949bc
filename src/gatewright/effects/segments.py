"""Append-only lines in a folder, cut into segments: bounded in size, and whole whatever moment the writer is killed at.

Each writer has segments of its own, named by the moment at which they began; a line is complete once its line end is
there. After a write that failed a new segment begins, so that a torn line can only be the last one of its segment.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PARTS = 16
_SMALLEST = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Complete lines of one segment, without their ends, and the position behind the last of them."""

    segment: str
    lines: tuple[bytes, ...]
    end: int


class Segments:
    """The segments `<prefix>-<nanoseconds>-<pid>.jsonl` of one writer; all writers together keep about `limit` bytes.

    Safe to share between threads.
    """

    def __init__(self, folder: Path, prefix: str, *, limit: int) -> None:
        self._folder = folder
        self._prefix = prefix
        self._limit = limit
        self._size = max(limit // _PARTS, _SMALLEST)
        self._lock = threading.Lock()
        self._file = -1
        self._written = 0

    def append(self, data: bytes, *, durable: bool = False) -> None:
        """Write complete lines, to the disk itself when `durable`. OSError when the disk refuses."""
        with self._lock:
            try:
                self._open()
                written = os.write(self._file, data)
                self._written += written
                if written < len(data):
                    raise OSError(28, "the disk is full")
                if durable:
                    os.fsync(self._file)
            except OSError:
                self._close()
                raise

    def close(self) -> None:
        """Let the segment be; another append begins a new one."""
        with self._lock:
            self._close()

    def _open(self) -> None:
        """Make sure that there is a segment with room, which nobody has removed."""
        if self._file >= 0 and self._written < self._size and os.fstat(self._file).st_nlink:
            return
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room()
        path = self._folder / f"{self._prefix}-{time.time_ns():020d}-{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._written = 0

    def _make_room(self) -> None:
        sizes = [(path, path.stat().st_size) for path in segments(self._folder, self._prefix) if path.exists()]
        total = sum(size for _, size in sizes)
        for path, size in sizes:
            if total <= self._limit - self._size:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def segments(folder: Path, prefix: str) -> list[Path]:
    """All segments with this prefix, oldest first."""
    return sorted(folder.glob(f"{prefix}-*.jsonl")) if folder.is_dir() else []


def began(path: Path) -> float:
    """The moment at which a segment began, in seconds since the epoch."""
    return int(path.stem.split("-")[-2]) / 1e9


def read_chunks(paths: list[Path], positions: dict[str, int], *, most: int) -> Iterator[Chunk]:
    """Complete lines behind `positions` (by file name), in about `most` bytes at a time; OSError if one cannot be read.

    A segment removed meanwhile has none.
    """
    for path in paths:
        at = positions.get(path.name, 0)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        with file:
            file.seek(at)
            while lines := file.readlines(most):
                whole = [line for line in lines if line.endswith(b"\n")]
                at += sum(map(len, whole))
                if whole:
                    yield Chunk(segment=path.name, lines=tuple(line[:-1] for line in whole), end=at)
                if len(whole) < len(lines):
                    break
