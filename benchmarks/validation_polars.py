"""The same by hand, in a process of its own: `validation_polars.py FOLDER`. One streaming query, no examples.

Every rule is a sum of a condition, every histogram a sum for each bin's lower end or each known value: of all ways
tried the cheapest. The reference's edges stand there as they are. It knows this table alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from evaluation_clock import Clock
from validation_rules import CODES, NULLABLE, POSTCODE, RANGES, WORDS

_FLOATS = ("income", "score", "weight", "height")
_LEAST = 1e-4


def main() -> None:
    folder = Path(sys.argv[1])
    told = json.loads((folder / "reference.json").read_bytes())
    pl.select(pl.lit(1)).lazy().collect(engine="streaming")
    clock = Clock()
    entries = {name: entry for name, entry in told["stats"]["columns"].items() if {"values", "counts"} & entry.keys()}
    expressions = {"rows": pl.len(), **_faults()}
    for name, entry in entries.items():
        expressions |= _histogram(name, entry)
    row = pl.scan_parquet(folder / "data.parquet").select(**expressions).collect(engine="streaming").row(0, named=True)
    counts = {name: row[name] for name in _faults() if row[name]}
    drift = {name: _psi(name, entry, row, told["rows"]) for name, entry in entries.items()}
    clock.say({"counts": counts, "drift": drift})


def _faults() -> dict[str, pl.Expr]:
    column = pl.col
    found = {"id duplicate": pl.len() - column("id").n_unique(), "id null": column("id").null_count()}
    for name, (low, high) in RANGES.items():
        outside = (column(name) < low) | (column(name) > high)
        if name in _FLOATS:
            outside &= column(name).is_not_nan()
            found[f"{name} nan"] = column(name).is_nan().sum()
            found[f"{name} infinite"] = column(name).is_infinite().sum()
        found[f"{name} range"] = outside.sum()
    for name, known in {**CODES, **WORDS}.items():
        found[f"{name} enum"] = (~column(name).is_in(list(known))).sum()
    found["postcode regex"] = (~column("postcode").str.contains(f"^(?:{POSTCODE})$")).sum()
    found[" leaves after joining"] = (column("left_on") < column("joined")).sum()
    whole = (*RANGES, *CODES, *WORDS, "postcode", "member", "joined", "left_on")
    found |= {f"{name} null": column(name).null_count() for name in whole if name not in NULLABLE}
    return found


def _histogram(name: str, entry: dict[str, Any]) -> dict[str, pl.Expr]:
    value = pl.col(name)
    found = {f"{name} missing": value.null_count()}
    if "counts" in entry:
        edges = np.linspace(entry["low"], entry["high"], len(entry["counts"]) + 1)[:-1].tolist()
        found |= {f"{name} {number}": (value >= edge).sum() for number, edge in enumerate(edges)}
        return {**found, f"{name} above": (value > entry["high"]).sum()}
    kinds = {"true": True, "false": False}
    for number, text in enumerate(entry["values"]):
        known = kinds[text] if text in kinds else text if name in (*WORDS, "postcode") else int(text)
        found[f"{name} {number}"] = (value == known).sum()
    return found


def _psi(name: str, entry: dict[str, Any], row: dict[str, int], rows: int) -> float:
    nans = row.get(f"{name} nan", 0)
    gone = row[f"{name} missing"] + nans
    cells = [row[f"{name} {number}"] for number in range(len(entry.get("counts", entry.get("values"))))]
    if "counts" in entry:
        above = [row["rows"] - gone, *(count - nans for count in (*cells, row[f"{name} above"])), 0]
        now = [gone, *(-np.diff(above)).tolist()]
        before = [rows * (entry["nulls"] + entry.get("nans", 0)), 0, *entry["counts"], 0]
    else:
        now = [gone, *cells, row["rows"] - gone - sum(cells)]
        before = [rows * entry["nulls"], *entry["values"].values(), entry.get("other", 0)]
    p, q = (np.array(counts, dtype=float) / sum(counts) for counts in (before, now))
    here = (p > 0) | (q > 0)
    p, q = np.maximum(p[here], _LEAST), np.maximum(q[here], _LEAST)
    return max(float(((q - p) * np.log(q / p)).sum()), 0.0)


if __name__ == "__main__":
    main()
