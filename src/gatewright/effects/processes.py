"""Processes: started with their own session, told apart from later holders of the same pid, ended with all children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gatewright.domain.errors import WorldFailed
from gatewright.effects.failpoints import failpoint

if TYPE_CHECKING:
    import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A pid and the moment its process was created (seconds since the epoch): a pid alone may be reused."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The process that holds `pid` now; None when there is none."""
        import psutil

        try:
            return cls(pid=pid, created=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        import psutil

        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 0.01 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def has_ended(owner: str) -> bool:
    """Whether `host:pid` names a process of this machine that no longer runs; of other machines nothing is known."""
    host, _, pid = owner.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    identity = ProcessIdentity.of(int(pid))
    return identity is None or not identity.alive()


def is_stopped(pid: int) -> bool:
    """Whether this process was stopped by a signal or a debugger, and waits to be continued."""
    import psutil

    try:
        return str(psutil.Process(pid).status()) in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.NoSuchProcess:
        return False


def interpreter_first(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a team's command: `python` is the interpreter that runs Gatewright."""
    merged = {**os.environ, **(environment or {})}
    merged["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), merged.get("PATH", os.defpath)])
    return merged


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    log: IO[bytes] | int | None = None,
    **pipes: int,
) -> subprocess.Popen[bytes]:
    """Start `argv` as leader of a new session; WorldFailed when the program cannot be started."""
    failpoint("before-spawn:" + Path(argv[0]).name)
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=pipes.get("stdin", subprocess.DEVNULL),
            stdout=pipes.get("stdout", log),
            stderr=pipes.get("stderr", log),
            start_new_session=True,
        )
    except OSError as error:
        raise WorldFailed(
            f"cannot start {argv[0]!r}: {error.strerror}", fix="is the program installed, and on the PATH?"
        ) from error
    failpoint("after-spawn:" + Path(argv[0]).name)
    return process


def end_tree(pid: int, *, grace_s: float) -> None:
    """End the process, its descendants and its session: SIGTERM, after `grace_s` SIGKILL. Gone already is fine."""
    import psutil

    victims = _tree_of(pid)
    for process in victims:
        _signal(process, signal.SIGTERM)
    psutil.wait_procs(victims, timeout=grace_s)
    # Also what was started meanwhile, and what an ended parent left behind in the session.
    stubborn = [process for process in {*victims, *_tree_of(pid)} if process.is_running()]
    for process in stubborn:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=grace_s)


def _tree_of(pid: int) -> list[psutil.Process]:
    import psutil

    found = {process.pid: process for process in _session_of(pid)}
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        for process in (leader, *leader.children(recursive=True)):
            found.setdefault(process.pid, process)
    return list(found.values())


def end(identity: ProcessIdentity, *, grace_s: float) -> None:
    """End one process by identity: SIGTERM, after `grace_s` SIGKILL."""
    import psutil

    if not identity.alive():
        return
    try:
        process = psutil.Process(identity.pid)
    except psutil.NoSuchProcess:
        return
    _signal(process, signal.SIGTERM)
    _, stubborn = psutil.wait_procs([process], timeout=grace_s)
    for left in stubborn:
        _signal(left, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=grace_s)


def wait_until(condition: Callable[[], bool], *, timeout_s: float, every_s: float = 0.05) -> bool:
    """Wait until `condition()` holds; False when `timeout_s` seconds passed first."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True


def _session_of(pid: int) -> list[psutil.Process]:
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid:
                found.append(process)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _signal(process: psutil.Process, number: int) -> None:
    import psutil

    try:
        process.send_signal(number)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return
