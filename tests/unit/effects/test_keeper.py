"""Ending descendants does not rest on one look through /proc, which may miss what is started while it reads."""

from __future__ import annotations

import os
import subprocess
import sys

MISSED = """
import subprocess
import sys
from gatewright.effects import keeper

looks = []
look = keeper.descendants
keeper.descendants = lambda ancestor: looks.append(1) or (set() if len(looks) == 1 else look(ancestor))
keeper.keep(int(sys.argv[1]))
child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
assert keeper.has_children()
keeper.end_descendants(2.0)
assert not keeper.has_children()
print(len(looks) > 1, look(keeper.os.getpid()))
"""


def test_what_one_look_has_missed_is_ended_all_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSED, str(os.getpid())], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True set()\n"
