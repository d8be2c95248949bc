"""One trial: processes are forked, struck down, started again, and what they leave is judged."""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gatewright.effects.processes import wait_until
from tests.crash import bugs, checker, pretended
from tests.crash.facts import ended, processes_of
from tests.crash.outside import Outside
from tests.crash.world import SCENARIOS, Scenario, World, lay_out
from tests.fixtures import toy

LIMIT_S = 30.0
_PASSED = "passed"


class Hung(AssertionError):
    """A process that does not come to an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What ends a process: a failpoint (SIGKILL by itself), or a signal after some seconds."""

    point: str = ""
    after_s: float = 0.0
    number: int = signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A scenario whose successive processes are struck; the next one is started until the run has ended.

    `beyond_lease`: between two processes more time passes than the lease of a canary holds. `trace`: tell the
    failpoints that the last process has passed.
    """

    scenario: str
    strikes: tuple[Strike, ...] = ()
    bug: str = ""
    beyond_lease: bool = False
    trace: bool = False

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Trial:
        return cls(**{**words, "strikes": tuple(Strike(**strike) for strike in words.get("strikes", ()))})


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it. `struck`: how many strikes met their process before it had ended; `first_s`: how long it ran.

    `stale` and `reached` are told by tests.crash.stale.
    """

    violations: list[str] = field(default_factory=list)
    struck: int = 0
    restarts: int = 0
    passed: list[str] = field(default_factory=list)
    first_s: float = 0.0
    seconds: float = 0.0
    stale: list[str] = field(default_factory=list)
    reached: bool = True

    def words(self) -> dict[str, Any]:
        return asdict(self)


class Bench:
    """A folder with a template, where one trial after the other is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.template, self.place = folder / "template", folder / "trial"
        self.root, self.outside_folder = self.place / "project", self.place / "outside"

    def make(self, trial: Trial) -> Outcome:
        """Strike, start again, judge. The outside goes on between two processes, and a while after the last one."""
        started, outcome = time.monotonic(), Outcome()
        scenario = SCENARIOS[trial.scenario]
        outside = self.lay_out(scenario, trial.bug)
        strikes = list(trial.strikes)
        while True:
            strike = strikes.pop(0) if strikes else None
            try:
                code = self.process(scenario, "run", strike=strike, bug=trial.bug, trace=trial.trace and not strikes)
            except Hung as error:
                outcome.violations.append(f"I4: {error}")
                break
            outcome.first_s = outcome.first_s or time.monotonic() - started
            if code < 0 or code == 128 + signal.SIGINT:
                outcome.struck += 1
                outcome.restarts = 0
                outside.journal.add("killed")
                outcome.violations += checker.check(self.root, self.outside_folder, None, checker.RIGHT_AFTER_A_KILL)
                self.process(scenario, "live", bug=trial.bug, beyond_lease=trial.beyond_lease)
            if (ended(self.root) and code in (0, 1)) or outcome.restarts >= checker.MOST_RESTARTS:
                break
            outcome.restarts += 1
            outside.journal.add("restarted")
        self.judge(outcome, scenario, trial.bug)
        if trial.trace:
            outcome.passed = self.passed()
        outcome.seconds = time.monotonic() - started
        return outcome

    def lay_out(self, scenario: Scenario, bug: str = "") -> Outside:
        lay_out(self.template, self.place, scenario)
        if bug:
            bugs.prepare(bug, self.root)
        return Outside(self.outside_folder, self.root, toy.MODEL)

    def judge(self, outcome: Outcome, scenario: Scenario, bug: str = "", end: str | None = None) -> None:
        """Let the outside settle, then ask the checker; what a killed process started gets five seconds to end."""
        self.process(scenario, "live", bug=bug)
        wait_until(lambda: not processes_of(self.root), timeout_s=5.0, every_s=0.01)
        found = checker.check(self.root, self.outside_folder, end or scenario.end)
        outcome.violations = list(dict.fromkeys([*outcome.violations, *found]))
        for pid, _ in processes_of(self.root):
            os.kill(pid, signal.SIGKILL)

    def process(
        self,
        scenario: Scenario,
        kind: str,
        *,
        strike: Strike | None = None,
        bug: str = "",
        trace: bool = False,
        **words: Any,
    ) -> int:
        """Its exit code, below zero the signal that ended it; a process that hangs is killed, and told as such."""
        pid = self.start(scenario, kind, strike=strike, bug=bug, trace=trace, **words)
        if strike is not None and not strike.point and not _over(pid, strike.after_s):
            os.kill(pid, strike.number)
        return wait(pid)

    def start(
        self,
        scenario: Scenario,
        kind: str,
        *,
        strike: Strike | None = None,
        bug: str = "",
        trace: bool = False,
        **words: Any,
    ) -> int:
        """Fork a process that does `kind`: run, drive or live."""
        environment = {"GATEWRIGHT_TESTING": "1"}
        if strike is not None and strike.point:
            environment["GATEWRIGHT_FAILPOINTS"] = strike.point
        if trace:
            self._trace.unlink(missing_ok=True)
            environment["GATEWRIGHT_FAILPOINTS_PASSED"] = str(self._trace)

        def work() -> int:
            os.environ.update(environment)
            world = World(self.place, scenario.answers)
            pretended.pretend(world.outside)
            if bug:
                bugs.plant(bug)
            return int(getattr(world, kind)(**words))

        return forked(work, self.outside_folder / "said")

    @property
    def _trace(self) -> Path:
        return self.outside_folder / _PASSED

    def passed(self) -> list[str]:
        """The failpoints that the traced process has passed, in order."""
        return self._trace.read_text().split("\n")[:-1] if self._trace.exists() else []


def forked(work: Callable[[], int], said: Path) -> int:
    """Fork a process that does `work`, what it says goes to the file `said`; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
        log = os.open(said, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = work()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def wait(pid: int, limit_s: float = LIMIT_S) -> int:
    """How it ended; Hung when it had to be killed."""
    if not _over(pid, limit_s):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise Hung(f"a process hung for {limit_s:.0f} s")
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _over(pid: int, seconds: float) -> bool:
    """Whether the process ended within `seconds`."""
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(handle)
