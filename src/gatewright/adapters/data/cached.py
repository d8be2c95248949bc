"""What every source of bytes from elsewhere does: list, bring here once, prove, lay.

A kind tells what there is (`listed`), how its bytes come (`chunks`), what they are called (`pin_of`), and whether
that is as it was (`still`, `exists`).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gatewright.adapters.data.laying import CHANGED, lay_files
from gatewright.domain.errors import DataError, DigestChanged, Place, Problem, UnusableInput, WorldFailed
from gatewright.domain.lineage import DataFile, DataVersion
from gatewright.effects.digest_cache import DigestCache
from gatewright.effects.opened import changing
from gatewright.effects.standing import FORMATS
from gatewright.ports import Pin, Progress
from gatewright.store.data_cache import Content, DataCache

CHUNK = 1 << 20
_TOLD_EVERY = 8 << 20


class Surroundings(Protocol):
    """All that a source needs to know of a workspace."""

    @property
    def root(self) -> Path:
        """The folder below which local paths lie."""

    @property
    def read_again(self) -> bool:
        """Whether nothing that was learnt before may stand for bytes."""

    @property
    def progress(self) -> Progress | None:
        """Who wants to hear how far long work is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file as a source lists it: path below the uri, where its bytes are, their number if it is told.

    `version`: the id with which these bytes, and no others, can be had again. `mark`: whatever changes when the bytes
    do (an ETag, a time); no digest. `md5` where the source promises one.
    """

    path: str
    at: str
    size: int | None
    version: str | None = None
    mark: str | None = None
    md5: str | None = None

    @property
    def key(self) -> str | None:
        """What to remember a sha256 by; None when the source tells nothing that would change with the bytes."""
        name = self.version or self.md5 or (f"{self.size} {self.mark}" if self.mark else None)
        return f"{self.at} {name}" if name else None


class CachedSource(ABC):
    """Ports `DataSource`, `PinnedSource` and `Probed` on top of a list of items and their bytes."""

    def __init__(self, context: Surroundings) -> None:
        self._root = context.root.resolve()
        self._fresh = context.read_again
        self._progress = context.progress
        self._digests = DigestCache(self._root / ".gatewright" / "digests.json")
        if context.read_again:
            self._digests.forget()
        self._cache = DataCache(self._root, self._digests)

    @abstractmethod
    def listed(self, uri: str, version: DataVersion | None) -> tuple[Item, ...]:
        """The data files at `uri`: now, or as `version` pinned them. DataError when there are none."""

    @abstractmethod
    def chunks(self, item: Item) -> Iterator[bytes]:
        """The bytes of `item`. WorldFailed when they do not come; FileNotFoundError when they are gone."""

    @abstractmethod
    def pin_of(self, uri: str, items: Sequence[Item]) -> Pin | None:
        """The source's own id of these items, sorted by path."""

    @abstractmethod
    def still(self, item: Item) -> bool:
        """Whether the source still shows `item` as it was listed; asked of items without `version` and `md5`."""

    def exists(self, item: Item) -> bool:
        """Whether the bytes of `item` are there, where a list alone does not prove it."""
        return True

    def current(self, uri: str) -> tuple[DataFile, ...]:
        """The data files at `uri`, each brought into the cache unless it was before."""
        try:
            return tuple(_file(item, self._brought(item, uri)) for item in self.listed(uri, None))
        finally:
            self._digests.save()

    def read(self, version: DataVersion, into: Path) -> Path:
        """Lay exactly the files of `version` below `into`, from the cache or else from the source, each proved.

        DigestChanged names the first file whose bytes are not as recorded; WorldFailed when they do not come.
        """
        missing = [file for file in version.files if not self._cache.holds(file)]
        items = self._items(version) if missing else {}
        for file in missing:
            self._fetched(file, items.get(file.path), version)
        path = lay_files(version, into, lambda file: self._cache.path(file.sha256), self._digests.digest, str)
        self._digests.save()
        return path

    def pin(self, uri: str, names: Sequence[str] = ()) -> Pin | None:
        """The id of what is at `uri` now (of the files `names`, else of all)."""
        return self.pin_of(uri, [item for item in self.listed(uri, None) if not names or item.path in names])

    def probe(self, uri: str) -> str:
        """The present pin of all that lies at `uri`; UnusableInput where nothing changes with the bytes."""
        pin = self.pin(uri)
        if pin is None:
            raise UnusableInput(
                f"{uri} tells nothing that changes with its bytes, so nobody can watch it",
                fix="gatewright data add tells what is new",
            )
        return pin.value

    def doubt(self, version: DataVersion) -> str | None:
        """Why the bytes of `version` may not be there any more, by pin and size alone; None when all is well."""
        items = self._items(version)
        for file in version.files:
            item = items.get(file.path)
            if item is None:
                return f"{file.path} is gone"
            if item.size is not None and item.size != file.size:
                return f"{file.path} has {item.size:,} bytes now"
            if not self.exists(item):
                return f"{file.path} is gone"
        if version.immutable:
            return None
        if version.pin is None:
            return f"{version.uri} has no id that would change with its bytes"
        found = self.pin_of(version.uri, [items[file.path] for file in version.files])
        if found is None or found.value != version.pin:
            return f"recorded at {version.pin}, there is {found.value if found else 'no id'} now"
        return None

    def digests(self, version: DataVersion) -> tuple[DataFile, ...]:
        """The files of `version` as the source gives them now, every byte read; what is gone is left out."""
        items, found = self._items(version), []
        for file in version.files:
            if (item := items.get(file.path)) is None:
                continue
            digest, size = hashlib.sha256(), 0
            try:
                for chunk in self._told(item):
                    digest.update(chunk)
                    size += len(chunk)
            except FileNotFoundError:
                continue
            found.append(DataFile(path=file.path, size=size, sha256=digest.hexdigest()))
        return tuple(found)

    def _items(self, version: DataVersion) -> dict[str, Item]:
        try:
            return {item.path: item for item in self.listed(version.uri, version)}
        except DataError:  # nothing there at all: each recorded file is then told as missing
            return {}

    def _brought(self, item: Item, uri: str) -> Content:
        known = self._cache.learnt(item.key) if item.key and not self._fresh else None
        if known is not None and self._cache.holds(known):
            return known
        try:
            content = self._cache.keep(self._told(item), lambda found: self._refuse(item, found))
        except FileNotFoundError as error:
            if item.md5 or "://" not in item.at:
                raise unusable(uri, f"{item.path}: its bytes are not at {item.at}") from error
            raise changing(uri, f"{item.path} is gone") from error
        if item.version is None and item.md5 is None and not self.still(item):
            raise changing(uri, f"{item.path} is another now")
        if item.key:
            self._cache.learn(item.key, content)
        return content

    def _refuse(self, item: Item, found: Content) -> None:
        if item.size is not None and found.size != item.size:
            raise WorldFailed(
                f"{item.at} ended after {found.size:,} of {item.size:,} bytes", fix="nothing of it was kept; try again"
            )

    def _fetched(self, file: DataFile, item: Item | None, version: DataVersion) -> None:
        recorded = f"{file.size:,} bytes sha256:{file.sha256}"
        what = f"{file.path} of {version.name} {version.version}"
        if item is None:
            raise DigestChanged(what, recorded=f"{recorded} at {version.uri}", found="no file", fix=CHANGED)

        def refuse(found: Content) -> None:
            self._refuse(item, found)
            if found.sha256 != file.sha256:
                there = f"{found.size:,} bytes sha256:{found.sha256}"
                raise DigestChanged(what, recorded=recorded, found=f"{there} at {item.at}", fix=CHANGED)

        if item.size is not None and item.size != file.size:
            raise DigestChanged(what, recorded=recorded, found=f"{item.size:,} bytes at {item.at}", fix=CHANGED)
        try:
            self._cache.keep(self._told(item), refuse)
        except FileNotFoundError as error:
            raise DigestChanged(what, recorded=f"{recorded} at {item.at}", found="no file", fix=CHANGED) from error

    def _told(self, item: Item) -> Iterator[bytes]:
        """The bytes of `item`, and now and then a word on how many have come; md5 proved where one is promised."""
        come, told, digest = 0, 0, hashlib.md5(usedforsecurity=False) if item.md5 else None
        of = f" of {item.size / 1e6:,.1f}" if item.size is not None else ""
        for chunk in self.chunks(item):
            come += len(chunk)
            if digest:
                digest.update(chunk)
            if self._progress and (come - told >= _TOLD_EVERY or not told):
                told = come
                self._progress.waiting(f"{item.path}: {come / 1e6:,.1f}{of} MB")
            yield chunk
        if digest and digest.hexdigest() != item.md5:
            raise DataError(
                f"{item.at} is damaged",
                (Problem(where=Place(file=item.at), field="md5", what=f"found {digest.hexdigest()}, not {item.md5}"),),
                fix="fetch it again from where it came from",
            )


def data_items(items: Iterable[Item], uri: str) -> tuple[Item, ...]:
    """The items that are data files (dot files left out), sorted by path; DataError without one."""
    kept = [item for item in items if _is_data(item.path)]
    if not kept:
        raise unusable(uri, f"there is no data file; their names end in {' or '.join(FORMATS)}")
    return tuple(sorted(kept, key=lambda item: item.path))


def unusable(uri: str, what: str) -> DataError:
    """The error for a source that holds nothing to use."""
    problem = Problem(where=Place(file=uri), field="", what=what)
    return DataError(f"{uri} is not usable data", (problem,), fix="see docs/data.md, Where the bytes are")


def _is_data(path: str) -> bool:
    hidden = any(part.startswith(".") for part in path.split("/"))
    return path.lower().endswith(FORMATS) and not hidden


def _file(item: Item, content: Content) -> DataFile:
    return DataFile(path=item.path, size=content.size, sha256=content.sha256)
