"""Measure the figures of docs/rollout-evidence.md anew.

    python -m tests.simulation.measure docs/rollout-evidence.json
    python docs/draw_rollout_evidence.py

Everything is seeded. 2,000 rollouts a cell take about an hour of one processor; `--rollouts` makes it shorter, and
`--only WORD` measures the cells with this word in their names again, and leaves the others as they are. The second
command writes the tables of the page and the picture.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.simulation import crowd_figures
from tests.simulation.figures import FAULTS, PROMOTE_MARGINS, Figures, at_the_promote_margin, equal_models, time_to_find

Cell = Callable[..., Figures]


def cells() -> dict[str, Cell]:
    """Every cell of the page by name; each takes `rollouts`."""
    found: dict[str, Cell] = {}
    for moving in (False, True):
        for rate, tick_s in ((200.0, 10.0), (20.0, 60.0), (2.0, 10.0)):
            name = f"equal models, {rate:g}/s, {'moving' if moving else 'level'}"
            found[name] = partial(equal_models, rate, moving=moving, tick_s=tick_s)
    quick = partial(equal_models, tick_s=60.0, peers=False)
    found["equal models, 200/s, level, looks of a minute"] = partial(quick, 200.0)
    found["equal models, 2/s, level, resumed"] = partial(quick, 2.0, patient=True)
    found["equal models, 200/s, level, margin 0"] = partial(quick, 200.0, margin=0.0)
    found["equal models, 200/s, level, with drift"] = partial(quick, 200.0, drift=True)
    for fault in FAULTS:
        found[f"found, {fault}, default margins"] = partial(time_to_find, fault)
        found[f"found, {fault}, margin 0"] = partial(time_to_find, fault, margin=0.0, peers=False)
    for metrics in (*([metric] for metric in PROMOTE_MARGINS), list(PROMOTE_MARGINS)):
        for guarded in (False, True):
            name = f"at the promote margin, {', '.join(metrics)}, {'whole rule' if guarded else 'no rollback'}"
            found[name] = partial(at_the_promote_margin, metrics, guarded=guarded)
    return {**found, **crowd_figures.cells()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rollouts", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--missing", action="store_true", help="only the cells that are not in the file")
    options = parser.parse_args()
    figures = json.loads(options.file.read_text(encoding="utf-8")) if options.file.exists() else {}
    for name, cell in cells().items():
        if options.only not in name or (options.missing and name in figures):
            continue
        began = time.perf_counter()
        figures[name] = cell(rollouts=options.rollouts)
        options.file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{time.perf_counter() - began:6.0f} s  {name}: {figures[name]}", flush=True)


if __name__ == "__main__":
    main()
