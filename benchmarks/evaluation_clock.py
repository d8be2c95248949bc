"""The clock of one evaluation in a fresh process, and what it says at the end.

The clock starts after the imports. One thread everywhere, so that CPU time is the work and not its division.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

EDGES = (25, 35, 45, 55, 65)
ATTRIBUTES = ("SEX", "RAC1P")
SEED, DRAWS = 0, 1000
MIN_ROWS, ALPHA, POWER = 100, 0.025, 0.8


class Clock:
    """CPU seconds of this process, all threads, in named parts."""

    def __init__(self) -> None:
        self._parts: dict[str, float] = {}
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        self._last = self._cpu

    def lap(self, part: str) -> None:
        """What was spent since the last lap belongs to `part`."""
        now = time.process_time()
        self._parts[part] = self._parts.get(part, 0.0) + now - self._last
        self._last = now

    def say(self, numbers: Mapping[str, Any]) -> None:
        """Stop, and leave the figures and the numbers that were computed as one line of JSON."""
        cpu_s, wall_s = time.process_time() - self._cpu, time.perf_counter() - self._wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        figures = {
            "cpu_s": cpu_s,
            "wall_s": wall_s,
            "peak_mb": peak / (1e6 if sys.platform == "darwin" else 1e3) * (1 if sys.platform == "darwin" else 1.024),
            "parts": self._parts,
        }
        print(json.dumps({"figures": figures, "numbers": dict(numbers)}), flush=True)


def interval(reached: int) -> str:
    """The name of the slice of AGEP with this many edges at or below it."""
    if reached == 0:
        return f"AGEP<{EDGES[0]}"
    if reached == len(EDGES):
        return f"AGEP>={EDGES[-1]}"
    return f"AGEP=[{EDGES[reached - 1]},{EDGES[reached]})"
