"""Is the data still as recorded? `gatewright data verify` beside `dvc status`, when nothing changed.

2 GiB in one file, and 20,000 small files; both sides have looked once before and keep what they learnt. CPU time of the
whole command with all its children.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from measuring import GATEWRIGHT, PEERS, RESULTS, BenchmarkFailed, measured, progress, publish, table, told

GOAL = 10
_GIB = 1 << 30
_BLOCK = 1 << 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--dvc", type=Path, default=PEERS / "dvc")
    parser.add_argument("--gib", type=float, default=2.0, help="size of the one file")
    parser.add_argument("--files", type=int, default=20_000)
    options = parser.parse_args()
    cases: dict[str, Callable[[Path], None]] = {
        f"{options.gib:g} GiB in one file": lambda folder: _one_file(folder, int(options.gib * _GIB)),
        f"{options.files:,} files": lambda folder: _many_files(folder, options.files),
    }
    samples: dict[str, list[float]] = defaultdict(list)
    for name, write in cases.items():
        root = RESULTS / "no_change"
        shutil.rmtree(root, ignore_errors=True)
        (root / "noise").mkdir(parents=True)
        progress(f"{name}: writing")
        write(root / "noise")
        _compare(name, root, options.dvc, options.repetitions, samples)
        shutil.rmtree(root)
    _publish(list(cases), samples)


def _one_file(folder: Path, size: int) -> None:
    """A parquet file of about `size` bytes of noise."""
    rng = np.random.default_rng(7)
    parts = folder.parent / "parts"
    parts.mkdir()
    for number in range(max(1, size // _BLOCK)):
        noise = rng.integers(0, 1 << 62, _BLOCK // 8)
        pl.DataFrame({"noise": noise}).write_parquet(parts / f"{number:04}.parquet", compression="uncompressed")
    pl.scan_parquet(parts / "*.parquet").sink_parquet(folder / "one.parquet", compression="uncompressed")
    shutil.rmtree(parts)


def _many_files(folder: Path, files: int) -> None:
    for number in range(files):
        inside = folder / f"{number // 1000:03}"
        inside.mkdir(exist_ok=True)
        (inside / f"{number:06}.csv").write_text(f"a,b\n{number},{number * 7}\n", encoding="utf-8")


def _compare(name: str, root: Path, dvc: Path, repetitions: int, samples: dict[str, list[float]]) -> None:
    env = {**os.environ, "DVC_NO_ANALYTICS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    for argv in (["git", "init", "--quiet"], [dvc, "init", "--quiet"], [dvc, "config", "core.check_update", "false"]):
        measured(argv, cwd=root, env=env)
    # DVC's cache links to the file instead of copying it, so that the disk holds the data once.
    measured([dvc, "config", "cache.type", "hardlink,symlink"], cwd=root, env=env)
    progress(f"{name}: dvc add")
    measured([dvc, "add", "--quiet", "noise"], cwd=root, env=env)
    _settled(root / "noise")
    progress(f"{name}: gatewright data add")
    measured([GATEWRIGHT, "data", "add", "noise", "noise"], cwd=root, env=env)
    measured([dvc, "status"], cwd=root, env=env)
    _settled(root / "noise")
    measured([GATEWRIGHT, "data", "verify"], cwd=root, env=env)
    for number in range(1, repetitions + 1):
        progress(f"{name}, repetition {number}: verify and dvc status")
        ours = measured([GATEWRIGHT, "data", "verify"], cwd=root, env=env)
        theirs = measured([dvc, "status"], cwd=root, env=env)
        if "verified" not in ours.output or "up to date" not in theirs.output:
            raise BenchmarkFailed(f"something changed: {ours.output} {theirs.output}")
        samples[f"{name} ours"].append(ours.cpu_s)
        samples[f"{name} dvc"].append(theirs.cpu_s)


def _settled(folder: Path) -> None:
    """What was touched in the last two seconds (as by hard links) is not remembered by ours; DVC has no such rule."""
    while time.time() - max(path.stat().st_ctime for path in folder.rglob("*")) < 3:
        time.sleep(0.2)


def _publish(names: list[str], samples: dict[str, list[float]]) -> None:
    rows, ratios = [], {}
    for name in names:
        ours, theirs = samples[f"{name} ours"], samples[f"{name} dvc"]
        times = ratios[name] = median(theirs) / median(ours)
        goal = f"goal ≥ {GOAL}: {'kept' if times >= GOAL else 'MISSED'}"
        rows.append((name, told(ours, 3), told(theirs, 3), f"{times:.1f}", goal))
    head = ("CPU seconds, median [range]", "gatewright data verify", "dvc status", "times less", "")
    publish("no_change", table("Nothing changed: proving it", head, rows), {"times": ratios, "samples": dict(samples)})


if __name__ == "__main__":
    main()
