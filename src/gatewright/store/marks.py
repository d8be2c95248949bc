"""What a distant registry is to say that serves: written down before it is told, so that the last word holds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gatewright.domain.rollout import Rollout
from gatewright.store.database import Database, repeated

_NEWEST = "SELECT * FROM marks WHERE model = ? ORDER BY number DESC LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The `number`-th word about what serves `model`: the version with this digest, or none."""

    model: str
    number: int
    digest: str | None


class Marks:
    """All words about what serves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intend(self, rollout: Rollout, digest: str | None) -> None:
        """Write down what is to be told. To be called while the rollout is fenced; the same word stands once."""
        with self._database.transaction("mark") as connection:
            row = connection.execute(_NEWEST, (rollout.model,)).fetchone()
            if row is None or (row["rollout"], row["digest"]) != (rollout.id, digest):
                _write(connection, rollout, digest, after=row)

    def newest(self, model: str) -> Mark | None:
        """The word that holds."""
        return _mark(self._database.row(_NEWEST, (model,)))

    def outdated(self, model: str, digest: str | None) -> bool:
        """Whether an older word that nobody has seen through says `digest`: somebody may have told it late."""
        sql = (
            "SELECT 1 FROM marks WHERE model = ? AND digest IS ? AND told = 0 "
            "AND number < (SELECT max(number) FROM marks WHERE model = ?)"
        )
        return self._database.row(sql, (model, digest, model)) is not None

    @repeated
    def told(self, mark: Mark) -> None:
        """The registry says it now."""
        with self._database.transaction("mark-told") as connection:
            connection.execute("UPDATE marks SET told = 1 WHERE model = ? AND number = ?", (mark.model, mark.number))


def _mark(row: sqlite3.Row | None) -> Mark | None:
    return Mark(model=row["model"], number=row["number"], digest=row["digest"]) if row else None


def retract(connection: sqlite3.Connection, rollout: Rollout, failed: str) -> None:
    """With the decision that `failed` goes: no word that it serves holds any more, told or still on its way."""
    row = connection.execute(_NEWEST, (rollout.model,)).fetchone()
    if row is not None and row["digest"] == failed:
        _write(connection, rollout, rollout.stable, after=row)


def _write(connection: sqlite3.Connection, rollout: Rollout, digest: str | None, *, after: sqlite3.Row | None) -> None:
    number = after["number"] + 1 if after is not None else 1
    connection.execute(
        "INSERT INTO marks (model, number, digest, rollout) VALUES (?, ?, ?, ?)",
        (rollout.model, number, digest, rollout.id),
    )
