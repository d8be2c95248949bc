"""Places where a test may kill or stop this process, to prove that nothing is lost.

Only while `GATEWRIGHT_TESTING=1`. `GATEWRIGHT_FAILPOINTS` is a list with commas; each entry says where and, after `=`,
what to do: `name` or `name@occurrence`, or `#ordinal` among all places passed; `kill` (SIGKILL) unless it says `stop`
(SIGSTOP). `GATEWRIGHT_FAILPOINTS_PASSED` names a file to which each place passed is added, as `name@occurrence`.

They stand in the wrappers of effects only: commit, atomic write, removal, HTTP call, subprocess, link.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_seen: dict[str, int] = {}
_passed: list[str] = []


def failpoint(name: str) -> None:
    """Do here what is armed for this occurrence of `name`; nothing otherwise."""
    if os.environ.get("GATEWRIGHT_TESTING") != "1":
        return
    armed, trace = os.environ.get("GATEWRIGHT_FAILPOINTS"), os.environ.get("GATEWRIGHT_FAILPOINTS_PASSED")
    if not armed and not trace:
        return
    _seen[name] = _seen.get(name, 0) + 1
    here = f"{name}@{_seen[name]}"
    _passed.append(here)
    if trace:
        with Path(trace).open("a", encoding="utf-8") as file:
            file.write(here + "\n")
    for entry in armed.split(",") if armed else ():
        place, _, deed = entry.partition("=")
        if place in (here, f"#{len(_passed)}") or (place == name and _seen[name] == 1):
            os.kill(os.getpid(), signal.SIGSTOP if deed == "stop" else signal.SIGKILL)
