"""What the runtime should serve: arms by digest, the canary's weight, and the lease that keeps it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from gatewright.domain.errors import LeaseLost
from gatewright.domain.lineage import Artifact
from gatewright.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The desired route of one model. `fallback` is the previous stable, kept warm until `fallback_until`.

    `renewals` grows with every tick; a canary weight that is not renewed within `lease_s` seconds lapses.
    `mirror` is the share, 0 to 1, of stable's requests that are copied to a canary without weight.
    `reapplied` counts how often the same was to be written once more.
    """

    model: str
    rollout: str
    stable: str | None
    canary: str | None
    weight: float
    epoch: int
    revision: int
    renewals: int
    lease_s: float
    mirror: float = 0.0
    reapplied: int = 0
    fallback: str | None = None
    fallback_until: datetime | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        """The models that must run."""
        return tuple(dict.fromkeys(digest for digest in (self.canary, self.stable, self.fallback) if digest))


class Routes:
    """Desired routes; each write is refused for an epoch or a rollout older than the one that drives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, model: str) -> Route | None:
        """The desired route of `model`."""
        row = self._database.row("SELECT * FROM routes WHERE model = ?", (model,))
        return _route(row) if row else None

    def all(self) -> tuple[Route, ...]:
        """Every desired route."""
        return tuple(_route(row) for row in self._database.rows("SELECT * FROM routes ORDER BY model"))

    def locate(self, model: str, digest: str) -> str | None:
        """Where the bytes of this arm lie."""
        row = self._database.row("SELECT uri FROM arms WHERE model = ? AND digest = ?", (model, digest))
        return str(row["uri"]) if row else None

    def put(self, route: Route, arms: tuple[Artifact, ...] = ()) -> None:
        """Replace the route; the revision grows only when something other than the lease changed.

        LeaseLost for an outdated epoch, for a rollout that a later one has followed, or for traffic, copied
        or not, to a quarantined digest.
        """
        with self._database.transaction("route", later=True) as connection:
            row = connection.execute("SELECT * FROM routes WHERE model = ?", (route.model,)).fetchone()
            present = _route(row) if row else None
            newest = _newest_epoch(connection, route.rollout, present)
            if newest > route.epoch:
                raise LeaseLost(
                    f"epoch {route.epoch} of rollout {route.rollout} is outdated, epoch {newest} drives now",
                    fix="nothing was changed; another controller has taken over",
                )
            if present and _started_before(connection, route.rollout, present.rollout):
                raise LeaseLost(
                    f"rollout {route.rollout} of {route.model} is over, {present.rollout} drives now",
                    fix="nothing was changed; look at the later one: gatewright status",
                )
            if route.canary and (route.weight > 0 or route.mirror > 0):
                _refuse_quarantined(connection, route)
            for arm in arms:
                connection.execute(
                    "INSERT INTO arms (model, digest, uri) VALUES (?, ?, ?) "
                    "ON CONFLICT (model, digest) DO UPDATE SET uri = excluded.uri",
                    (route.model, arm.digest, arm.uri),
                )
            _write(connection, route, present)


def withdraw(connection: sqlite3.Connection, model: str, digest: str) -> None:
    """Take a condemned canary's weight and copies away inside the caller's transaction.

    Whoever condemned it may be killed before the effect; a supervisor that starts then must not give the weight again.
    """
    connection.execute(
        "UPDATE routes SET weight = 0, mirror = 0, revision = revision + 1 "
        "WHERE model = ? AND canary = ? AND (weight > 0 OR mirror > 0)",
        (model, digest),
    )


def _newest_epoch(connection: sqlite3.Connection, rollout: str, present: Route | None) -> int:
    """That of the route, or of the lease: who has taken it over may not have come to the route yet."""
    row = connection.execute("SELECT epoch FROM rollouts WHERE id = ?", (rollout,)).fetchone()
    written = present.epoch if present and present.rollout == rollout else 0
    return max(written, int(row["epoch"]) if row else 0)


def _started_before(connection: sqlite3.Connection, rollout: str, other: str) -> bool:
    sql = "SELECT 1 FROM rollouts a, rollouts b WHERE a.id = ? AND b.id = ? AND a.rowid < b.rowid"
    return connection.execute(sql, (rollout, other)).fetchone() is not None


def _refuse_quarantined(connection: sqlite3.Connection, route: Route) -> None:
    row = connection.execute(
        "SELECT why FROM quarantine WHERE model = ? AND digest = ?", (route.model, route.canary)
    ).fetchone()
    if row:
        raise LeaseLost(f"the canary of rollout {route.rollout} is quarantined: {row['why']}", fix="it stays at 0 %")


def _write(connection: sqlite3.Connection, route: Route, present: Route | None) -> None:
    same = present is not None and _content(present) == _content(route)
    revision = (present.revision if present else 0) + (not same)
    renewals = (present.renewals if present else 0) + 1
    until = route.fallback_until.isoformat() if route.fallback_until else None
    connection.execute(
        "INSERT INTO routes (model, rollout, stable, canary, fallback, fallback_until, weight, epoch, revision, "
        "renewals, lease_s, mirror, reapplied) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (model) DO UPDATE SET "
        "rollout = excluded.rollout, stable = excluded.stable, canary = excluded.canary, "
        "fallback = excluded.fallback, fallback_until = excluded.fallback_until, weight = excluded.weight, "
        "epoch = excluded.epoch, revision = excluded.revision, renewals = excluded.renewals, "
        "lease_s = excluded.lease_s, mirror = excluded.mirror, reapplied = excluded.reapplied",
        (
            route.model,
            route.rollout,
            route.stable,
            route.canary,
            route.fallback,
            until,
            route.weight,
            route.epoch,
            revision,
            renewals,
            route.lease_s,
            route.mirror,
            route.reapplied,
        ),
    )


def _content(route: Route) -> tuple[object, ...]:
    arms = (route.stable, route.canary, route.fallback)
    return (route.rollout, *arms, route.weight, route.mirror, route.reapplied)


def _route(row: sqlite3.Row) -> Route:
    until = row["fallback_until"]
    return Route(**{**dict(row), "fallback_until": datetime.fromisoformat(until) if until else None})
