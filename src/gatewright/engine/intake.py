"""New data versions, from bytes to pointer file; and the way back: are the bytes still the recorded ones?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from gatewright.domain.errors import DataError, Place, Problem, UnusableInput, WorldFailed
from gatewright.domain.lineage import DataFile, DataVersion, Role, RowCount
from gatewright.effects.files import digest_listing
from gatewright.ports import DataSource, Pin, PinnedSource
from gatewright.rules.evalset import check_weighed
from gatewright.rules.schema import Schema, fingerprint, required_columns
from gatewright.store.data_versions import DataVersions, version_id

_FILES = {"file", "fileset"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What people say about new data; the rest is read from its bytes."""

    name: str
    kind: str
    uri: str
    role: Role
    created_by: str
    names: tuple[str, ...] = ()
    label: str | None = None
    data_from: datetime | None = None
    data_to: datetime | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)


def add_version(
    addition: Addition,
    *,
    source: DataSource,
    versions: DataVersions,
    schema: Schema | None,
    scratch: Path,
    now: datetime,
) -> tuple[DataVersion, bool]:
    """The version of these bytes and whether it is new; bytes that are known already change nothing.

    DataError when the bytes are no table with rows; UnusableInput for arguments that contradict each other.
    """
    pin = _pin(source, addition)
    files = _chosen(source.current(addition.uri), addition)
    if _pin(source, addition) != pin:
        raise WorldFailed(f"{addition.uri} changed while it was read", fix="add it again when nobody writes to it")
    draft = _draft(addition, files, now)
    draft = replace(draft, pin=pin.value, immutable=pin.immutable) if pin else draft
    if existing := versions.find(addition.name, draft.digest):
        versions.add(draft)  # refuses another role
        return existing, False
    scratch.mkdir(parents=True, exist_ok=True)
    parents = [version for version in _known(versions, addition.name) if version.role == addition.role]
    with tempfile.TemporaryDirectory(prefix="data-add-", dir=scratch) as name:
        folder = Path(name)
        with _told_as(addition, folder / "now"):
            path = source.read(draft, folder / "now")
            described = _described(draft, path, schema)
        if described.role == "eval":
            check_weighed(described)
        final = _linked(described, path, parents[-1] if parents else None, source, folder / "parent", schema)
    return versions.get(final.name, versions.add(final).stem), True


def differences(version: DataVersion, current: Iterable[DataFile], pointer: Path) -> tuple[Problem, ...]:
    """What differs between the files that `version` records and those that are there now."""
    now = {file.path: file for file in current}
    problems = []
    for file in version.files:
        found = now.get(file.path)
        if found != file:
            there = f"found {_shown(found)}" if found else "the file is missing"
            problems.append(
                Problem(where=Place(file=str(pointer)), field=file.path, what=f"recorded {_shown(file)}, {there}")
            )
    return tuple(problems)


def _shown(file: DataFile) -> str:
    return f"{file.size:,} bytes sha256:{file.sha256[:12]}"


def _chosen(files: Sequence[DataFile], addition: Addition) -> tuple[DataFile, ...]:
    if not addition.names:
        return tuple(files)
    present = {file.path: file for file in files}
    absent = [name for name in addition.names if name not in present]
    if absent:
        raise UnusableInput(
            f"{addition.uri} has no data file {', '.join(absent)}", fix=f"there are: {', '.join(present)}"
        )
    return tuple(present[name] for name in sorted(set(addition.names)))


def _pin(source: DataSource, addition: Addition) -> Pin | None:
    return source.pin(addition.uri, addition.names) if isinstance(source, PinnedSource) else None


def _draft(addition: Addition, files: tuple[DataFile, ...], now: datetime) -> DataVersion:
    data_to = addition.data_to or now
    data_from = addition.data_from or data_to
    if data_from > data_to:
        raise UnusableInput(
            f"the data begins at {data_from.isoformat()}, after its end at {data_to.isoformat()}",
            fix="check --data-from and --data-to",
        )
    draft = DataVersion(
        name=addition.name,
        version="",
        role=addition.role,
        kind=addition.kind,
        uri=addition.uri,
        digest=digest_listing(files),
        files=files,
        schema={},
        fingerprint="",
        rows=0,
        created_at=now,
        data_from=data_from,
        data_to=data_to,
        created_by=addition.created_by,
        labels=addition.label,
        lineage=addition.lineage,
    )
    return replace(draft, version=version_id(draft))


