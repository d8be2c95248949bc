"""Rollouts: one row each, changed by compare-and-set on its revision, driven under a lease with a fencing epoch."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gatewright.domain.documents import canonical_json, read_json
from gatewright.domain.errors import LeaseLost, UnusableInput
from gatewright.domain.notice import Notice
from gatewright.domain.rollout import Command, Phase, Rollout, Verb
from gatewright.effects.processes import has_ended
from gatewright.store.codec import decode
from gatewright.store.database import Database, repeated
from gatewright.store.marks import retract
from gatewright.store.notices import post
from gatewright.store.records import Event, link
from gatewright.store.routes import withdraw


class Rollouts:
    """All rollouts of one workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def refresh(self, *, older_than_s: float = 0.0) -> None:
        """Take in what other machines have changed, where they share the state; see `Database.refresh`."""
        self._database.refresh(older_than_s=older_than_s)

    @repeated
    def start(self, rollout: Rollout, event: Event, *, lift: bool = False) -> Rollout:
        """Insert the rollout with its first record; the same run gets the rollout it already has.

        UnusableInput when another rollout of the model is active, or when the digest is quarantined; `lift` ends the
        quarantine in the same transaction.
        """
        with self._database.transaction("rollout-start") as connection:
            if existing := self.of_run(rollout.run):
                return existing
            if lift:
                connection.execute(
                    "DELETE FROM quarantine WHERE model = ? AND digest = ?", (rollout.model, rollout.canary)
                )
            banned = connection.execute(
                "SELECT why FROM quarantine WHERE model = ? AND digest = ?", (rollout.model, rollout.canary)
            ).fetchone()
            if banned:
                raise UnusableInput(
                    f"this model was rolled back before: {banned['why']}",
                    fix="train a new one, or lift its quarantine for a reason: gatewright rollout retry",
                )
            try:
                connection.execute(
                    "INSERT INTO rollouts (id, run, model, phase, revision, state) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        rollout.id,
                        rollout.run,
                        rollout.model,
                        rollout.phase,
                        rollout.revision,
                        _encoded(rollout),
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise UnusableInput(
                    f"another rollout of {rollout.model} is in progress",
                    fix="wait for it, or end it: gatewright rollout abort",
                ) from error
            link(connection, event)
        return rollout

    def get(self, rollout_id: str) -> Rollout | None:
        """The rollout with this id."""
        return self._one("SELECT * FROM rollouts WHERE id = ?", rollout_id)

    def of_run(self, run: str) -> Rollout | None:
        """The rollout of this run, even if its rollout.json was never written."""
        return self._one("SELECT * FROM rollouts WHERE run = ?", run)

    def active(self, model: str) -> Rollout | None:
        """The rollout of `model` that has not ended."""
        return self._one("SELECT * FROM rollouts WHERE model = ? AND phase NOT IN ('promoted', 'rolled_back')", model)

    def latest(self, model: str) -> Rollout | None:
        """The rollout of `model` that started last."""
        return self._one("SELECT * FROM rollouts WHERE model = ? ORDER BY rowid DESC LIMIT 1", model)

    def ended(self, model: str) -> Rollout | None:
        """The rollout of `model` that started last among those that have ended."""
        ended = "model = ? AND phase IN ('promoted', 'rolled_back')"
        return self._one(f"SELECT * FROM rollouts WHERE {ended} ORDER BY rowid DESC LIMIT 1", model)

    def driver(self, rollout: Rollout) -> str | None:
        """Who looked at it last, as `host:pid`, also when the lease was given back; None before the first look."""
        row = self._database.row("SELECT lease_owner FROM rollouts WHERE id = ?", (rollout.id,))
        return row["lease_owner"] if row else None

    def open_ids(self) -> tuple[tuple[str, str], ...]:
        """Id and model of every rollout that has not ended, oldest first."""
        sql = "SELECT id, model FROM rollouts WHERE phase NOT IN ('promoted', 'rolled_back') ORDER BY rowid"
        return tuple((row["id"], row["model"]) for row in self._database.rows(sql))

    def divided(self) -> tuple[str, ...]:
        """Models whose traffic a rollout has divided, and none divides now."""
        rows = self._database.rows("SELECT model FROM routes WHERE canary IS NULL ORDER BY model")
        return tuple(row["model"] for row in rows)

    def lease(self, rollout: Rollout, owner: str, now: datetime, seconds: float) -> Rollout:
        """Take or renew the lease. A new owner gets a higher epoch; LeaseLost while another owner's lease runs.

        The lease of a process of this machine that was killed is over at once: nobody is left to drive under it. One
        that ends further ahead than it lasts was given before the clock went back: it lasts its length from now on.

        Where the state is shared, other machines hear of it with the change that is made under it, which is refused
        when another was made before: until then looking is all that is done under it.
        """
        self._database.refresh()
        longest = (now + timedelta(seconds=seconds)).isoformat()
        with self._database.transaction("lease", later=True) as connection:
            row = connection.execute("SELECT * FROM rollouts WHERE id = ?", (rollout.id,)).fetchone()
            held = row["lease_owner"] not in (None, owner) and row["lease_until"] > now.isoformat()
            refused = held and not has_ended(row["lease_owner"])
            holder, until, epoch = owner, longest, int(row["epoch"]) + (row["lease_owner"] != owner)
            if refused:
                holder, until, epoch = row["lease_owner"], min(row["lease_until"], longest), int(row["epoch"])
            connection.execute(
                "UPDATE rollouts SET lease_owner = ?, lease_until = ?, epoch = ? WHERE id = ?",
                (holder, until, epoch, rollout.id),
            )
        if refused:
            raise LeaseLost(
                f"rollout {rollout.id} is driven by {holder} until {until}",
                fix="let it drive, or wait until its lease ends",
            )
        return replace(_decoded(row), epoch=epoch)

    @contextmanager
    def fenced(self, rollout: Rollout) -> Iterator[None]:
        """Make an effect while nobody can take over; LeaseLost when somebody has, or has changed the rollout, before.

        The state database cannot be written by others meanwhile: only for effects that are short.
        """
        with self._database.transaction("fence") as connection:
            sql = "SELECT 1 FROM rollouts WHERE id = ? AND epoch = ? AND revision = ?"
            if connection.execute(sql, (rollout.id, rollout.epoch, rollout.revision)).fetchone() is None:
                raise LeaseLost(
                    f"rollout {rollout.id} is driven by somebody else now", fix="nothing was changed; look again"
                )
            yield

    @repeated
    def release(self, rollout: Rollout, owner: str) -> None:
        """Give the lease back so that the next controller need not wait for its end."""
        with self._database.transaction("lease-release") as connection:
            connection.execute(
                "UPDATE rollouts SET lease_until = '' WHERE id = ? AND lease_owner = ?", (rollout.id, owner)
            )

    @repeated
    def advance(
        self,
        before: Rollout,
        after: Rollout,
        events: tuple[Event, ...],
        tick: Mapping[str, Any],
        taken: tuple[Command, ...],
        letters: tuple[tuple[Notice, str], ...] = (),
    ) -> Rollout:
        """State, records, evidence, taken commands and what is to be told, in one transaction.

        LeaseLost if somebody was faster.
        """
        after = replace(after, revision=before.revision + 1)
        at = (after.ticked_at or after.started_at).isoformat()
        with self._database.transaction(f"rollout-{after.phase}") as connection:
            changed = connection.execute(
                "UPDATE rollouts SET phase = ?, revision = ?, state = ? WHERE id = ? AND revision = ? AND epoch = ?",
                (after.phase, after.revision, _encoded(after), after.id, before.revision, before.epoch),
            )
            if changed.rowcount != 1:
                raise LeaseLost(
                    f"rollout {before.id} was changed by somebody else", fix="nothing was changed; look again"
                )
            for event in events:
                link(connection, event)
            connection.execute(
                "INSERT INTO ticks (rollout, revision, at, body) VALUES (?, ?, ?, ?)",
                (after.id, after.revision, at, canonical_json(tick).decode()),
            )
            if failed := _failed(before, after):
                _quarantine(connection, after, failed)
                withdraw(connection, after.model, failed)
                if after.phase is Phase.ROLLING_BACK:
                    retract(connection, after, failed)
            for command in taken:
                connection.execute("UPDATE commands SET taken_at = ? WHERE id = ?", (at, command.id))
            post(connection, letters)
        return after

    @repeated
    def command(self, rollout: Rollout, verb: Verb, actor: str, at: datetime, step: int | None = None) -> None:
        """Leave a command for the next tick, bound to the rollout's canary and, if need be, to one step."""
        with self._database.transaction("command") as connection:
            connection.execute(
                "INSERT INTO commands (rollout, verb, actor, at, step, digest) VALUES (?, ?, ?, ?, ?, ?)",
                (rollout.id, verb, actor, at.isoformat(), step, rollout.canary),
            )

    def commands(self, rollout: Rollout) -> tuple[Command, ...]:
        """Commands that no tick has taken yet, oldest first."""
        rows = self._database.rows(
            "SELECT * FROM commands WHERE rollout = ? AND taken_at IS NULL ORDER BY id", (rollout.id,)
        )
        return tuple(
            Command(
                id=row["id"],
                verb=row["verb"],
                actor=row["actor"],
                at=datetime.fromisoformat(row["at"]),
                step=row["step"],
                digest=row["digest"],
            )
            for row in rows
        )

    def ticks(self, rollout: Rollout) -> tuple[dict[str, Any], ...]:
        """Every stored look of this rollout, oldest first: its moment `at` and what was seen and decided."""
        rows = self._database.rows("SELECT at, body FROM ticks WHERE rollout = ? ORDER BY revision", (rollout.id,))
        return tuple({"at": row["at"], **read_json(row["body"].encode())} for row in rows)

    def quarantined(self, model: str) -> dict[str, str]:
        """Digests of `model` that were rolled back, with the reason; the newest last."""
        rows = self._database.rows("SELECT digest, why FROM quarantine WHERE model = ? ORDER BY at", (model,))
        return {row["digest"]: row["why"] for row in rows}

    def _one(self, sql: str, parameter: str) -> Rollout | None:
        row = self._database.row(sql, (parameter,))
        return _decoded(row) if row else None


def _failed(before: Rollout, after: Rollout) -> str | None:
    """The digest that this change condemns: a canary that is taken out, or what a return has replaced."""
    if after.restored_by is not None:
        return after.stable if after.phase is Phase.PROMOTED else None
    taken_out = after.phase is Phase.ROLLING_BACK and before.phase is not Phase.ROLLING_BACK
    return after.canary if taken_out else None


def _quarantine(connection: sqlite3.Connection, rollout: Rollout, digest: str) -> None:
    at = rollout.ticked_at or rollout.started_at
    why = f"taken back by {rollout.restored_by}" if rollout.restored_by is not None else rollout.why
    connection.execute(
        "INSERT OR IGNORE INTO quarantine (model, digest, rollout, why, at) VALUES (?, ?, ?, ?, ?)",
        (rollout.model, digest, rollout.id, why, at.isoformat()),
    )


def _encoded(rollout: Rollout) -> str:
    return canonical_json(rollout).decode()


def _decoded(row: sqlite3.Row) -> Rollout:
    rollout = decode(Rollout, row["state"])
    return replace(rollout, phase=Phase(row["phase"]), revision=row["revision"], epoch=row["epoch"])
