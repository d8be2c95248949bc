"""Data behind a URL (`fsspec`): objects in S3 and its like, a file behind http(s), a folder in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatewright.adapters.data.cached import CachedSource, Item, Surroundings, data_items, unusable
from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import DataVersion
from gatewright.effects.addresses import check_url
from gatewright.effects.opened import CONNECT_S, READ_S, asking, opened
from gatewright.effects.standing import FORMATS
from gatewright.ports import Pin

_BLOCK = 8 << 20
_VERSION = "?versionId="
_MARKS = ("ETag", "etag", "LastModified", "Last-Modified", "updated", "mtime", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long to wait for a connection, and for the next bytes, in seconds."""

    connect_s: float = CONNECT_S
    read_s: float = READ_S


class RemoteSource(CachedSource):
    """Ports `DataSource` and `PinnedSource` on what fsspec can open.

    The pin of a versioned S3 bucket is the version ids of the files in their order, separated by blanks: immutable.
    Elsewhere it is a digest of sizes, ETags and times (`marks:…`), which tells that something changed, and no more: an
    ETag is no digest of the bytes.
    """

    def __init__(self, options: Options, context: Surroundings) -> None:
        super().__init__(context)
        self._options = options
        self._systems: dict[str, Any] = {}

    def listed(self, uri: str, version: DataVersion | None) -> tuple[Item, ...]:
        """The data files at the URL, each asked for its size, version and marks."""
        scheme = check_url(uri)
        system, (url, _, chosen) = self._system(scheme), uri.partition(_VERSION)
        if version is not None and version.immutable and version.pin:
            return self._pinned(scheme, url, version)
        if chosen:
            base, name = url.rsplit("/", 1)
            return data_items(self._each(scheme, base, {name: chosen}), uri)
        if scheme in ("http", "https") and not url.lower().endswith(FORMATS):
            raise UnusableInput(f"{url} names no file", fix=f"an http URL ends in {' or '.join(FORMATS)}")
        root = str(system._strip_protocol(url)).rstrip("/")
        try:
            with asking(scheme, url):
                info = system.info(root)
                single = info["type"] == "file"
                found = {root: info} if single else system.find(root, detail=True)
        except FileNotFoundError as error:
            raise unusable(uri, "there is nothing at this address") from error
        base = root.rpartition("/")[0] if single else root
        names = {str(name).removeprefix(f"{base}/"): info for name, info in found.items()}
        start = url.rstrip("/").rpartition("/")[0] if single else url.rstrip("/")
        items = data_items((_item(start, name, info) for name, info in names.items()), uri)
        if scheme == "s3":  # a listing tells no version ids
            return tuple(self._each(scheme, start, {item.path: None for item in items}))
        return items

    def chunks(self, item: Item) -> Iterator[bytes]:
        """The bytes of `item`: of just that version where the bucket keeps versions."""
        scheme = item.at.partition("://")[0]
        system = self._system(scheme)
        more: dict[str, Any] = {"version_id": item.version} if item.version else {}
        http = scheme in ("http", "https")
        more |= {"block_size": 0} if http else {"block_size": _BLOCK, "cache_type": "none"}
        with asking(scheme, item.at), system.open(item.at, "rb", **more) as file:
            while chunk := file.read(_BLOCK):
                yield chunk

    def still(self, item: Item) -> bool:
        """Whether size and marks are as listed."""
        scheme = item.at.partition("://")[0]
        base = item.at.removesuffix(f"/{item.path}")
        return next(self._each(scheme, base, {item.path: None}), None) == item

    def pin_of(self, uri: str, items: Sequence[Item]) -> Pin | None:
        """Version ids in the order of the files, or a digest of sizes and marks, or None."""
        if all(item.version for item in items):
            return Pin(value=" ".join(str(item.version) for item in items), immutable=True)
        if not all(item.mark for item in items):
            return None
        lines = "".join(f"{item.path} {item.size} {item.mark}\n" for item in items)
        return Pin(value=f"marks:{hashlib.sha256(lines.encode()).hexdigest()[:32]}", immutable=False)

    def _pinned(self, scheme: str, url: str, version: DataVersion) -> tuple[Item, ...]:
        names, ids = [file.path for file in version.files], (version.pin or "").split(" ")
        if len(names) != len(ids):
            raise unusable(url, f"{version.version} has {len(names)} files and {len(ids)} version ids")
        single = len(names) == 1 and url.endswith(f"/{names[0]}")
        base = url.removesuffix(f"/{names[0]}") if single else url.rstrip("/")
        return tuple(self._each(scheme, base, dict(zip(names, ids, strict=True))))

    def _each(self, scheme: str, base: str, names: Mapping[str, str | None]) -> Iterator[Item]:
        """Each file asked for by itself, in the version told; what is gone is left out."""
        system = self._system(scheme)
        for name, version in names.items():
            at = f"{base}/{name}"
            try:
                with asking(scheme, at):
                    more = {"version_id": version} if version else {}
                    info = system.info(at, **more)
            except FileNotFoundError:
                continue
            if version and not info.get("VersionId"):
                info = {**info, "VersionId": version}
            yield _item(base, name, info)

    def _system(self, scheme: str) -> Any:
        if scheme not in self._systems:
            options = self._options
            self._systems[scheme] = opened(scheme, connect_s=options.connect_s, read_s=options.read_s)
        return self._systems[scheme]


def _item(base: str, name: str, info: Mapping[str, Any]) -> Item:
    version = info.get("VersionId")
    size = info.get("size")
    return Item(
        path=name,
        at=f"{base}/{name}",
        size=int(size) if size is not None else None,
        version=str(version) if version and version != "null" else None,
        mark=" ".join(_word(info[mark]) for mark in _MARKS if info.get(mark)) or None,
    )


def _word(mark: Any) -> str:
    return str(mark.timestamp() if isinstance(mark, datetime) else mark)
