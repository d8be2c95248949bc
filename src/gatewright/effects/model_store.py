"""Models by their digest in a place that several machines reach: a folder, or what fsspec can write to.

A model is there whole or not at all, and never replaced. Behind a URL its list of files is written last.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatewright.domain.documents import canonical_json, plain, read_json
from gatewright.domain.errors import DigestChanged, UnusableInput, WorldFailed
from gatewright.domain.lineage import DataFile
from gatewright.effects.addresses import check_url
from gatewright.effects.failpoints import failpoint
from gatewright.effects.files import (
    copy_tree_atomic,
    digest_listing,
    list_files,
    measure_artifact,
    read_bytes,
    safe_join,
    write_atomic,
)
from gatewright.effects.opened import asking, opened
from gatewright.effects.unfinished import unfinished_folder

FORM = "gatewright/stored-model/1"
_SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "memory")
_CHUNK = 8 << 20
_LARGEST_FILE = 64 << 20


class ModelStore:
    """The store at `place`: a URL, or a folder, from `root` when it is no absolute path."""

    def __init__(self, place: str, root: Path) -> None:
        self._place = place.rstrip("/")
        self._folder: Path | None = None
        self._scheme, self._system = "", None
        if "://" not in place:
            self._folder = root / place
            return
        self._scheme = place.partition("://")[0]
        if self._scheme not in _SCHEMES:
            raise UnusableInput(
                f"registry.store: models cannot be kept in {self._scheme}://",
                fix=f"use {', '.join(f'{name}://' for name in _SCHEMES[:-1])}, or a folder that all machines see",
            )
        check_url(self._place)

    def keep(self, folder: Path, digest: str) -> None:
        """Have the files in `folder` there under `digest`; DigestChanged when they are others."""
        found = measure_artifact(folder).digest
        if found != digest:
            raise DigestChanged(f"the model in {folder}", recorded=digest, found=found)
        if self._folder is not None:
            copy_tree_atomic(folder, self._folder / _name(digest))
        elif self._read(f"{_name(digest)}.json") is None:
            self._put(folder, digest)

    def bring(self, digest: str, into: Path) -> None:
        """Lay the model at `into`, whole and proven; UnusableInput when it is not in the store."""
        if self._folder is None:
            self._get(digest, into)
            return
        stored = self._folder / _name(digest)
        if not stored.is_dir():
            raise self._missing(digest)
        copy_tree_atomic(stored, into)
        found = measure_artifact(into).digest
        if found != digest:
            shutil.rmtree(into, ignore_errors=True)  # it would stand in the way of the right bytes
            raise self._changed(digest, found)

    def keep_file(self, name: str, content: bytes) -> None:
        """Have `content` there as `name`, beside the models; an older one is replaced."""
        if self.file(name) == content:
            return
        if self._folder is not None:
            write_atomic(safe_join(self._folder, name), content, called="attached")
            return
        failpoint("before-keep-file")
        with self._writing(name) as to:
            to.write(content)
        failpoint("after-keep-file")

    def file(self, name: str) -> bytes | None:
        """What `keep_file` has put there as `name`; None when nothing was."""
        if self._folder is None:
            return self._read(name)
        path = safe_join(self._folder, name)
        return read_bytes(path, _LARGEST_FILE) if path.is_file() else None

    def _put(self, folder: Path, digest: str) -> None:
        files = list_files(folder)
        for file in files:
            with self._writing(f"{_name(digest)}/{file.path}") as to, (folder / file.path).open("rb") as source:
                shutil.copyfileobj(source, to, _CHUNK)
        failpoint("before-keep-model")
        with self._writing(f"{_name(digest)}.json") as to:
            to.write(canonical_json({"form": FORM, "digest": digest, "files": plain(files)}))
        failpoint("after-keep-model")

    @contextmanager
    def _writing(self, name: str) -> Iterator[Any]:
        at = f"{self._place}/{name}"
        try:
            with asking(self._scheme, at), self._opened().open(at, "wb") as file:
                yield file
        except FileNotFoundError as error:
            raise WorldFailed(
                f"{self._place}: there is no such bucket", fix="create it, or mend registry.store"
            ) from error

    def _get(self, digest: str, into: Path) -> None:
        listed = self._read(f"{_name(digest)}.json")
        if listed is None:
            raise self._missing(digest)
        files = _files_of(listed)
        if (found := digest_listing(files)) != digest:
            raise self._changed(digest, found)
        into.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(into) as unfinished:
            for file in files:
                target = safe_join(unfinished, file.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                at = f"{self._place}/{_name(digest)}/{file.path}"
                try:
                    with asking(self._scheme, at), self._opened().open(at, "rb") as source, target.open("wb") as to:
                        shutil.copyfileobj(source, to, _CHUNK)
                except FileNotFoundError as error:
                    raise self._missing(digest) from error
            found = measure_artifact(unfinished).digest
            if found != digest:
                raise self._changed(digest, found)
            unfinished.replace(into)

    def _read(self, name: str) -> bytes | None:
        at = f"{self._place}/{name}"
        try:
            with asking(self._scheme, at):
                found: bytes = self._opened().cat_file(at)
                return found
        except FileNotFoundError:
            return None

    def _opened(self) -> Any:
        if self._system is None:
            self._system = opened(self._scheme)
        return self._system

    def _missing(self, digest: str) -> UnusableInput:
        return UnusableInput(
            f"the model {digest} is neither here nor in {self._place}",
            fix="train it again, or run where it was trained: gatewright train keeps it in registry.store",
        )

    def _changed(self, digest: str, found: str) -> DigestChanged:
        return DigestChanged(f"the model in {self._place}/{_name(digest)}", recorded=digest, found=found)


def _name(digest: str) -> str:
    return f"sha256/{digest.removeprefix('sha256:')}"


def _files_of(listed: bytes) -> list[DataFile]:
    try:
        document: Mapping[str, Any] = read_json(listed)
        return [DataFile(**file) for file in document["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableInput(f"the list of a stored model cannot be read: {error}", fix="train it again") from error
