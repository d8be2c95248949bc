"""The pretended outside of a crash test: time, a gateway, requests. It keeps a journal on disk that no kill takes back.

Everything that has to outlive a killed process lies in one folder: the moment, what the gateway has taken, which
model servers are up, and `journal.jsonl`, to which every change that users could notice is added as one line.
"""

from __future__ import annotations

import json
import mmap
import os
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

START_US = 1_767_225_600_000_000  # 2026-01-01
REQUESTS_PER_S = 20
DEAF_S = 1.5
_MOMENT = struct.Struct("<q")
_WHOLE = 10_000


class Clock:
    """Port `Clock`: one moment for all processes of a trial. Asking takes a millisecond, so no two answers agree."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_MOMENT.pack(START_US))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _MOMENT.size)
        self.world: Outside | None = None

    @property
    def moment_us(self) -> int:
        (moment,) = _MOMENT.unpack(self._memory[:])
        return int(moment)

    def forward(self, seconds: float) -> None:
        self._memory[:] = _MOMENT.pack(self.moment_us + round(seconds * 1e6))

    def now(self) -> datetime:
        self.forward(0.001)
        return datetime.fromtimestamp(self.moment_us / 1e6, UTC)

    def sleep(self, seconds: float) -> None:
        """The outside goes on meanwhile."""
        if self.world is None:
            self.forward(seconds)
        else:
            self.world.live(seconds)

    def seconds(self) -> float:
        """For what asks a monotonic clock."""
        return self.moment_us / 1e6

    def wait_until(self, condition: Any, *, timeout_s: float, every_s: float = 0.05) -> bool:
        """As effects.processes does, without waiting."""
        until = self.seconds() + timeout_s
        while not condition():
            if self.seconds() > until:
                return False
            self.forward(max(every_s, 0.1))
        return True


class Journal:
    """Lines that are added whole; each says when, and after how many changes of the state database."""

    def __init__(self, path: Path, database: Path, clock: Clock) -> None:
        self.path = path
        self._database = database
        self._clock = clock

    def add(self, kind: str, **facts: Any) -> None:
        line = json.dumps({"kind": kind, "at": self._clock.moment_us, "audit": self._changes(), **facts})
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, line.encode() + b"\n")
        finally:
            os.close(handle)

    def _changes(self) -> int:
        if not self._database.exists():
            return 0
        connection = sqlite3.connect(self._database, timeout=5)
        try:
            return int(connection.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # before the audit was set up, or locked by a process that was stopped in a commit
        finally:
            connection.close()


class Outside:
    """The folder `place`, around the workspace `root`. `faulty` names the model servers that fail their requests."""

    def __init__(self, place: Path, root: Path, model: str) -> None:
        self.place, self.root = place, root
        self.clock = Clock(place / "clock")
        self.clock.world = self
        self.journal = Journal(place / "journal.jsonl", root / ".gatewright" / "state.db", self.clock)
        self.gateway_folder = root / ".gatewright" / "gateway" / model
        self.servers = place / "servers"
        self.servers.mkdir(exist_ok=True)
        self.supervisor: Any = None
        self._faulty: set[str] | None = None

    # what a gateway does: it takes files, and shows what it has taken

    def answer(self, target: str) -> bytes:
        """The admin interface of Envoy."""
        self.look()
        if "listener_manager" in target:
            return b"listener_manager.total_listeners_active: 1"
        if "dynamic_route_configs" in target:
            taken = self._taken("routes")
            entries = [{"version_info": taken["version_info"], "route_config": taken["resources"][0]}] if taken else []
        else:
            taken = self._taken("clusters")
            entries = [{"cluster": cluster} for cluster in taken["resources"]] if taken else []
        return json.dumps({"configs": entries}).encode()

    def look(self) -> None:
        """Take what is new in the folder: clusters at once, a table that gives all to a new model after a while."""
        for name in ("clusters", "routes"):
            file = self.gateway_folder / "xds" / f"{name}.json"
            told = file.read_bytes() if file.exists() else b""
            if not told or told == self._kept(name):
                continue
            document = json.loads(told)
            if name == "routes" and self._deaf(document):
                continue
            shares = _shares(document) if name == "routes" else None
            names = [cluster["name"] for cluster in document["resources"]] if name == "clusters" else None
            self.journal.add(
                "shown" if name == "routes" else "clusters",
                version=document["version_info"],
                **{key: value for key, value in {"shares": shares, "clusters": names}.items() if value is not None},
            )
            _keep(self.place / f"{name}.json", told)

    def _deaf(self, document: Mapping[str, Any]) -> bool:
        """Whether it does not apply this table yet, as a gateway that is busy; remembered across processes."""
        shares, present = dict(_shares(document)), dict(self.shares())
        if not any(share >= _WHOLE - 1 and name in present and present[name] < share for name, share in shares.items()):
            return False
        note = self.place / "deaf.json"
        known = json.loads(note.read_text()) if note.exists() else {}
        if known.get("shares") != shares:
            known = {"shares": shares, "until": self.clock.seconds() + DEAF_S}
            _keep(note, json.dumps(known).encode())
        return bool(self.clock.seconds() < known["until"])

    def shares(self) -> list[tuple[str, int]]:
        """The table in force."""
        taken = self._taken("routes")
        return _shares(taken) if taken else []

    def _kept(self, name: str) -> bytes:
        kept = self.place / f"{name}.json"
        return kept.read_bytes() if kept.exists() else b""

    def _taken(self, name: str) -> dict[str, Any] | None:
        kept = self._kept(name)
        document: dict[str, Any] | None = json.loads(kept) if kept else None
        return document

    # what goes on by itself

    def live(self, seconds: float) -> None:
        """Time passes: the supervisor looks, and users ask."""
        if self.supervisor is not None:
            self._note("(")
            self.supervisor.reconcile()
            self._note(")")
        self.look()
        self._serve(seconds)
        self.clock.forward(seconds)

    def _note(self, sign: str) -> None:
        """In the list of failpoints passed: what lies between is the work of the supervisor, of which there is one."""
        if trace := os.environ.get("GATEWRIGHT_FAILPOINTS_PASSED"):
            with Path(trace).open("a") as file:
                file.write(sign + "\n")

    def _serve(self, seconds: float) -> None:
        shares = self.shares()
        count = round(seconds * REQUESTS_PER_S)
        if not shares or not count:
            return
        taken = self._taken("clusters")
        known = {cluster["name"] for cluster in taken["resources"]} if taken else set()
        dead = [name for name, _ in shares if name not in known or not (self.servers / name).exists()]
        if dead:
            self.journal.add("failed", requests=count, clusters=dead, known=sorted(known))
        lines = b"".join(
            json.dumps(line).encode() + b"\n" for line in self._lines(shares, count, seconds, self._route())
        )
        with (self.gateway_folder / "access.jsonl").open("ab", buffering=0) as log:
            log.write(lines)

    def _route(self) -> str:
        taken = self._taken("routes")
        return str(taken["resources"][0]["virtual_hosts"][0]["routes"][0]["name"]) if taken else ""

    def _lines(self, shares: list[tuple[str, int]], count: int, seconds: float, route: str) -> Iterator[dict[str, Any]]:
        """Requests in even spaces, drawn in turn; one that a faulty server fails is answered by the other one."""
        if self._faulty is None:
            note = self.place / "faulty.json"
            self._faulty = set(json.loads(note.read_text())) if note.exists() else set()
        first, share = shares[0]
        for number in range(count):
            drawn = first if (number * 7 % 10) * 1000 < share else shares[-1][0]
            failed = drawn in self._faulty and number % 2 == 0
            yield {
                "start_us": str(self.clock.moment_us + round(1e6 * seconds * number / count)),
                "duration_us": 2000,
                "duration_ms": 2,
                "cluster": shares[-1][0] if failed else drawn,
                "code": 200,
                "flags": "-",
                "attempts": 2 if failed else 1,
                "route": route,
                "user": None,
                "request": None,
                "method": "POST",
                "path": "/",
            }


def _shares(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    hosts = document["resources"][0]["virtual_hosts"]
    if not hosts:
        return []
    weighted = hosts[0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
    return [(cluster["name"], cluster["weight"]) for cluster in weighted]


def _keep(path: Path, data: bytes) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(data)
    unfinished.replace(path)
