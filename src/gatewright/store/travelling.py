"""Which rows travel between machines, and how: each is a small file of canonical JSON, named by its key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from gatewright.domain.documents import canonical_json, read_json
from gatewright.domain.errors import UnusableInput, WorldFailed

TRAVELLING = {
    "versions": ("model", "number"),
    "serving": ("model",),
    "marks": ("model", "number"),
    "rollouts": ("id",),
    "ticks": ("rollout", "revision"),
    "commands": ("id",),
    "quarantine": ("model", "digest"),
    "records": ("seq",),
    "notices": ("id", "notifier"),
    "claims": ("id",),
    "pins": ("name", "role", "uri"),
}
"""Table → its key, in an order in which rows may be inserted."""
STAYING = frozenset({"routes", "arms", "processes"})
"""What one machine serves and runs says nothing to another."""
_ORDERED = frozenset({"rollouts", "notices", "claims"})
"""Whose rowid tells which came first: it travels."""
_APPENDED = frozenset({"records", "ticks"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row on its way; `body` is None when it was removed."""

    table: str
    key: tuple[str, ...]
    body: Mapping[str, Any] | None


def path_of(table: str, key: Iterable[object]) -> str:
    """The file of a row: `table/key/key.json`."""
    return f"{table}/{'/'.join(quote(str(part), safe='') for part in key)}.json"


def read_row(path: str, data: bytes | None) -> Row:
    """The row that a file holds; UnusableInput when it is none."""
    table, _, rest = path.partition("/")
    key = tuple(unquote(part) for part in rest.removesuffix(".json").split("/"))
    if table not in TRAVELLING or len(key) != len(TRAVELLING[table]):
        raise UnusableInput(f"{path} is no row of the state", fix="is it the right ref? Look at it with git ls-tree -r")
    try:
        body = None if data is None else read_json(data)
    except ValueError as error:
        raise UnusableInput(f"{path} in the state cannot be read: {error}", fix="see docs/state.md, Damage") from error
    return Row(table=table, key=key, body=body)


def write_row(connection: sqlite3.Connection, table: str, key: Iterable[object]) -> bytes | None:
    """A row as its file; None when there is none with this key."""
    chosen = "rowid AS rowid, *" if table in _ORDERED else "*"
    found = connection.execute(f"SELECT {chosen} FROM {table} WHERE {_where(table)}", [str(part) for part in key])
    row = found.fetchone()
    return canonical_json(dict(row)) + b"\n" if row else None


def keys(connection: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """The keys of all rows."""
    for row in connection.execute(f"SELECT {', '.join(TRAVELLING[table])} FROM {table} ORDER BY rowid"):
        yield tuple(row)


def triggers() -> Iterator[str]:
    """SQL of temporary triggers that note in `unpushed` the key of every row that this connection changes."""
    for table, columns in TRAVELLING.items():
        for verb, sides in (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",))):
            notes = "".join(_note(table, [f"{side}.{column}" for column in columns]) for side in sides)
            yield f"CREATE TEMP TRIGGER noted_{table}_{verb} AFTER {verb} ON main.{table} BEGIN {notes}END"


def _note(table: str, columns: list[str]) -> str:
    # No OR IGNORE: within a trigger the statement that fired it overrules what its own statements do on a conflict.
    key = f"json_array({', '.join(columns)})"
    known = f"SELECT 1 FROM unpushed WHERE kind = '{table}' AND key = {key}"
    return f"INSERT INTO unpushed (kind, key) SELECT '{table}', {key} WHERE NOT EXISTS ({known}); "


def lay(connection: sqlite3.Connection, rows: Iterable[Row], *, whole: bool) -> None:
    """Make the tables agree with `rows`, inside the caller's transaction; `whole`: there are no others.

    Records are only ever added: WorldFailed when those that are here are not a part of those that come.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")
    found: dict[str, list[Row]] = {table: [] for table in TRAVELLING}
    for row in rows:
        found[row.table].append(row)
    for table in TRAVELLING.keys() - _APPENDED:
        if whole:
            connection.execute(f"DELETE FROM {table}")
            continue
        for row in found[table]:
            connection.execute(f"DELETE FROM {table} WHERE {_where(table)}", row.key)
    if whole:
        _refuse_rewound(connection, found["records"])
    for table in TRAVELLING:
        for row in sorted(found[table], key=_order):
            _insert(connection, row)


def _order(row: Row) -> tuple[int, tuple[str, ...]]:
    place = (row.body or {}).get("seq" if row.table == "records" else "rowid")
    return (place if isinstance(place, int) else 0, row.key)


def _insert(connection: sqlite3.Connection, row: Row) -> None:
    if row.table == "records":
        if _has_record(connection, row):
            return
    elif row.body is None:
        return
    assert row.body is not None
    verb = "INSERT OR REPLACE" if row.table in _APPENDED - {"records"} else "INSERT"
    marks = ", ".join("?" for _ in row.body)
    try:
        connection.execute(
            f"{verb} INTO {row.table} ({', '.join(_column(name) for name in row.body)}) VALUES ({marks})",
            list(row.body.values()),
        )
    except sqlite3.Error as error:
        raise UnusableInput(
            f"{path_of(row.table, row.key)} in the state does not fit: {error}",
            fix="see docs/state.md, Damage",
        ) from error


def _has_record(connection: sqlite3.Connection, row: Row) -> bool:
    """Whether this record is here already; WorldFailed for another one in its place, or one without its predecessor."""
    seq = row.key[0]
    here = connection.execute("SELECT digest FROM records WHERE seq = ?", (seq,)).fetchone()
    if row.body is None or (here and here["digest"] != row.body.get("digest")):
        raise _rewound(seq)
    if here:
        return True
    before = connection.execute("SELECT digest FROM records WHERE seq = ?", (int(seq) - 1,)).fetchone()
    if seq != "1" and (before is None or before["digest"] != row.body.get("previous")):
        raise WorldFailed(f"record {seq} in the state does not follow its predecessor", fix="see docs/state.md, Damage")
    return False


def _refuse_rewound(connection: sqlite3.Connection, coming: list[Row]) -> None:
    last = connection.execute("SELECT max(seq) FROM records").fetchone()[0] or 0
    known = {row.key[0] for row in coming}
    missing = next((seq for seq in range(1, last + 1) if str(seq) not in known), None)
    if missing is not None:
        raise _rewound(str(missing))


def _rewound(seq: str) -> WorldFailed:
    return WorldFailed(
        f"record {seq} of this machine is not in the shared state: that was set back, or is another's",
        fix="see docs/state.md, Damage: find out who did that before you remove anything",
    )


def _where(table: str) -> str:
    return " AND ".join(f"{column} = ?" for column in TRAVELLING[table])


def _column(name: str) -> str:
    if not name.isidentifier():
        raise UnusableInput(f"{name!r} is no column", fix="see docs/state.md, Damage")
    return name
