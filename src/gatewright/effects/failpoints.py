"""Places where a test may kill this process, to prove that nothing is lost.

Armed by `GATEWRIGHT_FAILPOINTS="name[@occurrence],…"`, and only while `GATEWRIGHT_TESTING=1`.
"""

from __future__ import annotations

import os
import signal

_seen: dict[str, int] = {}


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if `name` is armed for this occurrence; otherwise do nothing."""
    armed = os.environ.get("GATEWRIGHT_FAILPOINTS")
    if not armed or os.environ.get("GATEWRIGHT_TESTING") != "1":
        return
    _seen[name] = _seen.get(name, 0) + 1
    for entry in armed.split(","):
        wanted, _, occurrence = entry.partition("@")
        if wanted == name and int(occurrence or 1) == _seen[name]:
            os.kill(os.getpid(), signal.SIGKILL)
