"""Evaluation and gates beside plain numpy and Fairlearn's MetricFrame, on the same made-up predictions.

100,000, 1 million and 10 million rows, two models, 52 slices. Each repetition is a fresh process with one thread, and
takes turns with the others; the clock starts after the imports and includes reading the parquet file.

Ours is `rules.evaluation.evaluate` and `rules.judgement.judge` with the gates overall, slices and fairness. Weak slices
are left out; their cost has a row of its own. Plain numpy computes the same numbers by hand, without our checks (ids,
gaps, types) and without the gates' own rate of false alarms. All numbers are asserted to be equal, bounds of the
bootstrap within its own error. The MetricFrame computes the candidate's accuracy and selection rate alone, and is
compared with ours doing only that, equal to 1e-12. It runs once at 1 million rows, which takes it minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from measuring import RESULTS, ROOT, BenchmarkFailed, measured, progress, publish, table, told, verdict

SIZES = (100_000, 1_000_000, 10_000_000)
PLAIN_GOAL, PEAK_GOAL_MB, FAIRLEARN_GOAL = 1.5, 600, 200
_FAIRLEARN_REPETITIONS = {100_000: 3, 1_000_000: 1}
_SLICES = 52
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
_EXACT, _BISECTED = 1e-12, 1e-9
_BOOTSTRAP_ERRORS = 0.4
"""Standard deviations between two bounds of 1,000 draws each: 4 standard errors of their difference."""

Figures = dict[str, Any]
Runs = dict[tuple[str, int], list[Figures]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="rows")
    options = parser.parse_args()
    runs: Runs = defaultdict(list)
    scratch = RESULTS / "evaluation"
    scratch.mkdir(parents=True, exist_ok=True)
    for rows in options.sizes:
        file = scratch / f"{rows}.parquet"
        progress(f"{rows:,} rows: making them up")
        _run("data", file, str(rows))
        _compare(file, rows, options.repetitions, runs)
        file.unlink()
    _publish(runs, options.sizes)


def _compare(file: Path, rows: int, repetitions: int, runs: Runs) -> None:
    """All contestants in turns, and their numbers beside each other."""
    numbers: dict[str, Any] = {}

    def take(name: str, script: str, *words: str) -> None:
        said = json.loads(_run(script, file, *words))
        runs[name, rows].append(said["figures"])
        numbers[name] = said["numbers"]

    theirs = _FAIRLEARN_REPETITIONS.get(rows, 0)
    for number in range(1, repetitions + 1):
        progress(f"{rows:,} rows, repetition {number}: ours, plain numpy")
        take("whole", "ours", "whole")
        take("plain", "numpy")
        take("weak", "ours", "weak")
        take("counts", "ours", "counts")
        _check_same(numbers["whole"], numbers["plain"])
        if number <= theirs:
            progress(f"{rows:,} rows, repetition {number}: Fairlearn")
            take("fairlearn", "fairlearn")
            _check_rates(numbers["counts"], numbers["fairlearn"])


def _run(script: str, *words: str | Path) -> str:
    """The last line that `evaluation_SCRIPT.py WORDS` prints."""
    env = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    path = Path(__file__).with_name(f"evaluation_{script}.py")
    lines = measured([sys.executable, path, *words], cwd=ROOT, env=env).output.splitlines()
    return lines[-1] if lines else ""


def _check_same(ours: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    """The numbers of the gates: counts and tests exactly, bounds of the bootstrap within its error."""
    if len(ours["slices"]) != _SLICES or ours["slices"].keys() != plain["slices"].keys():
        raise BenchmarkFailed(f"there are {len(ours['slices'])} slices and {len(plain['slices'])}, not {_SLICES}")
    pairs = [("all rows", ours["overall"], plain["overall"])]
    pairs += [(name, found, plain["slices"][name]) for name, found in ours["slices"].items()]
    for name, one, other in pairs:
        for key in ("rows", "candidate", "baseline", "p", "holm", "mde"):
            _near(f"{key} of {name}", one[key], other[key], _EXACT)
        for key in ("low", "high"):
            _near(f"{key} of {name}", one[key], other[key], _BISECTED)
    for attribute, one in ours["gaps"].items():
        other = plain["gaps"][attribute]
        for key in ("rows", "candidate", "baseline"):
            _near(f"{key} of the gap by {attribute}", one[key], other[key], _EXACT)
        for key in ("low", "high"):
            _near(f"{key} of the gap by {attribute}", one[key], other[key], _BOOTSTRAP_ERRORS * other["sd"])


def _check_rates(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    if len(ours) != _SLICES or ours.keys() != theirs.keys():
        raise BenchmarkFailed(f"Fairlearn has other slices: {sorted(ours.keys() ^ theirs.keys())}")
    for name, rates in ours.items():
        for one, other in zip(rates, theirs[name], strict=True):
            _near(f"a rate of {name}", one, other, _EXACT)


def _near(what: str, ours: float | None, theirs: float | None, tolerance: float) -> None:
    if ours is None or theirs is None:
        same = ours is theirs
    else:
        same = math.isclose(ours, theirs, rel_tol=_EXACT, abs_tol=tolerance)
    if not same:
        raise BenchmarkFailed(f"{what}: ours is {ours}, the other {theirs}")


def _publish(runs: Runs, sizes: Sequence[int]) -> None:
    rows: list[Sequence[str]] = []
    ratios: dict[str, float] = {}
    for size in sizes:
        rows += _beside_numpy(runs, size, ratios)
        rows += _beside_fairlearn(runs, size, ratios)
    head = ("CPU seconds, median [range]", "gatewright", "peer", "ratio", "")
    text = table(f"Two models, {_SLICES} slices: gatewright beside plain numpy and Fairlearn", head, rows)
    text += "\n\nAll numbers equal: to 1e-12 (intervals 1e-9), bootstrap bounds within 4 standard errors of the draws"
    figures = {f"{name} {size}": found for (name, size), found in runs.items()}
    publish("evaluation", text, {"ratios": ratios, "runs": figures})


def _beside_numpy(runs: Runs, size: int, ratios: dict[str, float]) -> list[Sequence[str]]:
    ours, plain, weak = (runs[name, size] for name in ("whole", "plain", "weak"))
    ratio = ratios[f"plain {size}"] = _cpu(ours) / _cpu(plain)
    peak = max(run["peak_mb"] for run in ours)
    goal = verdict(ratio, PLAIN_GOAL) if size == 1_000_000 else ""
    rows: list[Sequence[str]] = [
        (f"{size:,} rows: all gates; plain numpy", _told(ours), _told(plain), f"{ratio:.2f}", goal)
    ]
    for part, name in (("evaluate", "reading and counting"), ("judge", "tests and bootstrap")):
        mine, other = ([run["parts"][part] for run in found] for found in (ours, plain))
        rows.append((f"  of it {name}", told(mine, 3), told(other, 3), f"{median(mine) / median(other):.2f}", ""))
    rows.append(("  with weak slices looked for", _told(weak), "", "", "advisory, no gate"))
    other = max(run["peak_mb"] for run in plain)
    rows.append(
        (
            "  highest peak, MB",
            f"{peak:.0f}",
            f"{other:.0f}",
            f"{peak / other:.2f}",
            f"goal ≤ {PEAK_GOAL_MB} MB: {'kept' if peak <= PEAK_GOAL_MB else 'MISSED'}" if size == SIZES[-1] else "",
        )
    )
    return rows


def _beside_fairlearn(runs: Runs, size: int, ratios: dict[str, float]) -> list[Sequence[str]]:
    if not (theirs := runs.get(("fairlearn", size))):
        return []
    rows: list[Sequence[str]] = []
    for name, label in (("counts", "the same rates alone"), ("whole", "all gates")):
        times = ratios[f"fairlearn : {name} {size}"] = _cpu(theirs) / _cpu(runs[name, size])
        goal = f"goal ≥ {FAIRLEARN_GOAL}: {'kept' if times >= FAIRLEARN_GOAL else 'MISSED'}"
        rows.append(
            (
                f"{size:,} rows: {label}; MetricFrame",
                _told(runs[name, size]),
                _told(theirs),
                f"1 : {times:.0f}",
                goal if name == "counts" else "two models, tests, bootstrap",
            )
        )
    return rows


def _cpu(runs: Sequence[Figures]) -> float:
    return median(run["cpu_s"] for run in runs)


def _told(runs: Sequence[Figures]) -> str:
    return told([run["cpu_s"] for run in runs], 3)


if __name__ == "__main__":
    main()
