"""A controller that is stopped, is taken for dead, and goes on when another one has finished its work."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from typing import Any

from gatewright.effects.processes import wait_until
from tests.crash.checker import MOST_RESTARTS
from tests.crash.facts import processes_of
from tests.crash.trial import Bench, Outcome, Strike, wait
from tests.crash.world import LEASE_S, SCENARIOS

_STATE = {
    "rollouts": "SELECT id, phase, revision, state FROM rollouts",  # who holds a lease changes nothing
    **{name: f"SELECT * FROM {name}" for name in ("routes", "serving", "versions", "records", "quarantine")},
}


def stopped(bench: Bench, *, scenario: str, point: str, abort: bool, second: str = "", bug: str = "") -> Outcome:
    """SIGSTOP at `point` until the lease is over and a second controller has ended the rollout; then SIGCONT.

    With `abort` a person has the second controller roll back; with `second` it is stopped there in its turn, so that
    the first one comes back while the second one is at work. `stale`: what the first one changed when it came back.
    `reached`: whether the first one came to the failpoint, with a rollout to take over.
    """
    started, outcome, chosen = time.monotonic(), Outcome(), SCENARIOS[scenario]
    outside = bench.lay_out(chosen, bug)
    first = bench.start(chosen, "run", strike=Strike(point=f"{point}=stop"), bug=bug)
    outcome.reached = _stops(first) and _phase(bench) is not None
    if not outcome.reached:
        os.kill(first, signal.SIGKILL)
        return outcome
    outside.clock.forward(LEASE_S + 1.0)
    other = bench.start(chosen, "drive", strike=Strike(point=f"{second}=stop"), bug=bug, abort=abort)
    at_work = _stops(other)
    before = _state(bench)
    os.kill(first, signal.SIGCONT)
    wait(first)
    after = _state(bench)
    outcome.stale = [f"{part}: {before[part]} became {after[part]}" for part in before if before[part] != after[part]]
    if at_work:
        os.kill(other, signal.SIGCONT)
        assert wait(other) == 0, "the second controller could not drive"
    outside.journal.add("killed")
    while outcome.restarts <= MOST_RESTARTS:
        outcome.restarts += 1
        outside.journal.add("restarted")
        if bench.process(chosen, "run", bug=bug) in (0, 1):
            break
    bench.judge(outcome, chosen, bug, end=_phase(bench))
    outcome.seconds = time.monotonic() - started
    return outcome


def _stops(pid: int) -> bool:
    """Wait until it stops; False when it has ended instead, which must be well."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        assert os.waitstatus_to_exitcode(status) in (0, 1), f"it ended with {os.waitstatus_to_exitcode(status)}"
    return os.WIFSTOPPED(status)


def _phase(bench: Bench) -> str | None:
    """Of the rollout that is in question."""
    found = _rows(bench, "SELECT phase FROM rollouts WHERE rowid > 1")
    return str(found[0][0]) if found else None


def child_killed(bench: Bench) -> Outcome:
    """SIGKILL to the training command alone, then a resume."""
    started, outcome, chosen = time.monotonic(), Outcome(), SCENARIOS["good model"]
    outside = bench.lay_out(chosen)
    gate = bench.root / "training" / "wait"
    os.mkfifo(gate)
    run = bench.start(chosen, "run")
    assert wait_until(lambda: bool(_training(bench)), timeout_s=20.0), "the training command did not start"
    for pid in _training(bench):
        os.kill(pid, signal.SIGKILL)
    outcome.struck = int(wait(run) == 1)
    gate.unlink()
    outside.journal.add("killed")
    outcome.restarts = 1
    outside.journal.add("restarted")
    bench.process(chosen, "run")
    bench.judge(outcome, chosen)
    outcome.seconds = time.monotonic() - started
    return outcome


def _training(bench: Bench) -> list[int]:
    return [pid for pid, line in processes_of(bench.root) if line.startswith("sh training/train.sh")]


def _state(bench: Bench) -> dict[str, Any]:
    """Every row that decides something. The files of the gateway are the supervisor's, of which there is only one."""
    return {name: _rows(bench, sql) for name, sql in _STATE.items()}


def _rows(bench: Bench, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(bench.root / ".gatewright" / "state.db", timeout=10)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
