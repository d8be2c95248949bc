"""Bytes of other places kept here, by their sha256: `.gatewright/data-cache/sha256/ab/abcd…`.

A file is there whole or not at all, and cannot be written to. Beside the bytes lies what was learnt on the way: which
sha256 stood behind which id of a source (an object and its version, or its ETag with size and time). That is only ever
a shortcut; bytes are proved by their sha256 alone. Nothing is removed by itself: of a source that keeps no old versions
these may be the last bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import DataFile
from gatewright.effects.digest_cache import DigestCache
from gatewright.effects.files import write_atomic

FOLDER = Path(".gatewright") / "data-cache"
FORM = "gatewright/learnt/1"
_MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What some bytes are: their number and their sha256 as hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the cache holds, or what was removed from it: files and their bytes."""

    files: int
    size: int


class DataCache:
    """The cache of the workspace at `root`."""

    def __init__(self, root: Path, digests: DigestCache) -> None:
        self._folder = root / FOLDER
        self._digests = digests
        self._learnt: dict[str, Content] | None = None

    def path(self, sha256: str) -> Path:
        """Where the bytes with this sha256 lie, or would."""
        return self._folder / "sha256" / sha256[:2] / sha256

    def holds(self, content: Content | DataFile) -> bool:
        """Whether these bytes are here and still right; damaged ones are removed."""
        path = self.path(content.sha256)
        if not path.is_file():
            return False
        if path.stat().st_size == content.size and self._digests.digest(path) == content.sha256:
            os.utime(path)  # used just now: the last to go
            return True
        path.unlink(missing_ok=True)
        return False

    def keep(self, chunks: Iterable[bytes], refuse: Callable[[Content], None]) -> Content:
        """Keep the bytes of `chunks` once they have all come and `refuse` has not raised; else nothing is left.

        WorldFailed if the disk refuses.
        """
        try:
            unfinished = self._begun()
        except OSError as error:
            raise _refused(self._folder, error) from error
        try:
            content = _written(chunks, unfinished)
            refuse(content)
            target = self.path(content.sha256)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                unfinished.chmod(0o444)
                unfinished.replace(target)
            except OSError as error:
                raise _refused(target, error) from error
            return content
        finally:
            unfinished.unlink(missing_ok=True)

    def learnt(self, key: str) -> Content | None:
        """What stood behind the source's id `key`, if it was seen before."""
        return self._known().get(key)

    def learn(self, key: str, content: Content) -> None:
        """Remember what stands behind the source's id `key`, at once: whoever is interrupted goes on from here."""
        known = self._known()
        known.pop(key, None)
        known[key] = content
        entries = {name: [each.size, each.sha256] for name, each in list(known.items())[-_MOST:]}
        write_atomic(self._folder / "learnt.json", json.dumps({"form": FORM, "entries": entries}).encode())

    def usage(self) -> Usage:
        """What is here."""
        return _total(self._files())

    def prune(self, limit: int) -> Usage:
        """Remove what was used least lately until at most `limit` bytes are left; what was removed."""
        files = sorted(self._files(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        left, gone = 0, []
        for path in files:
            left += path.stat().st_size
            if left > limit:
                gone.append(path)
        removed = _total(gone)
        for path in gone:
            path.unlink(missing_ok=True)
        for path in (self._folder / "coming").glob("*"):
            path.unlink(missing_ok=True)  # begun and never finished
        return removed

    def _files(self) -> list[Path]:
        return [path for path in (self._folder / "sha256").glob("*/*") if path.is_file()]

    def _begun(self) -> Path:
        folder = self._folder / "coming"
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        return Path(name)

    def _known(self) -> dict[str, Content]:
        if self._learnt is None:
            self._learnt = _read(self._folder / "learnt.json")
        return self._learnt


def _written(chunks: Iterable[bytes], path: Path) -> Content:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            try:
                file.write(chunk)
            except OSError as error:
                raise _refused(path, error) from error
        try:
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise _refused(path, error) from error
    return Content(size=size, sha256=digest.hexdigest())


def _read(path: Path) -> dict[str, Content]:
    try:
        document = json.loads(path.read_bytes())
        if document["form"] != FORM:
            return {}
        return {
            key: Content(size=size, sha256=sha256)
            for key, (size, sha256) in document["entries"].items()
            if type(size) is int and isinstance(sha256, str) and len(sha256) == 64
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _total(paths: Iterable[Path]) -> Usage:
    sizes = [path.stat().st_size for path in paths]
    return Usage(files=len(sizes), size=sum(sizes))


def _refused(path: Path, error: OSError) -> WorldFailed:
    return WorldFailed(
        f"cannot write {path}: {error.strerror or error}",
        fix="free space (gatewright data cache --prune) or mend the rights; what has come is kept",
    )
