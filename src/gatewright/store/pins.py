"""Pins: what each watched source of data was last seen to hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gatewright.domain.lineage import DataVersion
from gatewright.store.database import Database, repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The pin of a source, the version it stands for, and whether that version is everything at its uri."""

    pin: str
    version: str
    whole: bool


class Pins:
    """What was seen of each data set, by name, role and uri."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, version: DataVersion) -> Seen | None:
        """What was last seen where `version` lies."""
        row = self._database.row(
            "SELECT pin, version, whole FROM pins WHERE name = ? AND role = ? AND uri = ?",
            (version.name, version.role, version.uri),
        )
        return Seen(pin=row["pin"], version=row["version"], whole=bool(row["whole"])) if row else None

    @repeated
    def put(self, version: DataVersion, pin: str, *, whole: bool, now: datetime) -> None:
        """Remember that `pin` stands for `version`."""
        with self._database.transaction("pin") as connection:
            connection.execute(
                "INSERT INTO pins (name, role, uri, pin, whole, version, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (name, role, uri) DO UPDATE SET pin = excluded.pin, whole = excluded.whole, "
                "version = excluded.version, seen_at = excluded.seen_at",
                (
                    version.name,
                    version.role,
                    version.uri,
                    pin,
                    int(whole),
                    version.version,
                    now.isoformat(),
                ),
            )
