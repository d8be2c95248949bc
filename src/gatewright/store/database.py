"""A database of one's own, above all state.db: SQLite with a rollback journal, full sync, and numbered migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, wraps
from importlib import resources
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from gatewright.domain.errors import DatabaseBusy, UnusableInput, WorldFailed
from gatewright.effects.failpoints import failpoint
from gatewright.effects.locks import writer_of
from gatewright.effects.processes import is_stopped

BUSY_S = 10.0
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Database:
    """One connection to one state database; every change goes through `transaction`."""

    def __init__(self, path: Path, *, busy_s: float = BUSY_S, migrations: str = "gatewright.store.migrations") -> None:
        """Open (and if needed create and migrate) the database at `path`; wait `busy_s` for another writer."""
        self.path = path
        self._migrations = migrations
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _failed(path, error) from error
        with _translated(path):
            self._connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA synchronous = FULL")
        self._migrate()

    def close(self) -> None:
        """Close the connection; using the database afterwards is an error."""
        self._connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows that `sql` selects."""
        with _translated(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row that `sql` selects."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def data_version(self) -> int:
        """A number that differs after another connection has committed a change."""
        return int(self.rows("PRAGMA data_version")[0][0])

    def refresh(self, *, older_than_s: float = 0.0) -> None:
        """Take in what other machines have changed, unless that was done so lately; alone there is nothing to do."""

    def repeat(self, work: Callable[[], _T]) -> _T:
        """`work`, which is one transaction; where the state is shared, again when another machine was faster."""
        return work()

    def handing_over(self, run: str, name: str) -> AbstractContextManager[None]:
        """Around the writing of the hand-off `name` of `run`: where the state is shared, it is told to the others."""
        return nullcontext()

    @contextmanager
    def transaction(self, name: str, *, later: bool = False) -> Iterator[sqlite3.Connection]:
        """One atomic, durable change; `name` names its failpoints `before-commit:` and `after-commit:`.

        Inside of another one it is a part of that: committed with it, and taken back alone when it fails.
        `later`: other machines may hear of it together with the next one, or it does not concern them.
        """
        if self._connection.in_transaction:
            with self._savepoint():
                yield self._connection
            return
        with _translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                failpoint(f"before-commit:{name}")
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        failpoint(f"after-commit:{name}")

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._connection.execute("SAVEPOINT part")
        whole = False
        try:
            yield
            whole = True
        finally:
            if not whole:
                self._connection.execute("ROLLBACK TO part")
            self._connection.execute("RELEASE part")

    def _migrate(self) -> None:
        migrations = sorted(
            (entry for entry in resources.files(self._migrations).iterdir() if entry.name.endswith(".sql")),
            key=lambda entry: entry.name,
        )
        present = int(self.rows("PRAGMA user_version")[0][0])
        if present > len(migrations):
            raise UnusableInput(
                f"{self.path} was written by a newer Gatewright (schema {present}, this one knows {len(migrations)})",
                fix="use that newer version here",
            )
        for number, migration in enumerate(migrations[present:], start=present + 1):
            with self.transaction(f"migration-{number}") as connection:
                if int(connection.execute("PRAGMA user_version").fetchone()[0]) >= number:
                    continue  # another process was faster
                for statement in _statements(migration.read_text("utf-8")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")


class _OnDatabase(Protocol):
    @property
    def _database(self) -> Database: ...


_S = TypeVar("_S", bound=_OnDatabase)


def repeated(method: Callable[Concatenate[_S, _P], _T]) -> Callable[Concatenate[_S, _P], _T]:
    """For a method of a store that is one transaction: made anew when another machine changed the state meanwhile.

    What it checks is checked again then, so that it may well end otherwise: LeaseLost, say.
    """

    @wraps(method)
    def call(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._database.repeat(partial(method, self, *args, **kwargs))

    return call


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # the caller knows what a broken constraint means
    except sqlite3.DatabaseError as error:
        raise _failed(path, error) from error


def _failed(path: Path, error: Exception) -> WorldFailed:
    text = str(error)
    if "locked" in text:
        return DatabaseBusy(f"the state database {path} cannot be used: {text}", fix=_of_the_holder(path))
    fixes = {
        "full": "free some disk space, then resume; nothing was half-written",
        "readonly": "make the file and its folder writable",
        "malformed": "it is damaged: restore it from a copy; deployment-record.json of each run still holds its record",
        "not a database": "it is damaged: restore it from a copy, or move it away",
        "unable to open": "make the folder writable and readable",
    }
    fix = next((fix for key, fix in fixes.items() if key in text), "see the message of SQLite above")
    return WorldFailed(f"the state database {path} cannot be used: {text}", fix=fix)


def _of_the_holder(path: Path) -> str:
    """What to do about the process that holds it, by name if that can be told."""
    pid = writer_of(path)
    if pid is None:
        return "another process holds it; try again when it has finished"
    if is_stopped(pid):
        return f"process {pid} holds it and was stopped in the middle of a write: kill -CONT {pid}, or kill -KILL {pid}"
    return f"another process holds it (pid {pid}); try again when it has finished"
