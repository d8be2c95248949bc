"""The processes that the supervisor knows; any other of ours is an orphan."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from gatewright.effects.processes import ProcessIdentity
from gatewright.store.database import Database

SUPERVISOR = "supervisor"
NURSERY = "nursery"
EVERY_MODEL = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """One process of the runtime: `supervisor`, `nursery`, or a model's `gateway` and `model-<digest12>`."""

    name: str
    identity: ProcessIdentity
    started_at: datetime
    digest: str | None = None
    port: int | None = None
    ready: bool = False
    restarts: int = 0
    error: str | None = None


class Processes:
    """The runtime's processes for one model, and those of all; written by the supervisor only."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    def all(self) -> tuple[ProcessRow, ...]:
        """Every process of this model, and those there for all models."""
        sql = "SELECT * FROM processes WHERE model IN (?, ?) ORDER BY name"
        return tuple(_process(row) for row in self._database.rows(sql, (self._model, EVERY_MODEL)))

    def of_every_model(self) -> tuple[ProcessRow, ...]:
        """Every process of the workspace."""
        return tuple(_process(row) for row in self._database.rows("SELECT * FROM processes ORDER BY model, name"))

    def get(self, name: str) -> ProcessRow | None:
        """The process of this name."""
        return next((row for row in self.all() if row.name == name), None)

    def put(self, process: ProcessRow) -> None:
        """Insert or replace one process."""
        with self._database.transaction("process", later=True) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO processes "
                "(model, name, pid, created, digest, port, ready, restarts, error, started_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._owner(process.name),
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
        with self._database.transaction("process", later=True) as connection:
            connection.execute("DELETE FROM processes WHERE model = ? AND name = ?", (self._owner(name), name))

    def forget_every_model(self) -> None:
        """Forget all processes of the workspace."""
        with self._database.transaction("process", later=True) as connection:
            connection.execute("DELETE FROM processes")

    def _owner(self, name: str) -> str:
        return EVERY_MODEL if name in (SUPERVISOR, NURSERY) else self._model


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
