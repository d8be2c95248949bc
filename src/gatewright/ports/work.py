"""The team's commands, and the checks of its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from gatewright.ports.context import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command to run: argv (never a shell line), folder, extra environment, time limit, log file."""

    argv: tuple[str, ...]
    cwd: Path
    log: Path
    timeout_s: float
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a job ended. `ended` says whether it exited by itself, ran out of time or was interrupted."""

    code: int
    ended: Literal["exited", "timeout", "interrupted"]
    seconds: float


class Executor(Protocol):
    """Runs the team's commands."""

    def run(self, job: Job, progress: Progress) -> JobResult:
        """Run `job` to its end, streaming its output; every process it left behind is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a check found: where, which rule, what."""

    where: str
    rule: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check says. `unavailable`: it could not really run, which is no pass."""

    check: str
    status: Literal["passed", "failed", "unavailable"]
    summary: str
    findings: Sequence[Finding] = ()
    details: Mapping[str, object] = field(default_factory=dict)


class Check(Protocol):
    """A check of the code before anything is trained."""

    def run(self, root: Path) -> CheckResult:
        """Check the workspace at `root`; never raises for a tool that is missing or broken."""
