"""The outbox: what is to be told to whom, written with the decision and kept until it was told or given up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatewright.domain.documents import canonical_json
from gatewright.domain.notice import Notice
from gatewright.store.codec import decode
from gatewright.store.database import Database, repeated

PAUSES_S = (1.0, 5.0, 30.0, 300.0, 3600.0)
"""From one try to the next; after the last one it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One notice for one notifier, and how often it was tried before."""

    notice: Notice
    notifier: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A notice that a notifier has not taken yet; `given_up`: nobody tries any more."""

    id: str
    notifier: str
    at: datetime
    tries: int
    error: str
    given_up: bool


class Notices:
    """The outbox of one model."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    def due(self, notifiers: Sequence[str], now: datetime) -> tuple[Letter, ...]:
        """Letters to these notifiers whose time has come, oldest first."""
        rows = self._database.rows(
            "SELECT * FROM notices WHERE model = ? AND next_at <= ? ORDER BY at, rowid", (self._model, now.isoformat())
        )
        return tuple(
            Letter(notice=decode(Notice, row["body"]), notifier=row["notifier"], tries=row["tries"])
            for row in rows
            if row["notifier"] in notifiers
        )

    def next_due(self, notifiers: Sequence[str]) -> datetime | None:
        """When the next letter to one of these is to be tried."""
        rows = self._database.rows(
            "SELECT notifier, next_at FROM notices WHERE model = ? AND next_at IS NOT NULL", (self._model,)
        )
        times = [row["next_at"] for row in rows if row["notifier"] in notifiers]
        return datetime.fromisoformat(min(times)) if times else None

    @repeated
    def claim(self, letter: Letter, now: datetime) -> bool:
        """Write down that it is being told now, and when it would be tried again; False if somebody else tells it."""
        after = now + timedelta(seconds=PAUSES_S[letter.tries]) if letter.tries < len(PAUSES_S) else None
        with self._database.transaction("notice-claim") as connection:
            changed = connection.execute(
                "UPDATE notices SET tries = tries + 1, next_at = ?, error = 'no answer yet' "
                "WHERE id = ? AND notifier = ? AND tries = ? AND told_at IS NULL",
                (after.isoformat() if after else None, letter.notice.id, letter.notifier, letter.tries),
            )
        return changed.rowcount == 1

    @repeated
    def told(self, letter: Letter, now: datetime) -> None:
        """It was taken: nobody tells it again."""
        with self._database.transaction("notice-told") as connection:
            connection.execute(
                "UPDATE notices SET told_at = ?, next_at = NULL, error = NULL WHERE id = ? AND notifier = ?",
                (now.isoformat(), letter.notice.id, letter.notifier),
            )

    @repeated
    def failed(self, letter: Letter, error: str) -> None:
        """It was not taken; the next try is planned already, if there is one."""
        with self._database.transaction("notice-failed") as connection:
            connection.execute(
                "UPDATE notices SET error = ? WHERE id = ? AND notifier = ?", (error, letter.notice.id, letter.notifier)
            )

    def undelivered(self) -> tuple[Undelivered, ...]:
        """What was tried and not taken, oldest first."""
        rows = self._database.rows(
            "SELECT * FROM notices WHERE model = ? AND told_at IS NULL AND tries > 0 ORDER BY at, rowid", (self._model,)
        )
        return tuple(
            Undelivered(
                id=row["id"],
                notifier=row["notifier"],
                at=datetime.fromisoformat(row["at"]),
                tries=row["tries"],
                error=row["error"] or "",
                given_up=row["next_at"] is None,
            )
            for row in rows
        )


def post(connection: sqlite3.Connection, notices: Iterable[tuple[Notice, str]]) -> None:
    """Put letters, each a notice and the notifier that it is for, into the outbox, in the caller's transaction."""
    for notice, notifier in notices:
        connection.execute(
            "INSERT OR IGNORE INTO notices (id, notifier, model, at, body, next_at) VALUES (?, ?, ?, ?, ?, ?)",
            (
                notice.id,
                notifier,
                notice.model,
                notice.at.isoformat(),
                canonical_json(notice).decode(),
                notice.at.isoformat(),
            ),
        )
