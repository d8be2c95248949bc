"""What an adapter is given: a clock, its workspace, and where long work is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gatewright.store.database import Database


class Clock(Protocol):
    """Time as the doing rooms see it."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an adapter may know of its workspace: the root folder, the model, the state database and the clock.

    `read_again`: every byte is to be read, also of files that nobody has touched since. `progress` hears of long work.
    """

    root: Path
    model: str
    database: Database
    clock: Clock
    read_again: bool = False
    progress: Progress | None = None

    @property
    def gateway_folder(self) -> Path:
        """Everything of this model's gateway."""
        return self.root / ".gatewright" / "gateway" / self.model

    @property
    def access_log(self) -> Path:
        """Where the gateway tells of each request; rotated to the same name with `.1`."""
        return self.gateway_folder / "access.jsonl"


class Progress(Protocol):
    """Where long work tells how far it is. Implementations never raise."""

    def stage(self, name: str, state: str, note: str = "") -> None:
        """`state` is started, passed, failed or skipped."""

    def waiting(self, what: str) -> None:
        """What is being waited for right now, with its numbers."""

    def line(self, text: str) -> None:
        """One line of output of a command that runs."""

    def warning(self, text: str) -> None:
        """Something the user should know although the work goes on."""
