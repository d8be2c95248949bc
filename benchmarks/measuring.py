"""How the benchmarks measure: CPU time of processes and their children, medians, one table, one JSON file."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".benchmarks"
PEERS = ROOT / ".venv-bench" / "bin"
GATEWRIGHT = Path(sys.executable).with_name("gatewright")
_STARTED = time.monotonic()


class BenchmarkFailed(SystemExit):
    """What was to be measured did not work; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one command cost, its children included (those that were waited for), in seconds."""

    user_s: float
    system_s: float
    wall_s: float
    output: str

    @property
    def cpu_s(self) -> float:
        """User and system time together."""
        return self.user_s + self.system_s


def measured(argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> Usage:
    """Run `argv` to its end; BenchmarkFailed with what it said when it fails."""
    words = [str(word) for word in argv]
    RESULTS.mkdir(exist_ok=True)
    said = RESULTS / f"output-{os.getpid()}.txt"
    started = time.monotonic()
    with said.open("wb") as file:
        process = subprocess.Popen(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - started
    output = said.read_text(encoding="utf-8", errors="replace")
    said.unlink()
    if process.returncode:
        raise BenchmarkFailed(f"'{' '.join(words)}' ended with {process.returncode}:\n{output[-3000:]}")
    return Usage(user_s=usage.ru_utime, system_s=usage.ru_stime, wall_s=wall_s, output=output)


def tree_cpu_s(pid: int) -> float:
    """CPU seconds so far of the process, of its living descendants, and of those it has waited for."""
    total = 0.0
    leader = psutil.Process(pid)
    for process in (leader, *leader.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def resident_mb(pid: int) -> float:
    """Resident memory of one process, in MB (10^6 bytes)."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def told(values: Sequence[float], digits: int = 2) -> str:
    """The median and, in brackets, the range."""
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def verdict(ratio: float, goal: float) -> str:
    """Whether a ratio keeps its goal."""
    return f"goal ≤ {goal:g}: {'kept' if ratio <= goal else 'MISSED'}"


def progress(text: str) -> None:
    """One line with the seconds since the start and the load of the machine, on standard error."""
    print(f"{time.monotonic() - _STARTED:6.1f} s  load {os.getloadavg()[0]:.1f}  {text}", file=sys.stderr, flush=True)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its title, columns aligned."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([title, "", line(head), line(["-" * width for width in widths]), *map(line, rows)])


def publish(name: str, text: str, figures: Mapping[str, Any]) -> None:
    """Print the table; write it and the figures to `.benchmarks/NAME.json`."""
    document = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpus": os.cpu_count(),
            "load": [round(load, 2) for load in os.getloadavg()],
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "figures": figures,
        "table": text,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\n{text}\n", flush=True)
