"""Trials on an endpoint: a process is killed at a failpoint, the next one goes on, and what is left is judged."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatewright.effects.processes import wait_until
from tests.crash.endpoint.watch import Watch, _schedules
from tests.crash.outside import Clock
from tests.crash.surroundings import SURROUNDINGS
from tests.fixtures.endpoints import ACCOUNT, REGION, Endpoints
from tests.fixtures.s3 import ENVIRONMENT, client

ROOT = Path(__file__).resolve().parents[3]
MOST_RESTARTS = 3
BEYOND_LEASE_S = 420.0
LATE_DEATHS = {"before-http:sagemaker-guard-renew@2": "after-http:sagemaker-guard-create@2"}
"""Where the late call of a controller ends; a schedule that is gone cannot be moved, and is made anew."""
_PARTS = (
    "endpoints",
    "endpoint_configs",
    "_models",
    "model_packages",
    "model_package_groups",
    "model_package_name_mapping",
)
"""Where moto keeps what a trial changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Which state a trial begins with, how many of 500 requests the canary fails, and how it has to end."""

    state: str
    bad: int
    end: str


SCENARIOS = {
    "good": Scenario(state="second", bad=1, end="promoted"),
    "bad": Scenario(state="second", bad=100, end="rolled_back"),
    "first": Scenario(state="first", bad=1, end="promoted"),
}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a trial."""

    struck: bool = False
    restarts: int = 0
    violations: list[str] = field(default_factory=list)
    orders: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """All that a trial begins with: the workspace's folder, what AWS holds, and the moment."""

    folder: Path
    aws: dict[str, Any]
    schedules: dict[str, Any]
    moment_us: int


class Bench:
    """The server is in this process, and the warmed process in another one."""

    def __init__(self, folder: Path, endpoints: Endpoints) -> None:
        self.folder, self.endpoints = folder, endpoints
        self.place = folder / "trial"
        self.clock = Clock(folder / "clock")
        self.watch = Watch(endpoints=endpoints, clock=self.clock, database=self.place / "project/.gatewright/state.db")
        _schedules().clear()  # servers of moto in one process have one memory: what other tests have left
        client(endpoints.address).create_bucket(Bucket="models")
        endpoints.front.now = self.clock.seconds
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.endpoint.child", str(folder)],
            cwd=ROOT,
            env={**os.environ, **SURROUNDINGS, **ENVIRONMENT, "AWS_ENDPOINT_URL": endpoints.address},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._hear() == {"ready": True}
        self._states: dict[str, _State] = {}
        for state, kind in (("first", "build"), ("second", "follow")):
            assert self.process(do=kind) == 0, self.said()
            self._states[state] = self._kept(state)
        endpoints.front.answers = self.watch.answer

    def close(self) -> None:
        self._process.communicate()

    def make(
        self, name: str, point: str = "", *, beyond_lease: bool = False, bug: str = "", trace: Path | None = None
    ) -> Outcome:
        """Kill at `point`, go on at most three times, judge."""
        scenario, outcome = SCENARIOS[name], Outcome()
        self.lay(name)
        words = {"do": "go_on", "bad": scenario.bad, "bug": bug}
        code = self.process(**words, point=point, trace=str(trace or ""))
        if code < 0:
            outcome.struck = True
            self.watch.pass_by(BEYOND_LEASE_S if beyond_lease else 1.0)
            code = self.process(**words)
        while code and outcome.restarts < MOST_RESTARTS:
            outcome.restarts += 1
            self.watch.pass_by(60.0)
            code = self.process(**words)
        if code:
            self.watch.violations.append(f"not ended: exit {code}, {self.said()[-300:]}")
        self.watch.judge_rest(scenario.end)
        outcome.violations, outcome.orders = list(dict.fromkeys(self.watch.violations)), self.watch.orders
        return outcome

    def stale(self, name: str, point: str, other: str, *, killed: bool) -> tuple[int, list[str]]:
        """A controller is stopped before its call, `other` ends the rollout in another process, and it comes back.

        How many looks of a third one it takes until all is right, and what was wrong before the first came back. With
        `killed` it dies as soon as its late call is answered.
        """
        self.lay(name)
        words = {"bad": SCENARIOS[name].bad}
        death = LATE_DEATHS.get(point, point.replace("before", "after"))
        late = f"{point}=stop" + (f",{death}=kill" if killed else "")
        pid = self.start(do="go_on", point=late, **words)
        assert wait_until(lambda: _stopped(pid), timeout_s=60.0, every_s=0.01), self.said()
        self.watch.pass_by(BEYOND_LEASE_S)
        code = self.process(do=other, **words)
        wrong = [*self.watch.violations, *([f"exit {code}: {self.said()}"] if code else []), *self.watch.wrong()]
        os.kill(pid, signal.SIGCONT)
        self.ended(pid)
        for looks in range(6):
            self.watch.pass_by(0.0)
            if not self.watch.wrong():
                return looks, wrong
            self.process(do="look", times=1, **words)
        raise AssertionError(f"still wrong: {self.watch.wrong()}; {self.said()[-500:]}")

    def lay(self, name: str) -> None:
        """What the scenario begins with."""
        state = self._states[SCENARIOS[name].state]
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(state.folder, self.place, symlinks=True)
        backend = _backend()
        for part, content in copy.deepcopy(state.aws).items():
            setattr(backend, part, content)
        _schedules().clear()
        _schedules().update(copy.deepcopy(state.schedules))
        self.endpoints.fails, self.endpoints.looks = "", 1
        self.endpoints.taken.clear()
        self.endpoints._left.clear()
        self.endpoints._orders.clear()
        self.clock.forward((state.moment_us - self.clock.moment_us) / 1e6)
        self.watch.begin()

    def process(self, **words: Any) -> int:
        """One process to its end: its exit code, below zero the signal."""
        return self.ended(self.start(**words))

    def start(self, **words: Any) -> int:
        """One process; its pid."""
        return int(self._ask(folder=str(self.place), **words)["pid"])

    def ended(self, pid: int) -> int:
        return int(self._ask(wait=pid)["code"])

    def said(self) -> str:
        said = self.folder / "said"
        return said.read_text()[-2000:] if said.exists() else ""

    def points(self, name: str) -> list[str]:
        """Every failpoint that the scenario passes when nothing strikes it."""
        trace = self.folder / "trace"
        trace.unlink(missing_ok=True)
        outcome = self.make(name, trace=trace)
        assert outcome.violations == [], outcome.violations
        return trace.read_text().split()

    def _kept(self, state: str) -> _State:
        folder = self.folder / state
        shutil.copytree(self.place, folder, symlinks=True)
        backend = _backend()
        return _State(
            folder=folder,
            aws=copy.deepcopy({part: getattr(backend, part) for part in _PARTS}),
            schedules=copy.deepcopy(_schedules()),
            moment_us=self.clock.moment_us,
        )

    def _ask(self, **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the warmed process has ended: {self.said()}"
        found: dict[str, Any] = json.loads(line)
        return found


def _stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _backend() -> Any:
    from moto.sagemaker.models import sagemaker_backends

    return sagemaker_backends[ACCOUNT][REGION]
