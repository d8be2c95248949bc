"""Deployment records: an append-only chain, h_n = SHA-256(h_{n-1} ‖ canonical event)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gatewright.domain.documents import canonical_json, read_json, sha256
from gatewright.domain.errors import UnusableInput
from gatewright.domain.records import TERMINAL_KINDS, DeploymentRecord
from gatewright.store.database import Database, repeated

GENESIS = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, before it is linked into the chain."""

    at: datetime
    kind: str
    run: str
    model: str
    why: str
    actor: str = "gatewright"
    rollout: str | None = None
    before: str | None = None
    after: str | None = None
    evidence: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Records:
    """The chain of one workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeated
    def append(self, event: Event) -> DeploymentRecord:
        """Link one event in a transaction of its own; a second terminal event of a run returns the first."""
        with self._database.transaction("record") as connection:
            if event.kind in TERMINAL_KINDS and (existing := self.terminal(event.run)):
                return existing
            return link(connection, event)

    def all(self) -> tuple[DeploymentRecord, ...]:
        """Every record, oldest first."""
        return tuple(_record(row) for row in self._database.rows("SELECT * FROM records ORDER BY seq"))

    def terminal(self, run: str) -> DeploymentRecord | None:
        """The one record that ended `run`."""
        row = self._database.row("SELECT * FROM records WHERE run = ? AND terminal = 1", (run,))
        return _record(row) if row else None

    def first_broken(self) -> tuple[int, str] | None:
        """The first record that does not fit the chain and why; None when the whole chain verifies."""
        previous, expected = GENESIS, 1
        for row in self._database.rows("SELECT * FROM records ORDER BY seq"):
            seq = int(row["seq"])
            if seq != expected:
                return expected, f"record {expected} is missing"
            if row["previous"] != previous:
                return seq, "it does not name its predecessor's digest"
            try:
                body = read_json(row["body"].encode())
            except ValueError as error:
                return seq, f"it cannot be read: {error}"
            if _digest(previous, body) != row["digest"]:
                return seq, "its content does not give its digest"
            if (body.get("run"), body.get("kind") in TERMINAL_KINDS) != (row["run"], bool(row["terminal"])):
                return seq, "its index columns contradict its content"
            previous, expected = row["digest"], seq + 1
        return None


def link(connection: sqlite3.Connection, event: Event) -> DeploymentRecord:
    """Append `event` inside the caller's transaction, so that a state change and its record are one.

    UnusableInput for a second terminal event of a run.
    """
    last = connection.execute("SELECT seq, digest FROM records ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (int(last["seq"]) + 1, str(last["digest"])) if last else (1, GENESIS)
    body = read_json(canonical_json({"seq": seq, **_as_body(event)}))
    digest = _digest(previous, body)
    try:
        connection.execute(
            "INSERT INTO records (seq, run, terminal, body, previous, digest) VALUES (?, ?, ?, ?, ?, ?)",
            (seq, event.run, int(event.kind in TERMINAL_KINDS), canonical_json(body).decode(), previous, digest),
        )
    except sqlite3.IntegrityError as error:
        raise UnusableInput(f"run {event.run} has ended already", fix="start a new run: gatewright run") from error
    return _build(body, previous, digest)


def _as_body(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in Event.__dataclass_fields__}


def _digest(previous: str, body: Mapping[str, Any]) -> str:
    return sha256(previous.encode() + canonical_json(body))


def _record(row: sqlite3.Row) -> DeploymentRecord:
    return _build(read_json(row["body"].encode()), row["previous"], row["digest"])


def _build(body: Mapping[str, Any], previous: str, digest: str) -> DeploymentRecord:
    return DeploymentRecord(**{**body, "at": datetime.fromisoformat(body["at"])}, previous=previous, digest=digest)
