"""Claims on changes of data: who starts the run for which data and code, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Input = Literal["model_name", "data_version", "reason", "run_id"]
INPUTS: tuple[Input, ...] = ("model_name", "data_version", "reason", "run_id")
ClaimState = Literal["claimed", "started", "nothing", "blocked", "failed", "overtaken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What can be claimed once: a model with a digest over both of its data versions and one of its code."""

    model: str
    data_digest: str
    code_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One change and the one run for it.

    `data` is `NAME@VERSION`, `reason` why it starts (or does not), `run` the id of its run wherever that is started.
    While `state` is `claimed`, `owner` (`host:pid`) may start it until `lease_until`, and not before `not_before`.
    `epoch` counts owners and fences the earlier ones, `attempts` counts starts that failed. `outcome` says what the
    start led to, `place` where the run can be seen.
    """

    id: str
    subject: Subject
    data: str
    reason: str
    run: str
    start: str
    state: ClaimState
    owner: str
    epoch: int
    attempts: int
    claimed_at: datetime
    lease_until: datetime
    not_before: datetime
    outcome: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is told to whoever starts the run. `pointers` are paths of pointer files, relative to the workspace."""

    model: str
    data_version: str
    reason: str
    run: str
    pointers: tuple[str, ...] = ()
    created_at: datetime | None = None

    def inputs(self) -> dict[str, str]:
        """The inputs of the pipeline, by name."""
        return {
            "model_name": self.model,
            "data_version": self.data_version,
            "reason": self.reason,
            "run_id": self.run,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What became of an order: in words, and where it can be seen. `pid` is a process of this machine that runs it."""

    what: str
    place: str = ""
    pid: int | None = None
