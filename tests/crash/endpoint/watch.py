"""What is seen of an endpoint from outside while processes are killed: every order, and what was written by then."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatewright.domain.routing import cluster_name
from tests.crash.outside import Clock
from tests.fixtures import toy
from tests.fixtures.endpoints import ACCOUNT, REGION, Endpoints
from tests.fixtures.forwarding import Answer

_WEIGH = "UpdateEndpointWeightsAndCapacities"
_FULL, _NEAR = 99.99, 0.01
_ENDED = ("promoted", "rolled_back")
GIVEN_UP = 2
"""Of the orders to change weights SageMaker gives this one up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the state database says: the newest rollout, and what its traffic should be."""

    phase: str
    canary: str
    stable: str | None
    intended: float


@dataclass(slots=True, kw_only=True)
class Watch:
    """In front of the server: schedules come due by the trial's clock, every order is judged when it comes."""

    endpoints: Endpoints
    clock: Clock
    database: Path
    violations: list[str] = field(default_factory=list)
    orders: list[dict[str, float]] = field(default_factory=list)
    weighed: int = 0
    over: bool = False

    def begin(self) -> None:
        """A trial begins."""
        self.violations, self.orders, self.weighed, self.over = [], [], 0, False

    def answer(self, kind: str, body: bytes) -> Answer | None:
        """As the server's own front, with eyes."""
        self.fire()
        written = self.written()
        self.judge_end(written)
        before = len(self.endpoints.taken)
        answer = self.endpoints.answer(kind, body)
        if kind == _WEIGH and len(self.endpoints.taken) > before:
            self._weighed(json.loads(body), written)
        self._judge_stable(written)
        return answer

    def fire(self) -> None:
        """What EventBridge Scheduler does: a schedule that is due calls SageMaker, and again while that refuses."""
        for name, schedule in list(_schedules().items()):
            at = datetime.strptime(schedule.schedule_expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
            if self.clock.seconds() < at.timestamp():
                continue
            status, _ = self.endpoints.answer(_WEIGH, schedule.target["Input"].encode()) or (200, b"")
            if status == 200:
                del _schedules()[name]

    def pass_by(self, seconds: float) -> None:
        """Nobody works on the rollout for so long; SageMaker and Scheduler do what they were told."""
        self.clock.forward(seconds)
        for _ in range(self.endpoints.looks + 2):
            self.fire()
            if self.endpoints.exists(toy.MODEL):
                self.endpoints.answer("DescribeEndpoint", json.dumps({"EndpointName": toy.MODEL}).encode())

    def written(self) -> Written:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            row = connection.execute("SELECT phase, state FROM rollouts ORDER BY rowid DESC LIMIT 1").fetchone()
            route = connection.execute("SELECT * FROM routes").fetchone()
        state = json.loads(row["state"])
        mine = route is not None and route["rollout"] == state["id"]
        full = 100.0 if mine and route["stable"] == state["canary"] else 0.0
        intended = float(route["weight"]) if mine and route["canary"] else full
        return Written(phase=row["phase"], canary=state["canary"], stable=state["stable"], intended=intended)

    def shares(self) -> Mapping[str, float]:
        """Per cent by variant; empty without an endpoint."""
        found = self.endpoints.weights(toy.MODEL) if self.endpoints.exists(toy.MODEL) else {}
        whole = sum(found.values())
        return {name: 100.0 * weight / whole if whole else 0.0 for name, weight in found.items()}

    def judge_end(self, written: Written) -> None:
        """What is recorded as the end has to be so already when it is."""
        if self.over or written.phase not in _ENDED:
            return
        self.over = True
        share = self.shares().get(cluster_name(written.canary), 0.0)
        if written.phase == "promoted" and share < _FULL:
            self.violations.append(f"too early: promoted, and the canary has {share:g} %")
        if written.phase == "promoted" and _schedules():
            self.violations.append("promoted under a guard")
        if written.phase == "rolled_back" and share:
            self.violations.append(f"too early: rolled back, and the canary has {share:g} %")

    def judge_rest(self, expected: str) -> None:
        """What everything has to be in the end."""
        written = self.written()
        self.judge_end(written)
        if written.phase != expected:
            self.violations.append(f"not {expected}: {written.phase}")
        self.violations += self.wrong()
        if (count := self._terminal_records()) != 1:
            self.violations.append(f"{count} terminal records")

    def wrong(self) -> list[str]:
        """What is not as it has to be after an end."""
        written, shares, found = self.written(), self.shares(), []
        canary = cluster_name(written.canary)
        right = canary if written.phase == "promoted" else written.stable and cluster_name(written.stable)
        if right and shares.get(right, 0.0) < _FULL:
            found.append(f"wrong traffic: {dict(shares)}")
        if written.phase == "rolled_back" and canary in shares:
            found.append("left behind: the variant that failed")
        if _schedules():
            found.append(f"a schedule is left: {list(_schedules())}")
        return found

    def _terminal_records(self) -> int:
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            bodies = [json.loads(row[0]) for row in connection.execute("SELECT body FROM records")]
        newest = bodies[-1]["run"]
        return sum(body["run"] == newest and body["kind"] in _ENDED for body in bodies)

    def _weighed(self, asked: Mapping[str, Any], written: Written) -> None:
        self.weighed += 1
        if self.weighed == GIVEN_UP:
            self.endpoints.fails = "could not scale"
        wanted = {each["VariantName"]: float(each["DesiredWeight"]) for each in asked["DesiredWeightsAndCapacities"]}
        self.orders.append(wanted)
        share = 100.0 * wanted.get(cluster_name(written.canary), 0.0) / sum(wanted.values())
        if abs(share - written.intended) > _NEAR:
            self.violations.append(f"unintended: {share:g} % were asked for, written are {written.intended:g} %")
        if share and written.phase in ("rolling_back", "rolled_back"):
            self.violations.append(f"condemned: {share:g} % for a canary that is {written.phase}")
        if share and written.phase not in _ENDED and not self._guarded(written):
            self.violations.append(f"unguarded: {share:g} %")

    def _guarded(self, written: Written) -> bool:
        """Whether a schedule would give it back; what is finished needs none."""
        for schedule in _schedules().values():
            back = json.loads(schedule.target["Input"])["DesiredWeightsAndCapacities"]
            if {each["VariantName"]: each["DesiredWeight"] for each in back}.get(cluster_name(written.canary)) == 0.0:
                return True
        return written.phase == "promoting" and written.intended == 100.0 and not _schedules()

    def _judge_stable(self, written: Written) -> None:
        if written.stable is None or written.phase in ("promoting", "promoted"):
            return
        if not self.shares().get(cluster_name(written.stable)):
            self.violations.append(f"stable has nothing: {dict(self.shares())}")


def _schedules() -> dict[str, Any]:
    from moto.scheduler.models import scheduler_backends

    found: dict[str, Any] = scheduler_backends[ACCOUNT][REGION].schedule_groups["default"].schedules
    return found
