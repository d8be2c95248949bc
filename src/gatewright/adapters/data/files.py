"""Data in files of the workspace: one file (`file`), or several below a folder (`fileset`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gatewright.adapters.data.laying import lay_files
from gatewright.domain.errors import DataError, DigestChanged, Place, Problem, UnusableInput
from gatewright.domain.lineage import DataFile, DataVersion
from gatewright.effects.digest_cache import DigestCache
from gatewright.effects.files import guard, list_files, names_below, safe_join
from gatewright.effects.standing import FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Files have no options."""


class Rooted(Protocol):
    """All that files need to know of a workspace."""

    @property
    def root(self) -> Path:
        """The folder below which every uri lies."""

    @property
    def read_again(self) -> bool:
        """Whether to read every byte, also of files that nobody has touched since they were read last."""


class FileSource:
    """Port `DataSource` on the workspace's own files; a uri is a path below the workspace."""

    def __init__(self, options: Options, context: Rooted) -> None:
        self._root = context.root
        self._digests = DigestCache(context.root / ".gatewright" / "digests.json")
        if context.read_again:
            self._digests.forget()

    def current(self, uri: str) -> tuple[DataFile, ...]:
        """The data file at `uri`, or all data files below it (dot files left out), digested as they are now."""
        place, names = self._listed(uri)
        try:
            return list_files(place, names, self._digests.digest)
        except OSError as error:
            raise _unusable(uri, f"cannot be read: {error.strerror}") from error
        finally:
            self._digests.save()

    def probe(self, uri: str) -> str:
        """A digest over the names, sizes, inodes and times of the files at `uri`; no byte is read."""
        place, names = self._listed(uri)
        lines = []
        try:
            for path in [place / name for name in names] if names else [place]:
                found = path.stat()
                # Not the ctime: laying a file as a hard link changes it.
                lines.append(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ino}")
        except OSError as error:
            raise _unusable(uri, f"cannot be read: {error.strerror}") from error
        return "stat:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]

    def read(self, version: DataVersion, into: Path) -> Path:
        """Lay exactly the files of `version` below `into`, as hard links or copies, each proved by size and sha256.

        Files that are there already and right are kept. DigestChanged names the first file that is not as recorded;
        UnusableInput when `into` holds anything else.
        """
        path = lay_files(version, into, self._sources(version), self._digests.digest, self._shown)
        self._digests.save()
        return path

    def _shown(self, source: Path) -> str:
        return source.relative_to(self._root.resolve()).as_posix()

    def _listed(self, uri: str) -> tuple[Path, Iterable[str] | None]:
        """The place at `uri`, and the sorted names of the data files below it; None when it is itself a file."""
        place = self._place(uri)
        if not place.exists():
            raise _unusable(uri, "there is nothing at this path")
        names: Iterable[str] | None = None
        if place.is_file():
            found = [place.name]
        else:
            shown = (name for name in names_below(place) if not name.startswith(".") and "/." not in name)
            names = found = sorted(name for name in shown if name.lower().endswith(FORMATS))
        if not found or not found[0].lower().endswith(FORMATS):
            raise _unusable(uri, f"there is no data file; their names end in {' or '.join(FORMATS)}")
        return place, names

    def _sources(self, version: DataVersion) -> Callable[[DataFile], Path]:
        """Where the bytes of each file of `version` are; what is called raises DigestChanged when there is no file."""
        base = self._place(version.uri).resolve()
        base = base.parent if version.kind == "file" else base
        refuse_outside = guard(base)

        def source(file: DataFile) -> Path:
            refuse_outside(file.path)
            path = base / file.path
            path = path.resolve() if path.is_symlink() else path
            if not path.is_file():
                raise DigestChanged(
                    f"{file.path} of {version.name} {version.version}",
                    recorded=f"{file.size:,} bytes at {version.uri}",
                    found="no file",
                    fix="restore the recorded bytes; gatewright data verify lists all that is missing",
                )
            return path

        return source

    def _place(self, uri: str) -> Path:
        if "://" in uri:
            raise UnusableInput(f"{uri!r} is no path", fix="files are named by their path below the workspace")
        return safe_join(self._root, uri)


def _unusable(uri: str, what: str) -> DataError:
    return DataError(
        f"{uri} is not usable data",
        (Problem(where=Place(file=uri), field="", what=what),),
        fix="name a .parquet or .csv file, or a folder that holds some",
    )
