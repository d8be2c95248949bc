"""The three CI systems in small. Each is started by an event and tells what became of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.pipelines.recording import Recording
from tests.pipelines.repositories import Push

RUNNERS = Path(__file__).resolve().parent / "runners"
LIMIT_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a pipeline did: `jobs` by name, each success, failure or skipped; `refused` when it could not be read."""

    jobs: Mapping[str, str]
    log: str
    refused: str = ""

    @property
    def failed(self) -> list[str]:
        """Jobs that failed."""
        return [name for name, result in self.jobs.items() if result == "failure"]

    def done(self) -> list[str]:
        """Jobs that succeeded."""
        return [name for name, result in self.jobs.items() if result == "success"]


class Target(Protocol):
    """`checkout`: the folder of the one runner that keeps the state between jobs."""

    name: str
    files: tuple[str, ...]
    checkout: Path
    recording: Recording

    def push(self, push: Push) -> Ran:
        """Commits were pushed to the main branch."""
        ...

    def dispatch(self, sha: str, inputs: Mapping[str, str]) -> Ran:
        """Somebody started it by hand, with these inputs by their GitHub names."""
        ...

    def clock(self, sha: str, cron: str, job: str) -> Ran:
        """The schedule with this expression is due, which was made for this job."""
        ...
