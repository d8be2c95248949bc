"""The supervisor's own log: a line on standard error for what happens, and not the same complaint all the time."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from datetime import datetime

from gatewright.domain.errors import GatewrightError

_REPEAT_S = 10.0


def log(text: str) -> None:
    """One line, with the time; on a full disk it is lost, which must end nothing."""
    stamp = datetime.now().astimezone().isoformat(timespec="milliseconds")
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), f"{stamp} {text}\n".encode())


class Complaints:
    """What goes wrong and is lived with."""

    def __init__(self) -> None:
        self._last = ("", 0.0)

    def tell(self, error: GatewrightError) -> None:
        """Log it; the same thing at most every ten seconds."""
        text, at = self._last
        now = time.monotonic()
        if str(error) != text or now - at > _REPEAT_S:
            log(f"going on although: {error}")
            self._last = (str(error), now)
