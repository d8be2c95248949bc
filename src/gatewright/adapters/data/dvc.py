"""Data that DVC tracks (`dvc`): a `.dvc` file, read without DVC.

Format: the `.dvc` file is YAML with one entry in `outs` (dvc.org/doc/user-guide/project-structure/dvc-files). In DVC 3
the bytes with md5 `abcdef…` lie at `files/md5/ab/cdef…` of the cache and of each remote; those of a folder are listed
in a JSON file whose md5 ends in `.dir`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.adapters.data.cached import CHUNK, CachedSource, Item, Surroundings, data_items, unusable
from gatewright.adapters.data.stored import Stored
from gatewright.config.nodes import parse
from gatewright.domain.errors import DataError, UnusableInput
from gatewright.domain.lineage import DataVersion
from gatewright.effects.addresses import check_url
from gatewright.effects.files import read_bytes, safe_join
from gatewright.ports import Pin

_LIMIT = 1 << 20
_MANIFEST_LIMIT = 256 << 20
_DIR = ".dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All is told by DVC's own configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Out:
    """What a `.dvc` file tells: the path of the data beside it, its md5, the remote it names."""

    path: str
    md5: str
    size: int | None
    remote: str | None


class DvcSource(CachedSource):
    """Ports `DataSource` and `PinnedSource` on `.dvc` files: bytes from DVC's cache, the checked-out files or a remote.

    The pin is DVC's md5, immutable; what a version records is our own sha256 over the bytes.
    """

    def __init__(self, options: Options, context: Surroundings) -> None:
        super().__init__(context)
        self._stored = Stored()

    def listed(self, uri: str, version: DataVersion | None) -> tuple[Item, ...]:
        """The data files that the `.dvc` file names now, or those with the md5 that `version` pinned."""
        place = safe_join(self._root, uri)
        out = _read_out(place, uri)
        md5 = version.pin if version is not None and version.pin else out.md5
        if not md5.endswith(_DIR):
            size = out.size if md5 == out.md5 else None
            name = Path(out.path).name
            return data_items([Item(path=name, at=self._at(place, out, md5, name, True), size=size, md5=md5)], uri)
        manifest = self._manifest(place, out, md5)
        return data_items(
            (
                Item(path=name, at=self._at(place, out, each, name, False), size=None, md5=each)
                for name, each in manifest.items()
            ),
            uri,
        )

    def chunks(self, item: Item) -> Iterator[bytes]:
        """The bytes of `item`, from where `listed` found them."""
        return self._stored.chunks(item.at)

    def still(self, item: Item) -> bool:
        """Bytes with an md5 do not change."""
        return True

    def exists(self, item: Item) -> bool:
        """Whether the bytes are in the cache or the remote."""
        return self._stored.exists(item.at)

    def pin_of(self, uri: str, items: Sequence[Item]) -> Pin | None:
        """The md5 that stands in the `.dvc` file, with which DVC finds these bytes again."""
        return Pin(value=_read_out(safe_join(self._root, uri), uri).md5, immutable=True)

    def _manifest(self, place: Path, out: _Out, md5: str) -> dict[str, str]:
        """Path → md5 of the files of a folder."""
        at = self._at(place, out, md5, None, False)
        try:
            data = self._list_of_files(out, at)
        except FileNotFoundError as error:
            raise unusable(place.name, f"the list of its files ({md5}) is in no cache and no remote") from error
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5.removesuffix(_DIR):
            raise unusable(at, "the list of files is damaged: its md5 is another")
        try:
            return {_checked(str(each["relpath"]), at): _hex(str(each["md5"]), at) for each in json.loads(data)}
        except (ValueError, KeyError, TypeError) as error:
            raise unusable(at, "is no list of files as DVC 3 writes it") from error

    def _list_of_files(self, out: _Out, at: str) -> bytes:
        data = bytearray()
        for chunk in self.chunks(Item(path=out.path, at=at, size=None)):
            data += chunk
            if len(data) > _MANIFEST_LIMIT:
                raise unusable(at, f"the list of files is longer than {_MANIFEST_LIMIT:,} bytes")
        return bytes(data)

    def _at(self, place: Path, out: _Out, md5: str, name: str | None, alone: bool) -> str:
        """Where the bytes with this md5 are: cache, checked-out file with that md5, or the remote they would be in."""
        home = _home(place)
        settings = _settings(home)
        tail = f"files/md5/{md5[:2]}/{md5[2:]}"
        cache = home / ".dvc" / settings.get("cache", {}).get("dir", "cache")
        if (cached := cache / tail).is_file():
            return str(cached)
        if name is not None:
            here = safe_join(place.parent, out.path if alone else f"{out.path}/{name}")
            if here.is_file() and _md5(here) == md5:
                return str(here)
        remote = out.remote or settings.get("core", {}).get("remote")
        url = settings.get(f'remote "{remote}"', {}).get("url") if remote else None
        if not url:
            return str(cached)  # and there it is missing
        if "://" not in url:
            return str((home / ".dvc" / url / tail).resolve())
        check_url(url)
        return f"{url.rstrip('/')}/{tail}"


def _read_out(place: Path, uri: str) -> _Out:
    """The one entry of the `.dvc` file; DataError for any other shape, and for what DVC 2 wrote."""
    document: Any = parse(read_bytes(place, _LIMIT), uri, error=DataError).value
    outs = document.get("outs") if isinstance(document, dict) else None
    if not isinstance(outs, list) or len(outs) != 1 or not isinstance(outs[0], dict):
        raise unusable(uri, "is no .dvc file with one entry in outs")
    found = outs[0]
    if found.get("hash") != "md5":
        raise unusable(uri, "was written by DVC 2: dvc cache migrate --dvc-files makes it one of DVC 3")
    size, remote = found.get("size"), found.get("remote")
    return _Out(
        path=_checked(str(found.get("path", "")), uri),
        md5=_hex(str(found.get("md5", "")), uri),
        size=size if isinstance(size, int) and not str(found["md5"]).endswith(_DIR) else None,
        remote=str(remote) if remote else None,
    )


def _home(place: Path) -> Path:
    """The folder with `.dvc/` that the file belongs to."""
    for folder in place.resolve().parents:
        if (folder / ".dvc").is_dir():
            return folder
    raise UnusableInput(f"{place.name} lies in no DVC project", fix="there is no folder .dvc in or above its folder")


def _settings(home: Path) -> dict[str, dict[str, str]]:
    """`.dvc/config` and, over it, `.dvc/config.local`."""
    parser = ConfigParser(interpolation=None)
    try:
        parser.read([home / ".dvc" / "config", home / ".dvc" / "config.local"], encoding="utf-8")
    except (Error, UnicodeDecodeError) as error:
        raise unusable(".dvc/config", f"cannot be read: {str(error).partition(chr(10))[0]}") from error
    # DVC quotes whole section names: ['remote "store"'].
    return {name.strip("'"): dict(parser[name]) for name in parser.sections()}


def _checked(path: str, where: str) -> str:
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise unusable(where, f"{path!r} is no path below it")
    return path


def _hex(md5: str, where: str) -> str:
    plain = md5.removesuffix(_DIR)
    if len(plain) != 32 or set(plain) - set("0123456789abcdef"):
        raise unusable(where, f"{md5!r} is no md5")
    return md5


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