def _described(draft: DataVersion, path: Path, schema: Schema | None) -> DataVersion:
    import polars as pl

    from gatewright.effects.tables import reading, scan
    from gatewright.rules.profile import describe
    from gatewright.rules.row_digest import digest_rows
    from gatewright.rules.types import stored_columns

    table = scan(path)
    with reading(path):
        columns = stored_columns(table.frame)
        if draft.labels is not None and draft.labels not in columns:
            what = f"there is no such column; there are: {', '.join(list(columns)[:30])}"
            problem = Problem(where=Place(file=draft.uri), field=draft.labels, what=what)
            raise DataError("the label is not in the data", (problem,), fix="name a column: --label COLUMN")
        stats: dict[str, Any] = describe(table.frame, schema, label=draft.labels)
        rows = int(table.frame.select(pl.len()).collect(engine="streaming").item())
        digest = digest_rows(table.frame, draft.labels)
    known = fingerprint(columns)
    return replace(draft, schema=columns, fingerprint=known, rows=rows, stats=stats, row_digest=digest)


@contextmanager
def _told_as(addition: Addition, folder: Path) -> Iterator[None]:
    """Tell problems of the files laid in `folder` as problems of the files that the user knows."""
    try:
        yield
    except DataError as error:
        told = []
        for problem in error.problems:
            file = PurePath(problem.where.file)
            if file.is_relative_to(folder):
                known = replace(problem.where, file=_known_as(addition, file.relative_to(folder).as_posix()))
                problem = replace(problem, where=known)
            told.append(problem)
        raise DataError(error.what, tuple(told), fix=error.fix) from error


def _known_as(addition: Addition, name: str) -> str:
    """How the user knows the file `name` of the source."""
    if "://" in addition.uri:
        one = addition.uri.partition("?")[0].endswith(f"/{name}")
        return addition.uri if one else f"{addition.uri.rstrip('/')}/{name}"
    base = PurePath(addition.uri)
    return str((base.parent if addition.kind == "file" else base) / name)


def _known(versions: DataVersions, name: str) -> tuple[DataVersion, ...]:
    return versions.all(name) if versions.has(name) else ()


def _linked(
    version: DataVersion, path: Path, parent: DataVersion | None, source: DataSource, into: Path, schema: Schema | None
) -> DataVersion:
    """The version with what is new in it since `parent`, whose bytes are asked of the same source."""
    from gatewright.rules.changes import change, told_by_pointers

    required = required_columns(schema)
    told = told_by_pointers(parent, version, required)
    counted = None
    if parent is not None and (told is None or told.kind.startswith("schema-")):
        before = _bytes_of(parent, version, source, into)
        counted = _counted(before, path, parent, version) if before else None
        parent = parent if parent.row_digest or before is None else _digested(parent, before)
    found = change(parent, version, counted, required)
    return replace(version, change=found.recorded(), parent=parent.version if parent else None)


def _bytes_of(parent: DataVersion, version: DataVersion, source: DataSource, into: Path) -> Path | None:
    """Where the parent's own bytes are laid; None when they are not there any more, or of another kind of source."""
    if parent.kind != version.kind and not {parent.kind, version.kind} <= _FILES:
        return None
    try:
        return source.read(parent, into)
    except UnusableInput:
        return None


def _counted(before: Path, now: Path, parent: DataVersion, version: DataVersion) -> RowCount | None:
    """Rows that only one of the two holds, by the columns that both have."""
    from gatewright.effects.tables import reading, scan
    from gatewright.rules.row_digest import count_rows

    both = [name for name in version.schema if name in parent.schema]
    if not both:
        return None
    with reading(now):
        return count_rows(scan(before).frame, scan(now).frame, both)


def _digested(parent: DataVersion, path: Path) -> DataVersion:
    """A parent from the time before row digests, with its own."""
    from gatewright.effects.tables import scan
    from gatewright.rules.row_digest import digest_rows

    return replace(parent, row_digest=digest_rows(scan(path).frame, parent.labels))
