"""Places where a test may kill or stop this process, to prove that nothing is lost.

Armed by `GATEWRIGHT_FAILPOINTS="name[@occurrence][=stop],…"`, and only while `GATEWRIGHT_TESTING=1`.
"""

from __future__ import annotations

import os
import signal

_seen: dict[str, int] = {}


def failpoint(name: str) -> None:
    """SIGKILL (or, as armed, SIGSTOP) to this process if `name` is armed for this occurrence; otherwise nothing."""
    armed = os.environ.get("GATEWRIGHT_FAILPOINTS")
    if not armed or os.environ.get("GATEWRIGHT_TESTING") != "1":
        return
    _seen[name] = _seen.get(name, 0) + 1
    for entry in armed.split(","):
        place, _, how = entry.partition("=")
        wanted, _, occurrence = place.partition("@")
        if wanted == name and int(occurrence or 1) == _seen[name]:
            os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
