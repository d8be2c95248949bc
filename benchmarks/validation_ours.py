"""Ours, in a process of its own: `validation_ours.py FOLDER`. Every rule, drift, and example rows of what fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
from evaluation_clock import Clock
from validation_rules import SCHEMA

from gatewright.rules.data import judge_data
from gatewright.rules.data_reference import Reference


def main() -> None:
    folder = Path(sys.argv[1])
    told = json.loads((folder / "reference.json").read_bytes())
    assert SCHEMA.drift is not None
    pl.select(pl.lit(1)).lazy().collect(engine="streaming")  # the engine's threads are not the work
    clock = Clock()
    reference = Reference(called="made-up", digest="", rows=told["rows"], stats=told["stats"], drift=SCHEMA.drift)
    judged = judge_data(SCHEMA, pl.scan_parquet(folder / "data.parquet"), label="label", reference=reference)
    counts = {f"{found.column} {found.rule}": found.count for found in judged.violations}
    assert judged.drift is not None
    drift = {column.name: column.psi for column in judged.drift.columns if column.psi is not None}
    clock.say({"counts": counts, "drift": drift})


if __name__ == "__main__":
    main()
