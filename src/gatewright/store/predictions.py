"""Predictions of models on evaluation sets, kept so that nobody predicts the same rows twice.

One file per entry, `<key>-<sha256 of its bytes>.parquet`: a damaged entry proves itself damaged, and is thrown away.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gatewright.domain.documents import canonical_json
from gatewright.effects.files import write_atomic

MOST_FILES = 20
MOST_BYTES = 1 << 30
_PATTERN = "*.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was found: the bytes, or that there was an entry that cannot be used."""

    data: bytes | None = None
    damaged: bool = False


class PredictionCache:
    """A folder with the newest entries: at most 20 files, at most 1 GiB."""

    def __init__(self, folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_files = most_files
        self._most_bytes = most_bytes

    def get(self, made_from: Mapping[str, str]) -> Kept:
        """The entry that was made from exactly this; a damaged one is deleted."""
        key = _key(made_from)
        for path in sorted(self._folder.glob(f"{key}-{_PATTERN}")):
            data = path.read_bytes()
            if path.stem == f"{key}-{hashlib.sha256(data).hexdigest()}":
                os.utime(path)  # the newest are kept: used is as good as new
                return Kept(data=data)
            path.unlink(missing_ok=True)
            return Kept(damaged=True)
        return Kept()

    def put(self, made_from: Mapping[str, str], data: bytes) -> None:
        """Keep `data`, in place of an older entry made from the same; the oldest entries make room."""
        if len(data) > self._most_bytes:
            return
        key = _key(made_from)
        path = self._folder / f"{key}-{hashlib.sha256(data).hexdigest()}.parquet"
        write_atomic(path, data)
        for other in self._folder.glob(f"{key}-{_PATTERN}"):
            if other != path:
                other.unlink(missing_ok=True)
        self._make_room()

    def _make_room(self) -> None:
        entries = sorted(self._folder.glob(_PATTERN), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        size = 0
        for place, path in enumerate(entries):
            size += path.stat().st_size
            if place >= self._most_files or size > self._most_bytes:
                path.unlink(missing_ok=True)


def _key(made_from: Mapping[str, str]) -> str:
    return hashlib.sha256(canonical_json(dict(made_from))).hexdigest()[:32]
