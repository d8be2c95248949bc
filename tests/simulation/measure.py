"""Measure the figures of docs/rollout-evidence.md anew: `python -m tests.simulation.measure FILE`.

Everything is seeded. 2,000 rollouts a cell take about an hour and a half of one processor; `--rollouts` makes it
shorter, and `--only WORD` measures the cells with this word in their names again, and leaves the others as they are.
`python docs/draw_rollout_evidence.py` then writes the tables of the page and the picture.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from tests.simulation.figures import FAULTS, PROMOTE_MARGINS, Figures, at_the_promote_margin, equal_models, time_to_find

Cell = Callable[[int], Figures]


def cells() -> dict[str, Cell]:
    """Every cell of the page by name: rollouts → figures."""
    found: dict[str, Cell] = {}
    for moving in (False, True):
        for rate in (200.0, 20.0, 2.0):
            name = f"equal models, {rate:g}/s, {'moving' if moving else 'level'}"
            found[name] = lambda n, rate=rate, moving=moving: equal_models(rate, n, moving=moving)  # type: ignore[misc]
    found["equal models, 200/s, level, looks of a minute"] = lambda n: equal_models(200.0, n, tick_s=60.0, peers=False)
    found["equal models, 2/s, level, resumed"] = lambda n: equal_models(2.0, n, tick_s=60.0, patient=True, peers=False)
    found["equal models, 200/s, level, with drift"] = lambda n: equal_models(
        200.0, n // 2, tick_s=60.0, drift=True, peers=False
    )
    for fault in FAULTS:
        found[f"found, {fault}, default margins"] = lambda n, fault=fault: time_to_find(fault, n)  # type: ignore[misc]
        found[f"found, {fault}, margin 0"] = lambda n, fault=fault: time_to_find(  # type: ignore[misc]
            fault, n, margin=0.0, peers=False
        )
    for metrics in (*([metric] for metric in PROMOTE_MARGINS), list(PROMOTE_MARGINS)):
        for guarded in (False, True):
            name = f"at the promote margin, {', '.join(metrics)}, {'whole rule' if guarded else 'no rollback'}"
            found[name] = lambda n, metrics=metrics, guarded=guarded: at_the_promote_margin(  # type: ignore[misc]
                metrics, n, guarded=guarded
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rollouts", type=int, default=2000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    figures = json.loads(options.file.read_text(encoding="utf-8")) if options.file.exists() else {}
    for name, cell in cells().items():
        if options.only not in name:
            continue
        began = time.perf_counter()
        figures[name] = cell(options.rollouts)
        options.file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{time.perf_counter() - began:6.0f} s  {name}: {figures[name]}", flush=True)


if __name__ == "__main__":
    main()
