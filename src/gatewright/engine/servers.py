"""One model server as a child process: started, listened to, restarted, given up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from gatewright.domain.documents import short
from gatewright.domain.routing import Endpoint, cluster_name
from gatewright.effects.files import open_log
from gatewright.effects.processes import ProcessIdentity, end_tree, spawn

CRASHES_ALLOWED = 3
_STEADY_S = 30.0
_PAUSES_S = (0.0, 0.2, 1.0)
_GIVEN_UP_PAUSE_S = 10.0


@dataclass(slots=True, kw_only=True)
class ModelServer:
    """The server of one model digest, owned by the supervisor's main thread; `settings` are more of its options.

    It is `ready` once it has announced its port and proven the digest of the bytes it loaded; `answered` says that it
    was so at least once. After three crashes without a steady half minute in between, or when it refuses the model,
    `error` says why, and it is tried again only every ten seconds, until it has served for half a minute.
    """

    model: str
    digest: str
    folder: str
    root: Path
    log: Path
    settings: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    endpoint: Endpoint | None = None
    restarts: int = 0
    answered: bool = False
    error: str | None = None
    _said: bytes = b""
    _crashes: int = 0
    _started: float = 0.0
    _next_start: float = field(default=0.0)

    @property
    def name(self) -> str:
        """Its name in the process table and in the gateway."""
        return cluster_name(self.digest)

    @property
    def ready(self) -> bool:
        """Whether it serves the right bytes now."""
        return self.endpoint is not None

    @property
    def identity(self) -> ProcessIdentity | None:
        """The running process."""
        return ProcessIdentity.of(self.process.pid) if self.process else None

    def look(self) -> bool:
        """Start it, hear its announcement, notice its end; True when something changed."""
        if self.process is None:
            return self._start()
        process, changed = self.process, self._hear()
        if (code := process.poll()) is not None and self.process is process:
            self._ended(code)
            return True
        if self.ready and self.error is not None and time.monotonic() - self._started > _STEADY_S:
            self.error, changed = None, True
        return changed

    def stop(self) -> None:
        """End it; requests in flight are answered first."""
        if self.process is not None:
            if self.process.stdin is not None:
                self.process.stdin.close()
            end_tree(self.process.pid, grace_s=3.0)
            self.process.wait()
        self.process, self.endpoint = None, None

    def _start(self) -> bool:
        if time.monotonic() < self._next_start:
            return False
        argv = [sys.executable, "-m", "gatewright.serving.server", "--artifact", self.folder, "--model", self.model]
        with open_log(self.log) as log:
            self.process = spawn(
                [*argv, "--digest", self.digest, "--port", "0", *self.settings],
                cwd=self.root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log.fileno(),
            )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._said, self._started = b"", time.monotonic()
        return True

    def _hear(self) -> bool:
        if self.endpoint is not None or self.process is None or self.process.stdout is None:
            return False
        self._said += self.process.stdout.read() or b""
        for line in self._said.split(b"\n")[:-1]:
            if announcement := _announcement(line):
                self._announced(*announcement)
                return True
        return False

    def _announced(self, port: int, digest: str) -> None:
        if digest == self.digest:
            self.endpoint, self.answered = Endpoint(port=port), True
            return
        self.stop()
        self.error = f"it loaded {short(digest)} instead of {short(self.digest)}"
        self._next_start = time.monotonic() + _GIVEN_UP_PAUSE_S

    def _ended(self, code: int) -> None:
        self._hear()
        self.process, self.endpoint = None, None
        self._next_start = time.monotonic() + _GIVEN_UP_PAUSE_S
        self._crashes = 1 if time.monotonic() - self._started > _STEADY_S else self._crashes + 1
        self.restarts += 1
        if code == 2:
            self.error = self._refusal()
        elif self._crashes >= CRASHES_ALLOWED:
            self.error = f"it ended {self._crashes} times in a row (last exit code {code}); see {self.log}"
        else:
            self._next_start = time.monotonic() + _PAUSES_S[self._crashes]

    def _refusal(self) -> str:
        try:
            return str(json.loads(self._said.splitlines()[-1])["error"])
        except (ValueError, KeyError, IndexError, TypeError):
            return f"it refused to start; see {self.log}"


def _announcement(line: bytes) -> tuple[int, str] | None:
    """Port and digest in the line that a server says once it answers; None for anything else it prints."""
    try:
        words = json.loads(line)
        return int(words["port"]), str(words["digest"])
    except (ValueError, KeyError, TypeError):
        return None
