"""Validation of a made-up table beside one polars query by hand and pandera over a LazyFrame, in the same run.

10 million rows, 20 columns, 17 kinds of planted faults. Ours judges every rule, measures drift of every column from the
histograms of a reference, and fetches example rows of each rule that fails. The query by hand counts the same, without
examples; pandera has no drift. Each repetition is a fresh process with one thread, in turns; the clock starts after the
imports and includes reading the parquet file. Every count must be the planted one, and the drift that of the query.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from measuring import RESULTS, ROOT, BenchmarkFailed, measured, progress, publish, table, told, verdict

HAND_GOAL, PANDERA_GOAL = 1.2, 0.6
_NAMES = {"ours": "gatewright", "polars": "polars by hand", "pandera": "pandera"}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    folder = RESULTS / "validation"
    folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    progress(f"{options.rows:,} rows: making them up")
    _run("data", folder, str(options.rows))
    faults = json.loads((folder / "faults.json").read_bytes())
    for number in range(1, options.repetitions + 1):
        numbers = {}
        for name, called in _NAMES.items():
            progress(f"repetition {number}: {called}")
            said = json.loads(_run(name, folder))
            runs[name].append(said["figures"])
            numbers[name] = said["numbers"]
        _check(faults, numbers)
    shutil.rmtree(folder)
    _publish(runs, options.rows, sum(faults.values()))


def _run(script: str, *words: str | Path) -> str:
    env = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    path = Path(__file__).with_name(f"validation_{script}.py")
    lines = measured([sys.executable, path, *words], cwd=ROOT, env=env).output.splitlines()
    return lines[-1] if lines else ""


def _check(faults: dict[str, int], numbers: dict[str, dict[str, Any]]) -> None:
    for name in ("ours", "polars"):
        if numbers[name]["counts"] != faults:
            raise BenchmarkFailed(f"{_NAMES[name]} counts {numbers[name]['counts']}, planted are {faults}")
    ours, plain = numbers["ours"]["drift"], numbers["polars"]["drift"]
    apart = {name for name in ours.keys() | plain.keys() if abs(ours.get(name, 9) - plain.get(name, 9)) > 1e-9}
    if apart:
        raise BenchmarkFailed(f"the drift of {sorted(apart)} is not that of the query by hand")


def _publish(runs: dict[str, list[dict[str, Any]]], rows: int, faults: int) -> None:
    cpu = {name: [run["cpu_s"] for run in found] for name, found in runs.items()}
    peak = {name: max(run["peak_mb"] for run in found) for name, found in runs.items()}
    hand, pandera = (median(cpu["ours"]) / median(cpu[name]) for name in ("polars", "pandera"))
    ratios = {"ours": ("", ""), "polars": (f"{hand:.2f}", verdict(hand, HAND_GOAL))}
    ratios["pandera"] = (f"{pandera:.2f}", verdict(pandera, PANDERA_GOAL))
    text = table(
        f"{rows:,} rows, 20 columns, {faults:,} planted faults: CPU seconds",
        ("", "CPU s, median [range]", "peak MB", "ours : it", ""),
        [(called, told(cpu[name]), f"{peak[name]:.0f}", *ratios[name]) for name, called in _NAMES.items()],
    )
    text += "\n\nEvery count of ours and of the query by hand is the planted one; their drift agrees to 1e-9"
    publish("validation", text, {"ratios": {"hand": hand, "pandera": pandera}, "runs": runs})


if __name__ == "__main__":
    main()
