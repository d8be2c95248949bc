"""A team, one CI and the live traffic of its model: what the tests of whole pipelines look at."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil

from gatewright.domain.rollout import Rollout
from gatewright.effects.processes import wait_until
from gatewright.workspace import Workspace
from tests.fixtures.workspaces import opened, query
from tests.pipelines.recording import Call
from tests.pipelines.repositories import EXAMPLE, Team
from tests.pipelines.targets import Ran, Target

MODEL = "employment"
RATE = 40
TICK = "*/15 * * * *"
LIMIT_S = 60.0
_MOST_TICKS = 40
_GATEWRIGHT = str(Path(sys.executable).with_name("gatewright"))


class Deployment:
    """`target` runs the pipelines of `team`; the state is in the checkout of its one runner."""

    def __init__(self, folder: Path, team: Team, target: Target, port: int) -> None:
        self.folder = folder
        self.team = team
        self.target = target
        self.port = port
        self.latest = team.head()

    @property
    def root(self) -> Path:
        """The workspace on the runner."""
        return self.target.checkout

    def push(self, message: str) -> Ran:
        """Push what is on the desk, and let the CI see it."""
        self.latest = self.team.push(message)
        return self.target.push(self.latest)

    def dispatch(self, **inputs: str) -> Ran:
        """Start the pipeline by hand."""
        return self.target.dispatch(self.latest.sha, inputs)

    def tick(self) -> Ran:
        """The clock of the ticks strikes."""
        return self.target.clock(self.latest.sha, TICK, "tick")

    def tick_to_the_end(self) -> list[Call]:
        """Strike until the rollout has ended and stage 6 was done; all that was called on the way.

        GitLab cannot know whether a tick ended the rollout and asks for stage 6 after each: left out until it was so.
        """
        calls: list[Call] = []
        for _ in range(_MOST_TICKS):
            ran = self.tick()
            new = self.calls()
            assert not ran.refused, ran.refused
            assert not ran.failed, ran.log
            ended = self.rollout() is None
            calls += [call for call in new if ended or call.stage != "rollout finish"]
            if ended:
                return calls
        raise AssertionError(f"no end after {_MOST_TICKS} ticks: {self.rollout()}")

    def calls(self) -> list[Call]:
        """What was called since the last time one asked."""
        return self.target.recording.calls()

    def workspace(self) -> AbstractContextManager[Workspace]:
        """The workspace on the runner, opened as every command does."""
        return opened(self.root)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the state database."""
        return query(self.root, sql, *parameters)

    def ends(self) -> list[str]:
        """The kinds of the terminal deployment records, oldest first; the chain holds."""
        with self.workspace() as workspace:
            assert workspace.records.first_broken() is None
        rows = self.query("SELECT body FROM records WHERE terminal = 1 ORDER BY seq")
        return [json.loads(body)["kind"] for (body,) in rows]

    def serving(self) -> str | None:
        """Digest of the baseline."""
        with self.workspace() as workspace:
            version = workspace.registry.serving(MODEL)
            return version.artifact.digest if version else None

    def share(self, digest: str) -> float:
        """Per cent of the traffic that Envoy's own route gives to this model."""
        with self.workspace() as workspace:
            table = workspace.gateway.table()
            return table.share(digest) if table is not None else 0.0

    def versions(self) -> int:
        """How many models were registered."""
        return int(self.query("SELECT count(*) FROM versions")[0][0])

    def rollout(self) -> Rollout | None:
        """The rollout in progress."""
        with self.workspace() as workspace:
            return workspace.rollouts.active(MODEL)

    def stop(self) -> None:
        """Stop gateway and servers, also what is still starting."""
        if (self.root / "gatewright.yaml").is_file():
            subprocess.run([_GATEWRIGHT, "serve", "stop"], cwd=self.root, capture_output=True, check=False)
        for process in (left := self.processes()):
            process.kill()
        psutil.wait_procs(left, timeout=5.0)

    def processes(self) -> list[psutil.Process]:
        """Whatever runs in the folders of this test, or names them."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            named = any(str(self.folder) in word for word in process.info["cmdline"] or [])
            here = (process.info["cwd"] or "").startswith(str(self.folder))
            if (named or here) and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found


class Traffic:
    """Requests of the demo's load generator through the gateway, from `with` to its end."""

    def __init__(self, deployment: Deployment) -> None:
        self._summary = deployment.folder / "traffic.json"
        self._port = deployment.port

    def __enter__(self) -> Traffic:
        generator, rows = EXAMPLE / "demo" / "traffic.py", EXAMPLE / "data" / "acs" / "2018.parquet"
        argv = [sys.executable, str(generator), "--url", f"http://127.0.0.1:{self._port}/predict"]
        argv += ["--rate", str(RATE), "--rows", str(rows), "--summary", str(self._summary)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=EXAMPLE)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def summary(self) -> dict[str, Any]:
        """What was seen so far."""
        if not self._summary.exists():
            return {"ok": 0, "sent": 0, "failed": {}, "models": {}}
        found: dict[str, Any] = json.loads(self._summary.read_text(encoding="utf-8"))
        return found

    def wait_for(self, answers: int) -> None:
        """Until so many were answered, so that the stable arm has a history."""
        assert wait_until(lambda: self.summary()["ok"] >= answers, timeout_s=LIMIT_S), self.summary()
