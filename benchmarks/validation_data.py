"""A made-up table of 20 columns with planted faults, the same at every run: `validation_data.py FOLDER ROWS`.

Writes FOLDER/data.parquet, FOLDER/faults.json (column and rule → rows that break it, no fewer and no more) and
FOLDER/reference.json: what a pointer file would tell of a clean table of 200,000 rows.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from validation_rules import SCHEMA, SCHOOLS, WORDS

from gatewright.rules.profile import describe

_PIECE = 1 << 20
_ROW_GROUP = 1 << 18
_PER_PIECE = 97
_REFERENCE_ROWS = 200_000
_EPOCH = date(2000, 1, 1)


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    clean = _piece(0, _REFERENCE_ROWS, np.random.default_rng([2019, 0]))
    stats = describe(clean.lazy(), SCHEMA, label="label")
    (folder / "reference.json").write_text(json.dumps({"rows": _REFERENCE_ROWS, "stats": stats}), encoding="utf-8")
    faults: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for number, start in enumerate(range(0, rows, _PIECE)):
            rng = np.random.default_rng([2020, number])
            piece = _dirty(_piece(start, min(_PIECE, rows - start), rng), rng, faults)
            piece.write_parquet(Path(scratch) / f"{number:05}.parquet")
        pl.scan_parquet(Path(scratch) / "*.parquet").sink_parquet(folder / "data.parquet", row_group_size=_ROW_GROUP)
    (folder / "faults.json").write_text(json.dumps(faults), encoding="utf-8")


def _piece(start: int, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    joined = rng.integers(0, 6000, rows)
    words = {name: pl.Series(rng.integers(0, len(known), rows)) for name, known in WORDS.items()}
    frame = pl.DataFrame(
        {
            "id": np.arange(start, start + rows),
            "age": rng.integers(0, 96, rows).astype(np.int16),
            "hours": rng.integers(1, 99, rows).astype(np.int8),
            "weeks": rng.integers(1, 53, rows).astype(np.int8),
            "visits": rng.poisson(30, rows).astype(np.int32),
            "income": rng.lognormal(10, 1, rows),
            "score": rng.random(rows).astype(np.float32),
            "weight": rng.gamma(2.0, 50.0, rows),
            "height": rng.normal(1.7, 0.1, rows).clip(0.4, 2.5),
            "sex": rng.integers(1, 3, rows).astype(np.int8),
            "race": rng.integers(1, 10, rows).astype(np.int8),
            "member": rng.random(rows) < 0.4,
            "label": (rng.random(rows) < 0.45).astype(np.int8),
            "_joined": joined,
            "_left": joined + rng.integers(0, 3000, rows),
            "_postcode": rng.integers(10_000, 99_999, rows),
            "_empty": rng.random(rows),
        }
    )
    named = [words[name].replace_strict(range(len(known)), known).alias(name) for name, known in WORDS.items()]
    return (
        frame.with_columns(
            pl.when(pl.col("_empty") > 0.05).then("hours").alias("hours"),
            pl.when(pl.col("_empty") < 0.98).then("score").alias("score"),
            pl.col("_postcode").cast(pl.String).alias("postcode"),
            (pl.lit(_EPOCH) + pl.duration(days="_joined")).cast(pl.Date).alias("joined"),
            (pl.lit(_EPOCH) + pl.duration(days="_left")).cast(pl.Date).alias("left_on"),
            *named,
        )
        .drop("_joined", "_left", "_postcode", "_empty")
        .select(list(SCHEMA.columns))
    )


def _dirty(frame: pl.DataFrame, rng: np.random.Generator, faults: dict[str, int]) -> pl.DataFrame:
    """Each fault in rows of its own, so that no two of them meet."""
    wrong = {
        "id duplicate": pl.col("id").first(),
        "age range": pl.lit(130, pl.Int16),
        "hours range": pl.lit(120, pl.Int8),
        "weeks range": pl.lit(-1, pl.Int8),
        "visits range": pl.lit(-5, pl.Int32),
        "income range": pl.lit(-1.0),
        "score range": pl.lit(1.5, pl.Float32),
        "weight nan": pl.lit(float("nan")),
        "height infinite": pl.lit(float("inf")),
        "sex enum": pl.lit(3, pl.Int8),
        "race null": pl.lit(None, pl.Int8),
        "region enum": pl.lit("ATLANTIS"),
        "marital null": pl.lit(None, pl.String),
        "school enum": pl.lit(SCHOOLS[0].upper()),
        "postcode regex": pl.lit("ABCDE"),
        "member null": pl.lit(None, pl.Boolean),
        " leaves after joining": pl.col("joined") - pl.duration(days=1),
    }
    count = min(_PER_PIECE, frame.height // (2 * len(wrong)))
    chosen = 1 + rng.choice(frame.height - 1, size=count * len(wrong), replace=False)
    changed = []
    for number, (name, value) in enumerate(wrong.items()):
        rows = chosen[number * count : (number + 1) * count]
        column = name.partition(" ")[0] or "left_on"
        mark = pl.Series(np.isin(np.arange(frame.height), rows))
        dtype = frame.schema[column]
        changed.append(pl.when(mark).then(value.cast(dtype)).otherwise(pl.col(column)).alias(column))
        # An infinite height is out of its range, too.
        for told in ("height infinite", "height range") if name == "height infinite" else (name,):
            faults[told] = faults.get(told, 0) + count
    return frame.with_columns(changed)


if __name__ == "__main__":
    main()
