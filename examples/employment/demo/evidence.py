"""What a demo leaves behind, read without any part of Gatewright: database, chain of records, traffic, live route."""

from __future__ import annotations

import hashlib
import http.client
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

GENESIS = "sha256:" + "0" * 64
TERMINAL = ("promoted", "confirmed", "rolled_back", "stopped", "aborted")
FULL = 99.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout: the canary's weights above 0 as asked for and as read back, each once in order (99.99 is 100).

    `exposed_s`: seconds from its first share of traffic to its end.
    """

    canary: str = ""
    asked: list[float] = field(default_factory=list)
    observed: list[float] = field(default_factory=list)
    exposed_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the checker looks at. `live`: cluster → per cent; `broken` and `live_problem` are empty when fine."""

    records: list[dict[str, Any]]
    broken: str
    rollouts: dict[str, Rollout]
    versions: list[tuple[str, str]]
    quarantined: set[str]
    serving: str | None
    traffic: dict[str, Any]
    live: dict[str, float]
    live_problem: str

    @property
    def ends(self) -> list[dict[str, Any]]:
        """The terminal records, oldest first."""
        return [record for record in self.records if record["kind"] in TERMINAL]

    @property
    def terminal_counts(self) -> dict[str, int]:
        """Terminal records of every run that left any trace."""
        traces = {*self.rollouts, *(run for run, _ in self.versions), *(record["run"] for record in self.records)}
        ends = Counter(record["run"] for record in self.ends)
        return {run: ends[run] for run in sorted(traces)}

    def versions_of(self, run: str) -> list[str]:
        """Digests that this run registered."""
        return [digest for owner, digest in self.versions if owner == run]

    def live_share(self, digest: str) -> float | None:
        """Per cent of the live traffic that this model gets; None when the route could not be read."""
        if self.live_problem:
            return None
        return self.live.get(f"model-{digest.removeprefix('sha256:')[:12]}", 0.0)


def read_evidence(workspace: Path, traffic: Path) -> Evidence:
    """Read all of it; what is missing stays empty, which no check takes for good."""
    state = workspace / ".gatewright" / "state.db"
    live, problem = live_route(workspace / ".gatewright" / "gateway" / "employment" / "admin.address")
    with closing(sqlite3.connect(f"{state.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM records ORDER BY seq").fetchall()
        records = [json.loads(row["body"]) for row in rows]
        ended = {record["run"]: record["at"] for record in records if record["kind"] in TERMINAL}
        serving = database.execute("SELECT digest FROM versions JOIN serving USING (model, number)").fetchone()
        return Evidence(
            records=records,
            broken=broken_link(rows),
            rollouts={
                row["run"]: _rollout(database, row["id"], json.loads(row["state"])["canary"], ended.get(row["run"]))
                for row in database.execute("SELECT id, run, state FROM rollouts").fetchall()
            },
            versions=[(row["run"], row["digest"]) for row in database.execute("SELECT run, digest FROM versions")],
            quarantined={row["digest"] for row in database.execute("SELECT digest FROM quarantine")},
            serving=serving["digest"] if serving else None,
            traffic=json.loads(traffic.read_text(encoding="utf-8")) if traffic.is_file() else {},
            live=live,
            live_problem=problem,
        )


def broken_link(rows: Iterable[sqlite3.Row]) -> str:
    """Where the chain h_n = SHA-256(h_{n-1} ‖ canonical record) is broken; empty when it holds."""
    previous = GENESIS
    for expected, row in enumerate(rows, start=1):
        body = json.loads(row["body"])
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        digest = "sha256:" + hashlib.sha256(previous.encode() + canonical).hexdigest()
        told = (row["seq"], row["previous"], row["digest"], row["run"], bool(row["terminal"]))
        if told != (expected, previous, digest, body["run"], body["kind"] in TERMINAL) or body["seq"] != expected:
            return f"record {row['seq']} does not fit"
        previous = digest
    return "" if previous != GENESIS else "there is no record"


def path_of(weights: Iterable[float | None]) -> list[float]:
    """Each weight above 0 when it is new; 99.99 is as good as 100, for the old model stays warm."""
    path: list[float] = []
    seen: float | None = 0.0
    for weight in weights:
        now = 100.0 if weight is not None and weight >= FULL else weight
        if now is not None and now != seen:
            path.append(now)
            seen = now
    while path and path[-1] == 0.0:
        path.pop()
    return path


def live_route(address: Path) -> tuple[dict[str, float], str]:
    """Envoy's own answer: cluster → per cent of the traffic, or why there is none."""
    try:
        host, _, port = address.read_text(encoding="utf-8").strip().rpartition(":")
        with closing(http.client.HTTPConnection(host, int(port), timeout=5)) as connection:
            connection.request("GET", "/config_dump?resource=dynamic_route_configs")
            configs = json.loads(connection.getresponse().read())["configs"]
        routes = [
            route for config in configs for host in config["route_config"]["virtual_hosts"] for route in host["routes"]
        ]
        (route,) = routes
        shares = route["route"]["weighted_clusters"]["clusters"]
        return {cluster["name"]: cluster["weight"] / 100 for cluster in shares}, ""
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return {}, f"Envoy's route cannot be read: {type(error).__name__}: {error}"


def _rollout(database: sqlite3.Connection, name: str, canary: str, ended: str | None) -> Rollout:
    rows = database.execute("SELECT at, body FROM ticks WHERE rollout = ? ORDER BY revision", (name,)).fetchall()
    ticks = [(datetime.fromisoformat(row["at"]), json.loads(row["body"])) for row in rows]
    first = next((at for at, body in ticks if body["observed"]), None)
    return Rollout(
        canary=canary,
        asked=path_of(body["weight"] for _, body in ticks),
        observed=path_of(body["observed"] for _, body in ticks),
        exposed_s=(datetime.fromisoformat(ended) - first).total_seconds() if first and ended else None,
    )
