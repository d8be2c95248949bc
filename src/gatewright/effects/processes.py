"""Processes: started with their own group, told apart from later holders of the same pid, ended with all children."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
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
        return subprocess.Popen(
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


def run_streaming(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    timeout_s: float,
    on_line: Callable[[str], None],
    grace_s: float = 2.0,
) -> tuple[int, bool]:
    """Run `argv` to its end; its output goes to `log` as it comes, and each line to `on_line` (empty ones left out).

    Returns (exit code, timed out); a code below zero is the signal that ended it. Whatever happens (time limit,
    Ctrl-C, an error of ours, even SIGKILL of this process), no process that it started survives: see keeper.py.
    WorldFailed when the program cannot be started or the log not be written.
    """
    lines = _Lines(on_line)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab", buffering=0) as file:

            def take(data: bytes) -> None:
                file.write(data)
                lines.take(data)

            process = _spawn_kept(argv, cwd=cwd, env=env, grace_s=grace_s, stderr=subprocess.STDOUT)
            timed_out = _attend(process, {process.stdout: take}, timeout_s, grace_s)
    except OSError as error:
        raise WorldFailed(
            f"cannot write {log}: {error.strerror}", fix="free space or mend the rights, then resume"
        ) from error
    lines.finish()
    return (-signal.SIGKILL if timed_out else process.returncode), timed_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What a short command said."""

    code: int
    out: bytes
    err: bytes
    timed_out: bool = False


def run_captured(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    limit: int = 32 << 20,
) -> Captured:
    """Run `argv` to its end and keep what it says; its processes are ended as by `run_streaming`.

    WorldFailed when it cannot be started, or says more than `limit` bytes.
    """
    out, err = bytearray(), bytearray()

    def into(store: bytearray) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            store.extend(data)
            if len(store) > limit:
                raise WorldFailed(f"{argv[0]} printed more than {limit:,} bytes", fix="run it by hand to see why")

        return take

    process = _spawn_kept(argv, cwd=cwd, env=env, grace_s=1.0, stderr=subprocess.PIPE)
    timed_out = _attend(process, {process.stdout: into(out), process.stderr: into(err)}, timeout_s, 1.0)
    return Captured(code=process.returncode, out=bytes(out), err=bytes(err), timed_out=timed_out)


def _spawn_kept(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], grace_s: float, stderr: int
) -> subprocess.Popen[bytes]:
    """Start `argv` under a keeper, which becomes the leader of a new session."""
    failpoint("before-spawn:" + Path(argv[0]).name)
    program = str(cwd / argv[0]) if "/" in argv[0] else argv[0]
    if shutil.which(program, path=env.get("PATH")) is None:
        raise WorldFailed(
            f"cannot start {argv[0]!r}: there is no such program",
            fix="is the program installed, and on the PATH?",
        )
    keeper = [
        sys.executable,
        "-I",
        "-S",
        str(Path(__file__).with_name("keeper.py")),
        str(os.getpid()),
        str(grace_s),
    ]
    return spawn([*keeper, *argv], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=stderr)


def _attend(
    process: subprocess.Popen[bytes],
    sinks: Mapping[IO[bytes] | None, Callable[[bytes], None]],
    timeout_s: float,
    grace_s: float,
) -> bool:
    """Hand on what `process` says until it ends; True when the time limit ended it. Always leaves it ended."""
    deadline = time.monotonic() + timeout_s
    pipes = [pipe for pipe in sinks if pipe is not None]
    try:
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                selector.register(pipe, selectors.EVENT_READ, sinks[pipe])
            while selector.get_map():
                left = deadline - time.monotonic()
                if left <= 0:
                    return True
                ready = selector.select(min(left, 0.5))
                for key, _ in ready:
                    _hand_on(selector, key)
                if not ready and process.poll() is not None:
                    break
        process.wait(timeout=max(0.0, deadline - time.monotonic()))
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        _end_kept(process, grace_s)
        for pipe in pipes:
            pipe.close()


def _hand_on(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    data = os.read(key.fd, 1 << 16)
    if data:
        key.data(data)
    else:
        selector.unregister(key.fileobj)


def _end_kept(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Let the keeper end everything; do it ourselves if the keeper is stuck or was killed."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace_s + 10.0)
    if process.poll() is None or process.returncode < 0:
        end_tree(process.pid, grace_s=grace_s)
    process.wait()


class _Lines:
    """Cuts a stream of bytes into lines; a carriage return ends one too (progress bars), 64 KiB without end as well."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        if len(self._rest) > 1 << 16:
            lines.append(self._rest)
            self._rest = b""
        for line in filter(None, lines):
            self._on_line(line.decode(errors="replace"))

    def finish(self) -> None:
        self.take(b"\n")


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
