"""The error family: what is wrong, where, and what to do next.

    GatewrightError                    exit
    ├── StageFailed                      1   a verdict or a finding: the model goes no further
    │   ├── HistoryChanged                   a recorded data version was edited, or a new one is wrong
    │   └── SchemaBlocked                    data that breaks its readers, and nobody changed or accepted that
    ├── Inconclusive                     3   not enough evidence to pass or to fail
    │   └── Underpowered                     a rollout that cannot conclude at the present traffic
    ├── UnusableInput                    2   a file, an argument or a digest that cannot be used
    │   ├── ConfigError                      gatewright.yaml, with every problem at once
    │   ├── ReportError                      an evaluation report or baseline file
    │   ├── DataError                        a data version, its bytes or its schema file
    │   └── DigestChanged                    an input is not the one that was recorded
    ├── WorldFailed                      4   a process, a file system or a service did not do its part
    │   ├── DatabaseBusy                     another process holds the state database
    │   ├── StateMoved                       another machine changed the shared state at the same moment
    │   ├── LeaseLost                        somebody else drives this rollout now
    │   └── ServiceFailed                    a service on the network refused, or did not answer
    │       └── StartFailed                  what should start a run did not take the order
    ├── Pending                          6   not finished yet: paused, or still being observed
    └── Interrupted                    130   Ctrl-C; the run can be resumed

Exit 5 is an internal error, which has no class here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position in a file; line and column count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: in which field, what was found, what is allowed."""

    where: Place
    field: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.field}: {self.what}" if self.field else f"{self.where}: {self.what}"


class GatewrightError(Exception):
    """An error that a user can act on.

    `what` says what is wrong, `fix` what to do next, `page` names the page under docs/ that explains it.
    """

    exit_code: ClassVar[int] = 5
    page: ClassVar[str] = "errors"

    def __init__(self, what: str, *, fix: str = "", where: Place | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class StageFailed(GatewrightError):
    """A stage found what it looks for: a lint error, a breach, a failing gate, a degraded canary.

    `final` failures end the run; the others (a training command that failed) can be resumed.
    """

    exit_code = 1
    page = "runs"

    def __init__(self, what: str, *, fix: str = "", where: Place | None = None, final: bool = True) -> None:
        super().__init__(what, fix=fix, where=where)
        self.final = final


class HistoryChanged(StageFailed):
    """Data versions that were recorded differ from what git knows, or new ones are wrong."""

    page = "data"


class SchemaBlocked(StageFailed):
    """The newest data breaks whoever reads it: no run starts until schema file and code follow, or somebody accepts."""

    page = "plan"


class Inconclusive(StageFailed):
    """The evidence is too thin to pass or to fail; the run stops."""

    exit_code = 3
    page = "gates"


class Underpowered(Inconclusive):
    """A plan that cannot come to a conclusion at the present traffic."""

    page = "rollout"


class UnusableInput(GatewrightError):
    """An argument, a file or a hand-off that cannot be used as it is."""

    exit_code = 2


class WithProblems(UnusableInput):
    """A file with one or more problems, each with its position."""

    def __init__(self, what: str, problems: tuple[Problem, ...], *, fix: str = "") -> None:
        super().__init__(what, fix=fix)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"  {problem}" for problem in self.problems)])


class ConfigError(WithProblems):
    """gatewright.yaml, or an option in it, is not usable."""

    page = "configuration"


class ReportError(WithProblems):
    """An evaluation report or a baseline file is not usable."""

    page = "gates"


class DataError(WithProblems):
    """A data version, its bytes or its schema file is not usable."""

    page = "data"


class DigestChanged(UnusableInput):
    """An input is not the one whose digest was recorded."""

    page = "runs"

    def __init__(self, name: str, *, recorded: str, found: str, fix: str = "") -> None:
        super().__init__(
            f"{name} changed: recorded {recorded}, found {found}",
            fix=fix or "restore the recorded bytes, or start a new run: gatewright run",
        )
        self.name = name


class WorldFailed(GatewrightError):
    """Something outside did not do its part: a process, the disk, a service, a check that could not run."""

    exit_code = 4


class DatabaseBusy(WorldFailed):
    """Another process held the state database for longer than anybody waits; nothing was changed."""

    page = "rollout"


class StateMoved(WorldFailed):
    """Another machine changed the shared state between reading and writing, again and again; nothing was changed."""

    page = "state"


class LeaseLost(WorldFailed):
    """Another controller holds the lease of this rollout; nothing was changed."""

    page = "rollout"


class ServiceFailed(WorldFailed):
    """A service on the network refused what it was asked, did not answer, or answered something else.

    `status` is that of its answer, 0 without one. `again` says whether the same may succeed later, `after_s` how many
    seconds the service wants to be left alone.
    """

    page = "ci-reports"

    def __init__(self, what: str, *, fix: str = "", again: bool = False, after_s: float = 0.0, status: int = 0) -> None:
        super().__init__(what, fix=fix)
        self.again = again
        self.after_s = after_s
        self.status = status


class StartFailed(ServiceFailed):
    """A run could not be started: a CI refused, did not answer, or a process did not begin."""

    page = "triggers"


class Pending(GatewrightError):
    """Not finished: a rollout is paused or still being observed."""

    exit_code = 6
    page = "rollout"


class Interrupted(GatewrightError):
    """The user asked to stop; what is done stays done."""

    exit_code = 130
