"""The text of a pointer file, and back; a file that contradicts itself is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from gatewright.config.nodes import parse
from gatewright.config.problems import dotted, failure
from gatewright.config.reader import read_as
from gatewright.config.scalars import resolve
from gatewright.domain.documents import plain
from gatewright.domain.errors import DataError, Problem
from gatewright.domain.lineage import DataFile, DataVersion, Role, RowDigest
from gatewright.effects.files import digest_listing
from gatewright.rules.schema import fingerprint

LIMIT = 16 << 20
_MOST_PARTS = 500_000
_HEX = re.compile(r"[0-9a-f]{64}")
_ROWS = re.compile(r"[0-9a-f]{32}")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*[.](?:csv|parquet)")
_WIDTH = 110
_EDITED = "a version is immutable: restore the file from git, and add changed data as a new version"
_HEADER = "# A data version: written by `gatewright data add`, never edited.\n"

Text = Annotated[str, MinLen(1)]
Count = Annotated[int, Ge(0)]
Fault = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the bytes are. `pin` is the source's own version id; `immutable` says it can never give other bytes."""

    kind: Text
    uri: Text
    pin: str | None = None
    immutable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """`value` is hex. Level `bytes`: over the sorted lines `path size sha256` of the files."""

    algo: Literal["sha256"] = "sha256"
    value: str
    level: Literal["bytes"] = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchema:
    """Column → type as it is stored, and the fingerprint of these pairs."""

    fingerprint: str
    columns: Annotated[Mapping[str, Text], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is new since the parent version; counts of rows are null where they cannot be told."""

    kind: Text
    rows_added: Count | None = None
    rows_removed: Count | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The digest of the rows, whatever their layout; `unlabelled` leaves the label column out."""

    form: Literal["rows/1"] = "rows/1"
    value: str
    unlabelled: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The column that holds the true labels."""

    column: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """When the version was made, and from when to when its rows speak."""

    created_at: datetime
    data_from: datetime
    data_to: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """The file, section by section."""

    name: Text
    version: Text
    role: Role
    source: Source
    digest: Digest
    files: Annotated[tuple[DataFile, ...], MinLen(1)]
    schema: StoredSchema
    rows: Annotated[int, Ge(1)]
    change: Change
    time: Time
    created_by: Text
    parent: str | None = None
    labels: Labels | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)
    row_digest: Rows | None = None


def read_pointer(data: bytes, path: Path, *, shown: str) -> DataVersion:
    """The version that `data`, the bytes of `path`, describes; DataError with every problem in the file `shown`."""
    document = parse(data, shown, error=DataError, limit=LIMIT, most_parts=_MOST_PARTS)
    pointer = read_as(Pointer, document, error=DataError)
    problems = [Problem(where=document.place(at), field=dotted(at), what=what) for at, what in _faults(pointer, path)]
    if problems:
        raise failure(DataError, shown, problems, fix=_EDITED)
    return DataVersion(
        name=pointer.name,
        version=pointer.version,
        role=pointer.role,
        kind=pointer.source.kind,
        uri=pointer.source.uri,
        pin=pointer.source.pin,
        immutable=pointer.source.immutable,
        digest=f"sha256:{pointer.digest.value}",
        files=pointer.files,
        schema=pointer.schema.columns,
        fingerprint=pointer.schema.fingerprint,
        rows=pointer.rows,
        stats=pointer.stats,
        change={name: value for name, value in plain(pointer.change).items() if name != "why" or value is not None},
        row_digest=_row_digest(pointer.row_digest),
        parent=pointer.parent,
        lineage=pointer.lineage,
        labels=pointer.labels.column if pointer.labels else None,
        created_at=pointer.time.created_at.astimezone(UTC),
        data_from=pointer.time.data_from.astimezone(UTC),
        data_to=pointer.time.data_to.astimezone(UTC),
        created_by=pointer.created_by,
    )


def render_pointer(version: DataVersion) -> bytes:
    """The pointer file of `version`, in the order in which people read it."""
    head = {
        "name": version.name,
        "version": version.version,
        "role": version.role,
        "source": {"kind": version.kind, "uri": version.uri, "pin": version.pin, "immutable": version.immutable},
        "digest": {"algo": "sha256", "value": version.digest.removeprefix("sha256:"), "level": "bytes"},
    }
    rest = {
        "schema": {"fingerprint": version.fingerprint, "columns": version.schema},
        "rows": version.rows,
        **({"row_digest": _written(version.row_digest)} if version.row_digest else {}),
        "change": version.change,
        "parent": version.parent,
        "lineage": version.lineage,
        "labels": {"column": version.labels} if version.labels else None,
        "time": {
            "created_at": version.created_at.astimezone(UTC),
            "data_from": version.data_from.astimezone(UTC),
            "data_to": version.data_to.astimezone(UTC),
        },
        "created_by": version.created_by,
    }
    text = _yaml(plain(head)) + _listed(version.files) + _yaml(plain(rest))
    if version.stats:
        text += _yaml({"stats": _lines(plain(version.stats))})
    return (_HEADER + text).encode()


def _row_digest(rows: Rows | None) -> RowDigest | None:
    return RowDigest(rows=rows.value, unlabelled=rows.unlabelled) if rows else None


def _written(digest: RowDigest) -> Rows:
    return Rows(value=digest.rows, unlabelled=digest.unlabelled)


def _listed(files: Sequence[DataFile]) -> str:
    """The section `files`: by hand where no name needs a quote, as YAML takes 0.3 ms for each."""
    if not all(_PLAIN.fullmatch(file.path) and not file.sha256.isdigit() for file in files):
        return _yaml(plain({"files": files}))
    lines = (f"- {{path: {file.path}, size: {file.size}, sha256: {file.sha256}}}\n" for file in files)
    return "files:\n" + "".join(lines)


class _Line(dict[str, Any]):
    """A mapping that is written on one line."""


def _lines(stats: Mapping[str, Any]) -> dict[str, Any]:
    """One line for each column and each group."""
    return {
        section: {
            name: _Line(entry) if isinstance(entry, dict) and section in ("columns", "groups") else entry
            for name, entry in content.items()
        }
        if isinstance(content, dict)
        else content
        for section, content in stats.items()
    }


def _yaml(document: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes each text that our own reader would take for something else (PyYAML knows another YAML)."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        style = None if isinstance(resolve(text), str) else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_line(dumper: yaml.SafeDumper, line: _Line) -> yaml.MappingNode:
        return dumper.represent_mapping("tag:yaml.org,2002:map", line.items(), flow_style=True)

    Dumper.add_representer(str, represent)
    Dumper.add_representer(_Line, represent_line)
    Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]
    text: str = yaml.dump(
        document, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=_WIDTH
    )
    return text


def _faults(pointer: Pointer, path: Path) -> Iterator[Fault]:
    """Whatever the sections of the file, and its name, say against each other."""
    if pointer.name != path.parent.name:
        yield ("name",), f"is {pointer.name!r}, but the file lies in the folder {path.parent.name!r}"
    if pointer.version != path.stem:
        yield ("version",), f"is {pointer.version!r}, but the file is called {path.name!r}"
    yield from _time_faults(pointer.time, path)
    yield from _file_faults(pointer.files)
    if not _HEX.fullmatch(pointer.digest.value):
        yield ("digest", "value"), "is no sha256: 64 digits 0–9 and a–f are expected"
    elif not path.stem.endswith(f"-{pointer.digest.value[:8]}"):
        yield ("digest", "value"), f"begins with {pointer.digest.value[:8]}, but the file is called {path.name!r}"
    elif (found := digest_listing(pointer.files)) != f"sha256:{pointer.digest.value}":
        yield ("digest", "value"), f"is not the digest of the files listed here ({found})"
    for at in ("value", "unlabelled"):
        if pointer.row_digest and not _ROWS.fullmatch(getattr(pointer.row_digest, at) or "0" * 32):
            yield ("row_digest", at), "is no digest of rows: 32 digits 0–9 and a–f are expected"
    if (found := fingerprint(pointer.schema.columns)) != pointer.schema.fingerprint:
        yield ("schema", "fingerprint"), f"is not the fingerprint of the columns listed here ({found})"


def _time_faults(time: Time, path: Path) -> Iterator[Fault]:
    naive = [name for name in ("created_at", "data_from", "data_to") if getattr(time, name).tzinfo is None]
    yield from ((("time", name), "has no time zone: add Z or an offset") for name in naive)
    if naive:
        return
    if time.data_from > time.data_to:
        yield ("time", "data_from"), "is later than data_to"
    if not path.stem.startswith(day := f"{time.data_to.astimezone(UTC):%Y-%m-%d}-"):
        yield ("time", "data_to"), f"asks for a file name that begins with {day}"


def _file_faults(files: tuple[DataFile, ...]) -> Iterator[Fault]:
    seen = set[str]()
    for index, file in enumerate(files):
        at = ("files", index)
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or str(path) != file.path or "\\" in file.path or file.path == ".":
            yield (*at, "path"), f"{file.path!r} is not a plain path below the source"
        if file.path in seen:
            yield (*at, "path"), f"{file.path!r} stands twice"
        seen.add(file.path)
        if file.size < 0:
            yield (*at, "size"), "is negative"
        if not _HEX.fullmatch(file.sha256):
            yield (*at, "sha256"), "is no sha256: 64 digits 0–9 and a–f are expected"
