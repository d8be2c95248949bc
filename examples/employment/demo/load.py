"""The load generator as seen by the demo: started, watched through its summary, and ended by closing its input."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from settings import DemoFailed
from workspace import EXAMPLE, Workspace

_END_S = 20.0
_START_S = 60.0


class Load:
    """Live traffic through the gateway of one workspace."""

    def __init__(self, workspace: Workspace, rate: int) -> None:
        self._workspace = workspace
        self._rate = rate
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def start(self) -> None:
        """Begin to send; in a session of its own, so that Ctrl-C reaches it only through us."""
        generator = Path(__file__).with_name("traffic.py")
        url = f"http://127.0.0.1:{self._workspace.port}/predict"
        rows = EXAMPLE / "data" / "acs" / "2018.parquet"
        argv = [sys.executable, str(generator), "--url", url, "--rate", str(self._rate)]
        argv += ["--rows", str(rows), "--summary", str(self._workspace.summary)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)

    def wait_for(self, answers: int) -> None:
        """Wait until so many requests were answered well, so that stable has a history."""
        deadline = time.monotonic() + _START_S
        while self.summary()["ok"] < answers:
            if time.monotonic() > deadline or (self._process is not None and self._process.poll() is not None):
                raise DemoFailed(f"the traffic does not flow: {self.summary()}")
            time.sleep(0.1)

    def summary(self) -> dict[str, Any]:
        """What was seen so far."""
        try:
            found: dict[str, Any] = json.loads(self._workspace.summary.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"finished": False, "sent": 0, "ok": 0, "failed": {}}
        return found

    def failed(self) -> int:
        """Failed requests so far."""
        return sum(self.summary()["failed"].values())

    def stop(self) -> None:
        """Let what is open be answered, and end."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
