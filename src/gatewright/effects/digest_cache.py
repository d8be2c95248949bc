"""sha256 of files that nobody has touched since they were read last: what `stat` tells stands for the bytes.

A digest is remembered with device, inode, size, and the times of the last change of content (mtime) and of anything
(ctime). All five have to agree. A file that changed within `RACY_NS` of being read may change once more without a new
time, as file systems count in ticks: such a digest is not remembered (git's "racy" rule).

One file holds them all, in a folder that git ignores. It is only ever a shortcut: lost, damaged or not writable, every
file is read again.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from stat import S_ISREG
from typing import Any

from gatewright.effects.files import digest_file

RACY_NS = 2_000_000_000
"""The coarsest file system in use counts in 2 s (FAT)."""
FORM = "gatewright/digests/1"
_MOST = 200_000
_Entry = list[Any]


class DigestCache:
    """Digests remembered in the file `path`; read when first asked, written by `save`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, _Entry] | None = None
        self._changed = False

    def digest(self, path: Path) -> str:
        """sha256 of the file at `path` as hex, from memory when nothing about it has changed. OSError as `open`'s."""
        found = path.stat()
        key, stamp = _stamp(found)
        known = self._entries().get(key)
        if known is not None and known[:3] == stamp:
            return str(known[3])
        started = time.time_ns()
        digest = digest_file(path)
        if _stamp(path.stat()) == (key, stamp) and S_ISREG(found.st_mode) and found.st_mtime_ns < started - RACY_NS:
            self._entries().pop(key, None)  # to the end: the oldest go first
            self._entries()[key] = [*stamp, digest]
            self._changed = True
        return digest

    def forget(self) -> None:
        """Read every file again from now on."""
        self._known, self._changed = {}, True

    def save(self) -> None:
        """Keep what was learnt; a folder that does not exist or cannot be written keeps nothing."""
        if not self._changed or not self._path.parent.is_dir():
            return
        entries = dict(list(self._entries().items())[-_MOST:])
        text = json.dumps({"form": FORM, "entries": entries}, separators=(",", ":"))
        try:
            handle, name = tempfile.mkstemp(prefix=f"{self._path.name}-", dir=self._path.parent)
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(text)
                Path(name).replace(self._path)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError:
            return  # a full disk costs the shortcut, not the work
        self._changed = False

    def _entries(self) -> dict[str, _Entry]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known


def _stamp(found: os.stat_result) -> tuple[str, _Entry]:
    return f"{found.st_dev}:{found.st_ino}", [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _read(path: Path) -> dict[str, _Entry]:
    try:
        document = json.loads(path.read_bytes())
        if document["form"] != FORM:
            return {}
        entries: dict[str, _Entry] = document["entries"]
        return {key: entry for key, entry in entries.items() if _is_entry(entry)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 4
        and all(type(number) is int for number in entry[:3])
        and isinstance(entry[3], str)
        and len(entry[3]) == 64
    )
