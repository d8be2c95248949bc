"""Claims: one row for each change of data, taken by compare-and-set, so that many watchers start one run."""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from datetime import datetime, timedelta

from gatewright.domain.claim import Claim, ClaimState, Started, Subject
from gatewright.domain.errors import LeaseLost, StartFailed
from gatewright.effects.processes import has_ended
from gatewright.rules.watching import ATTEMPTS, LEASE_S, claim_id, next_wait_s, run_id
from gatewright.store.database import Database, repeated

_TIMES = ("claimed_at", "lease_until", "not_before")
_OF_SUBJECT = tuple(field.name for field in fields(Subject))
_COLUMNS = (*(field.name for field in fields(Claim) if field.name != "subject"), *_OF_SUBJECT)


class Claims:
    """All claims of one workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, subject: Subject) -> Claim | None:
        """The claim on this subject."""
        row = self._database.row("SELECT * FROM claims WHERE id = ?", (claim_id(subject),))
        return _claim(row) if row else None

    def all(self, model: str | None = None) -> tuple[Claim, ...]:
        """Every claim (of `model`), oldest first."""
        rows = self._database.rows(
            "SELECT * FROM claims WHERE model = coalesce(?, model) ORDER BY claimed_at, rowid", (model,)
        )
        return tuple(map(_claim, rows))

    def take(
        self, subject: Subject, *, data: str, reason: str, start: str, owner: str, now: datetime, run: str | None = None
    ) -> Claim | None:
        """A new claim of `owner`; None when somebody was faster. With `run`, a run that exists already is its run."""
        claim = Claim(
            id=claim_id(subject),
            subject=subject,
            data=data,
            reason=reason,
            run=run or run_id(subject, now),
            start=start,
            state="started" if run else "claimed",
            owner=owner,
            epoch=1,
            attempts=0,
            claimed_at=now,
            lease_until=now + timedelta(seconds=LEASE_S),
            not_before=now,
            outcome="a run on the same data and code was there already" if run else "",
        )
        return claim if self._insert("claim", claim) else None

    def note(self, subject: Subject, state: ClaimState, *, data: str, reason: str, owner: str, now: datetime) -> bool:
        """Keep why `subject` starts nothing; False when that, or something else, is kept of it already."""
        claim = Claim(
            id=claim_id(subject), subject=subject, data=data, reason=reason, run="", start="", state=state,
            owner=owner, epoch=1, attempts=0, claimed_at=now, lease_until=now, not_before=now,
        )  # fmt: skip
        return self._insert("claim-noted", claim)

    @repeated
    def take_over(self, claim: Claim, owner: str, now: datetime) -> Claim | None:
        """The same claim under `owner`, whose start was not confirmed; None while another may still confirm it.

        The lease of a process of this machine that was killed is over at once.
        """
        with self._database.transaction("claim-taken-over") as connection:
            row = connection.execute("SELECT * FROM claims WHERE id = ?", (claim.id,)).fetchone()
            found = _claim(row)
            held = found.lease_until > now and found.owner != owner and not has_ended(found.owner)
            if found.state != "claimed" or found.not_before > now or held:
                return None
            connection.execute(
                "UPDATE claims SET owner = ?, epoch = epoch + 1, lease_until = ? WHERE id = ?",
                (owner, (now + timedelta(seconds=LEASE_S)).isoformat(), claim.id),
            )
            return _claim(connection.execute("SELECT * FROM claims WHERE id = ?", (claim.id,)).fetchone())

    def confirm(self, claim: Claim, started: Started) -> None:
        """The run was started. LeaseLost when another owner has taken the claim over meanwhile."""
        self._end(claim, "started", started.what, started.place)

    def overtake(self, claim: Claim, by: str) -> None:
        """A newer change came before this one was started; its run works on both."""
        self._end(claim, "overtaken", f"overtaken by {by} before it was started", "")

    def fail(self, claim: Claim, error: StartFailed, now: datetime) -> ClaimState:
        """Keep why the start failed: tried again later when that can help, at most `ATTEMPTS` times."""
        attempts = claim.attempts + 1
        if not error.again or attempts >= ATTEMPTS:
            self._end(claim, "failed", str(error), "", attempts)
            return "failed"
        later = now + timedelta(seconds=next_wait_s(attempts, error.after_s))
        self._delay(claim, str(error), now, later, attempts)
        return "claimed"

    def postpone(self, claim: Claim, why: str, now: datetime) -> None:
        """Leave the claim to the next look without counting an attempt: what it waits for goes by itself."""
        self._delay(claim, why, now, now, claim.attempts)

    @repeated
    def retry(self, model: str, now: datetime) -> int:
        """Let claims of `model` whose start failed for good be started anew; how many those are."""
        with self._database.transaction("claims-retried") as connection:
            changed = connection.execute(
                "UPDATE claims SET state = 'claimed', attempts = 0, lease_until = ?, not_before = ? "
                "WHERE model = ? AND state = 'failed'",
                (now.isoformat(), now.isoformat(), model),
            )
            return changed.rowcount

    @repeated
    def _insert(self, name: str, claim: Claim) -> bool:
        values = [getattr(claim.subject if name in _OF_SUBJECT else claim, name) for name in _COLUMNS]
        values = [value.isoformat() if isinstance(value, datetime) else value for value in values]
        marks = ", ".join("?" for _ in _COLUMNS)
        with self._database.transaction(name) as connection:
            sql = f"INSERT INTO claims ({', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
            return connection.execute(sql, values).rowcount == 1

    @repeated
    def _end(self, claim: Claim, state: ClaimState, outcome: str, place: str, attempts: int | None = None) -> None:
        with self._database.transaction(f"claim-{state}") as connection:
            changed = connection.execute(
                "UPDATE claims SET state = ?, outcome = ?, place = ?, attempts = ? "
                "WHERE id = ? AND epoch = ? AND state = 'claimed'",
                (state, outcome, place, claim.attempts if attempts is None else attempts, claim.id, claim.epoch),
            )
            _refuse_lost(changed.rowcount, claim)

    @repeated
    def _delay(self, claim: Claim, why: str, now: datetime, later: datetime, attempts: int) -> None:
        with self._database.transaction("claim-delayed") as connection:
            changed = connection.execute(
                "UPDATE claims SET outcome = ?, attempts = ?, not_before = ?, lease_until = ? "
                "WHERE id = ? AND epoch = ? AND state = 'claimed'",
                (why, attempts, later.isoformat(), now.isoformat(), claim.id, claim.epoch),
            )
            _refuse_lost(changed.rowcount, claim)


def _refuse_lost(changed: int, claim: Claim) -> None:
    if changed != 1:
        raise LeaseLost(f"the claim on {claim.data} was taken over", fix="its new owner goes on; nothing is lost")


def _claim(row: sqlite3.Row) -> Claim:
    facts = {name: row[name] for name in _COLUMNS}
    facts |= {name: datetime.fromisoformat(row[name]) for name in _TIMES}
    subject = Subject(**{name: facts.pop(name) for name in _OF_SUBJECT})
    return Claim(subject=subject, **facts)
