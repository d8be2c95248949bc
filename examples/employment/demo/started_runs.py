"""The runs that `gatewright data watch` starts: processes of their own, whose words stand in a log."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil

_INTERRUPT_S = 30.0


class StartedRuns:
    """The runs that a watcher of one workspace starts from now on."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shown = {log: log.stat().st_size for log in self._logs()}

    def show(self) -> None:
        """Print what they have said since the last time."""
        for log in self._logs():
            with log.open("rb") as file:
                file.seek(self._shown.get(log, 0))
                said = file.read()
            whole = said[: said.rfind(b"\n") + 1]
            self._shown[log] = self._shown.get(log, 0) + len(whole)
            sys.stdout.write(whole.decode("utf-8", "replace"))
            sys.stdout.flush()

    def interrupt(self) -> None:
        """Ctrl-C for each that still runs, and wait for its end."""
        running = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "--run-id" in words and str(self._root) in words:
                process.send_signal(signal.SIGINT)
                running.append(process)
        for process in psutil.wait_procs(running, timeout=_INTERRUPT_S)[1]:
            process.kill()

    def _logs(self) -> list[Path]:
        return sorted((self._root / ".gatewright" / "watch").glob("*.log"))
