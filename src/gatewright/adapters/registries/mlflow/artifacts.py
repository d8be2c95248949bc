"""Folders of bytes beside a run: uploaded file by file, read back and proven before anybody relies on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from gatewright.adapters.registries.mlflow.wire import Wire
from gatewright.domain.errors import DigestChanged, UnusableInput, WorldFailed
from gatewright.domain.lineage import DataFile
from gatewright.effects.files import list_files, measure_artifact, place_folder, safe_join
from gatewright.effects.unfinished import unfinished_folder

_DEEPEST = 16
_ROOT = "/api/2.0/mlflow-artifacts/artifacts/"


class Place(Protocol):
    """Where the artifacts of a run lie."""

    def listed(self, folder: str) -> Mapping[str, int]:
        """Every file below `folder`, by its path from there, with its size in bytes."""

    def put(self, folder: str, name: str, file: Path) -> None:
        """Have the bytes of `file` at `folder/name`."""

    def read(self, folder: str, name: str, into: Path) -> None:
        """Write the bytes at `folder/name` to the new file `into`."""


class ThroughServer:
    """Artifacts that the tracking server keeps (`--serve-artifacts`, its default)."""

    def __init__(self, wire: Wire, uri: str) -> None:
        self._wire = wire
        path = urlsplit(uri).path
        self._base = (path.partition(_ROOT)[2] if _ROOT in path else path).strip("/")

    def listed(self, folder: str) -> Mapping[str, int]:
        """Every file below `folder`, by its path from there."""
        return dict(self._walk(f"{self._base}/{folder}", "", 0))

    def put(self, folder: str, name: str, file: Path) -> None:
        """Upload it."""
        self._wire.put(f"{self._base}/{folder}/{name}", file)

    def read(self, folder: str, name: str, into: Path) -> None:
        """Download it."""
        with self._wire.opened(f"{self._base}/{folder}/{name}") as pieces, into.open("xb") as file:
            for piece in pieces:
                file.write(piece)

    def _walk(self, folder: str, above: str, depth: int) -> Iterable[tuple[str, int]]:
        for entry in self._wire.list(folder):
            name = str(entry["path"]).rpartition("/")[2]
            if entry.get("is_dir"):
                if depth < _DEEPEST:
                    yield from self._walk(f"{folder}/{name}", f"{above}{name}/", depth + 1)
            else:
                yield above + name, int(entry.get("file_size") or 0)


def place_of(wire: Wire, uri: str) -> Place:
    """Where a run keeps its artifacts; UnusableInput unless the server takes and gives them."""
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts" or (parts.scheme in ("http", "https") and _ROOT in parts.path):
        return ThroughServer(wire, uri)
    raise UnusableInput(
        f"the MLflow server {wire.name} lets clients fetch artifacts at {parts.scheme or 'file'}: by themselves",
        fix="start it with --artifacts-destination instead of --default-artifact-root, and name another "
        "registry.experiment: one keeps its place for ever",
    )


def upload(place: Place, folder: str, source: Path, scratch: Path) -> None:
    """Have exactly the files of `source` at `folder`, every byte read back; what is there already is not sent again.

    WorldFailed when other bytes come back than were sent.
    """
    wanted = list_files(source)
    there = place.listed(folder)
    for file in wanted:
        if there.get(file.path) == file.size and _proven(place, folder, file, scratch):
            continue
        place.put(folder, file.path, source / file.path)
        if not _proven(place, folder, file, scratch):
            raise WorldFailed(
                f"{file.path} came back with other bytes than were uploaded", fix="see the log and disk of the server"
            )
    if strange := sorted(place.listed(folder).keys() - {file.path for file in wanted}):
        raise WorldFailed(
            f"the MLflow run holds {strange[0]} in {folder}, which is no part of the model",
            fix="somebody wrote into that run: delete the run, then resume",
        )


def download(place: Place, folder: str, target: Path, digest: str) -> None:
    """Lay the files at `folder` at `target`, whole and proven or not at all; DigestChanged for other bytes."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    names = place.listed(folder)
    if not names:
        raise UnusableInput(f"the registry holds no file of {digest}", fix="restore the artifacts of its MLflow run")

    with unfinished_folder(target) as unfinished:
        for name in names:
            into = safe_join(unfinished, name)
            into.parent.mkdir(parents=True, exist_ok=True)
            place.read(folder, name, into)
        found = measure_artifact(unfinished).digest
        if found != digest:
            raise DigestChanged(
                "the model in the registry", recorded=digest, found=found, fix="restore the artifacts of its MLflow run"
            )
        place_folder(unfinished, target)


def keep_file(place: Place, name: str, content: bytes, scratch: Path) -> None:
    """Have `content` at the path `name`, read back; WorldFailed when other bytes come back than were sent."""
    if read_file(place, name, scratch) == content:
        return
    folder, _, last = name.rpartition("/")
    with unfinished_folder(scratch / "attached") as beside:
        (beside / "sent").write_bytes(content)
        place.put(folder, last, beside / "sent")
    if read_file(place, name, scratch) != content:
        raise WorldFailed(f"{name} came back with other bytes than were sent", fix="see the log and disk of the server")


def read_file(place: Place, name: str, scratch: Path) -> bytes | None:
    """The bytes at the path `name`; None when nothing is there."""
    folder, _, last = name.rpartition("/")
    if last not in place.listed(folder):
        return None
    scratch.mkdir(parents=True, exist_ok=True)
    with unfinished_folder(scratch / "attached") as beside:
        place.read(folder, last, beside / "read")
        return (beside / "read").read_bytes()


def _proven(place: Place, folder: str, file: DataFile, scratch: Path) -> bool:
    """Whether the bytes that come back are those of `file`."""
    scratch.mkdir(parents=True, exist_ok=True)
    with unfinished_folder(scratch / "proof") as beside:
        into = beside / "read"
        place.read(folder, file.path, into)
        with into.open("rb") as bytes_read:
            return hashlib.file_digest(bytes_read, "sha256").hexdigest() == file.sha256
