"""The processes that the supervisor knows; any other of ours is an orphan."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from gatewright.effects.processes import ProcessIdentity
from gatewright.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """One process of the runtime: `supervisor`, `envoy`, or `model-<digest12>`."""

    name: str
    identity: ProcessIdentity
    started_at: datetime
    digest: str | None = None
    port: int | None = None
    ready: bool = False
    restarts: int = 0
    error: str | None = None


class Processes:
    """The runtime's process table, written by the supervisor only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[ProcessRow, ...]:
        """Every known process."""
        return tuple(_process(row) for row in self._database.rows("SELECT * FROM processes ORDER BY name"))

    def get(self, name: str) -> ProcessRow | None:
        """The process of this name."""
        row = self._database.row("SELECT * FROM processes WHERE name = ?", (name,))
        return _process(row) if row else None

    def put(self, process: ProcessRow) -> None:
        """Insert or replace one process."""
        with self._database.transaction("process") as connection:
            connection.execute(
                "INSERT OR REPLACE INTO processes "
                "(name, pid, created, digest, port, ready, restarts, error, started_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    process.name,
                    process.identity.pid,
                    process.identity.created,
                    process.digest,
                    process.port,
                    int(process.ready),
                    process.restarts,
                    process.error,
                    process.started_at.isoformat(),
                ),
            )

    def remove(self, name: str) -> None:
        """Forget a process that has ended."""
        with self._database.transaction("process") as connection:
            connection.execute("DELETE FROM processes WHERE name = ?", (name,))


def _process(row: sqlite3.Row) -> ProcessRow:
    return ProcessRow(
        name=row["name"],
        identity=ProcessIdentity(pid=row["pid"], created=row["created"]),
        started_at=datetime.fromisoformat(row["started_at"]),
        digest=row["digest"],
        port=row["port"],
        ready=bool(row["ready"]),
        restarts=row["restarts"],
        error=row["error"],
    )
