"""A reserve of disk space, given up for what must be written although the disk is full."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gatewright.domain.errors import WorldFailed
from gatewright.effects.files import write_atomic

_PAGE = 4096


class Reserve:
    """The file `path`, which holds `size` bytes for nothing else, or as many as could be had."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def write_atomic(self, path: Path, data: bytes) -> None:
        """As effects.files does; where that fails, once more in the space of the reserve, which is then taken again."""
        try:
            write_atomic(path, data)
        except WorldFailed:
            if not self._path.exists():
                raise
            self._path.unlink()
            write_atomic(path, data)
        finally:
            self._hold()

    def _hold(self) -> None:
        if self._path.exists() and self._path.stat().st_size >= self._size:
            return
        with contextlib.suppress(OSError), self._path.open("ab", buffering=0) as file:
            # Page by page: of a disk that is nearly full it takes what there is.
            while os.fstat(file.fileno()).st_size < self._size:
                file.write(b"\0" * _PAGE)
