"""The gateway as a child process: started, restarted when it ends, asked whether it answers."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from gatewright.effects.files import open_log
from gatewright.effects.processes import end_tree, spawn
from gatewright.engine.journal import log
from gatewright.ports import Gateway

ENDS_TOLERATED = 3
_STEADY_S = 10.0
_PAUSE_S = 0.5
_ASK_EVERY_S = 1.0


class GatewayProcess:
    """Owned by the supervisor's main thread: the gateway ends with the thread that started it."""

    def __init__(self, gateway: Gateway, *, folder: Path, log_file: Path) -> None:
        self._gateway = gateway
        self._folder = folder
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._ends = 0
        self._started = self._answered = 0.0
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Its pid while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def error(self) -> str | None:
        """What is wrong with it when restarts do not help."""
        return "it ends again and again" if self._ends > ENDS_TOLERATED else None

    def start(self) -> None:
        """Start it; UnusableInput when its port is taken."""
        argv = self._gateway.argv()
        with open_log(self._log_file) as output:
            self._process = spawn(argv, cwd=self._folder, log=output.fileno())
        self._started = time.monotonic()

    def watch(self) -> bool:
        """Restart it at once when it ends; when it ends again within seconds, more and more slowly."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is None:
            self._ends = 0 if now - self._started > _STEADY_S else self._ends
            return False
        if now - self._started < _PAUSE_S * self._ends:
            return False
        if self._process is not None:
            log(f"the gateway ended ({self._process.returncode}); starting it again")
        self.restarts += 1
        self._ends += 1
        self._process, self._started = None, now
        self.start()
        return True

    def ready(self) -> bool:
        """Whether it answers: asked often until it does, then once a second."""
        now = time.monotonic()
        if self._process is None or self._process.poll() is not None:
            self._answered = 0.0
        elif not self._answered or now - self._answered >= _ASK_EVERY_S:
            self._answered = now if self._gateway.ready() else 0.0
        return self._answered > 0.0

    def end(self) -> None:
        """End it with all its children."""
        if self._process is not None:
            end_tree(self._process.pid, grace_s=3.0)
            self._process.wait()
            self._process = None
