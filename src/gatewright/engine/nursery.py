"""The nursery as a child of the supervisor: started, listened to, started again when it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from gatewright.effects.files import open_log
from gatewright.effects.nursery import remove_socket
from gatewright.effects.processes import ProcessIdentity, end_tree, spawn
from gatewright.engine.journal import log
from gatewright.ports import Clock
from gatewright.store.processes import NURSERY, Processes, ProcessRow
from gatewright.workspace import STATE

FOLDER = "nursery"
_PAUSES_S = (0.0, 1.0, 10.0, 60.0)
_STEADY_S = 30.0


class NurseryProcess:
    """Owned by the supervisor's main thread, with which it ends. Nothing that serves depends on it."""

    def __init__(self, root: Path, processes: Processes, clock: Clock) -> None:
        self._root = root
        self._processes = processes
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._row: ProcessRow | None = None
        self._said = b""
        self._ends = self._restarts = 0
        self._started = self._next_start = 0.0

    def look(self) -> None:
        """Start it, hear its announcement, notice its end; after ends in a row more and more slowly."""
        if self._process is None:
            if time.monotonic() >= self._next_start:
                self._start()
            return
        self._hear(self._process)
        if (code := self._process.poll()) is not None:
            self._ended(code)

    def end(self) -> None:
        """End it with its children."""
        if self._process is not None:
            end_tree(self._process.pid, grace_s=3.0)
            self._process.wait()
            self._process = None
        remove_socket(self._root / STATE / FOLDER)

    def _start(self) -> None:
        log_file = self._root / STATE / "logs" / "nursery.log"
        with open_log(log_file) as errors:
            argv = [sys.executable, "-m", "gatewright.serving.nursery", str(os.getpid())]
            self._process = spawn(
                [*argv, str(self._root / STATE / FOLDER)],
                cwd=self._root,
                stdout=subprocess.PIPE,
                stderr=errors.fileno(),
            )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._said, self._started = b"", time.monotonic()
        identity = ProcessIdentity.of(self._process.pid) or ProcessIdentity(pid=self._process.pid, created=0.0)
        self._tell(ProcessRow(name=NURSERY, identity=identity, started_at=self._clock.now(), restarts=self._restarts))

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._said += process.stdout.read() or b""
        if self._row is not None and not self._row.ready and b'"ready": true' in self._said:
            self._tell(replace(self._row, ready=True))

    def _ended(self, code: int) -> None:
        """It ends by itself, with code 0, when it is out of date; anything else is told."""
        steady = time.monotonic() - self._started > _STEADY_S
        self._ends = 0 if code == 0 else 1 if steady else self._ends + 1
        self._next_start = time.monotonic() + _PAUSES_S[min(self._ends, len(_PAUSES_S) - 1)]
        self._restarts += 1
        error = None if code == 0 else self._reason(code)
        log(f"the nursery ended: {error or 'it was out of date'}")
        if self._row is not None:
            self._tell(replace(self._row, ready=False, error=error, restarts=self._restarts))
        self._process = None

    def _reason(self, code: int) -> str:
        try:
            return str(json.loads(self._said.splitlines()[-1])["error"])
        except (ValueError, KeyError, IndexError, TypeError):
            return f"exit code {code}"

    def _tell(self, row: ProcessRow) -> None:
        self._processes.put(row)
        self._row = row
