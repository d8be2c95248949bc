"""GitHub in small: its own parser reads the workflows, and a runner in Node does the jobs (`runners/github`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.pipelines.recording import Recording
from tests.pipelines.repositories import Push
from tests.pipelines.targets import LIMIT_S, RUNNERS, Ran

RUNNER = RUNNERS / "github" / "runner.mjs"


class Github:
    """One self-hosted runner with its folder, and hosted ones that are new for each job."""

    name = "github"
    files = (".github/workflows/gatewright.yml", ".github/workflows/gatewright-tick.yml")

    def __init__(
        self, folder: Path, origin: Path, recording: Recording, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.checkout = folder / "work" / "self-hosted" / "checkout"
        self.recording = recording
        self.environment = {"PATH": recording.path, **(environment or {})}
        self.secrets: dict[str, str] = {}
        self._folder = folder
        self._origin = origin
        self._number = 1000

    def push(self, push: Push) -> Ran:
        return self.start({"name": "push", "ref": "refs/heads/main", "before": push.before, "sha": push.sha})

    def dispatch(self, sha: str, inputs: Mapping[str, str]) -> Ran:
        event = {"name": "workflow_dispatch", "ref": "refs/heads/main", "sha": sha, "inputs": dict(inputs)}
        return self.start({**event, "workflow": Path(self.files[0]).name})

    def clock(self, sha: str, cron: str, job: str) -> Ran:
        return self.start({"name": "schedule", "ref": "refs/heads/main", "sha": sha, "schedule": cron})

    def start(self, event: Mapping[str, Any]) -> Ran:
        """Whatever an event of this kind starts."""
        self._number += 100
        self._folder.mkdir(parents=True, exist_ok=True)
        logs = self._folder / "logs" / str(self._number)
        plan = {
            "repository": str(self._origin),
            "work": str(self._folder / "work"),
            "store": str(self._folder / "artifacts" / str(self._number)),
            "logs": str(logs),
            "number": self._number,
            "environment": self.environment,
            "secrets": self.secrets,
            "event": dict(event),
        }
        path = self._folder / "plan.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        done = subprocess.run(
            ["node", str(RUNNER), str(path)], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        log = "".join(file.read_text(encoding="utf-8") for file in sorted(logs.glob("*.log"))) + done.stderr
        if done.returncode == 2:
            return Ran(jobs={}, log=log, refused=done.stderr.partition("refused: ")[2].strip())
        assert done.returncode == 0, log
        self.told = json.loads(done.stdout)
        jobs = {name: job["result"] for workflow in self.told for name, job in workflow["jobs"].items()}
        return Ran(jobs=jobs, log=log)
