"""Commands run to their end: what they say is handed on as it comes, and nothing that they started survives."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from gatewright.domain.errors import WorldFailed
from gatewright.effects.failpoints import failpoint
from gatewright.effects.processes import end_tree, spawn


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
    start = partial(_spawn_kept, argv, cwd=cwd, env=env, grace_s=grace_s, stderr=subprocess.STDOUT)
    code, timed_out = stream(start, log=log, timeout_s=timeout_s, on_line=on_line, grace_s=grace_s)
    failpoint("after-run:" + Path(argv[0]).name)
    return (-signal.SIGKILL if timed_out else code), timed_out


class Kept(Protocol):
    """A process whose `terminate` ends all that it started; as `subprocess.Popen`, so far as it is used here."""

    pid: int
    stdout: IO[bytes] | None

    @property
    def returncode(self) -> int | None:
        """How it ended."""

    def poll(self) -> int | None:
        """How it ended; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; subprocess.TimeoutExpired when that takes longer."""

    def terminate(self) -> None:
        """Ask it to end."""


def stream(
    start: Callable[[], Kept],
    *,
    log: Path,
    timeout_s: float,
    on_line: Callable[[str], None],
    grace_s: float,
) -> tuple[int, bool]:
    """See `run_streaming`, for a process that `start` starts once the log is open."""
    lines = _Lines(on_line)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab", buffering=0) as file:

            def take(data: bytes) -> None:
                file.write(data)
                lines.take(data)

            process = start()
            timed_out = _attend(process, {process.stdout: take}, timeout_s, grace_s)
    except OSError as error:
        raise WorldFailed(
            f"cannot write {log}: {error.strerror}", fix="free space or mend the rights, then resume"
        ) from error
    lines.finish()
    return process.returncode or 0, timed_out


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
    stdin: bytes = b"",
) -> Captured:
    """Run `argv` to its end and keep what it says; its processes are ended as by `run_streaming`.

    It reads `stdin`. WorldFailed when it cannot be started, or says more than `limit` bytes.
    """
    out, err = bytearray(), bytearray()

    def into(store: bytearray) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            store.extend(data)
            if len(store) > limit:
                raise WorldFailed(f"{argv[0]} printed more than {limit:,} bytes", fix="run it by hand to see why")

        return take

    with tempfile.TemporaryFile() as told:  # a pipe could fill up while nobody reads it
        told.write(stdin)
        told.seek(0)
        process = _spawn_kept(argv, cwd=cwd, env=env, grace_s=1.0, stderr=subprocess.PIPE, stdin=told.fileno())
    timed_out = _attend(process, {process.stdout: into(out), process.stderr: into(err)}, timeout_s, 1.0)
    failpoint("after-run:" + Path(argv[0]).name)
    return Captured(code=process.returncode, out=bytes(out), err=bytes(err), timed_out=timed_out)


def _spawn_kept(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    grace_s: float,
    stderr: int,
    stdin: int = subprocess.DEVNULL,
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
    return spawn([*keeper, *argv], cwd=cwd, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr)


def _attend(
    process: Kept,
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


def _end_kept(process: Kept, grace_s: float) -> None:
    """Let the keeper end everything; do it ourselves if the keeper is stuck or was killed."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace_s + 10.0)
    if (code := process.poll()) is None or code < 0:
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
