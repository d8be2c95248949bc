"""The same rules for pandera's polars backend over a LazyFrame: `validation_pandera.py FOLDER`. It knows no drift."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

os.environ["PANDERA_VALIDATION_DEPTH"] = "SCHEMA_AND_DATA"

import pandera.polars as pa
import polars as pl
from evaluation_clock import Clock
from pandera.errors import SchemaErrors
from validation_rules import CODES, NULLABLE, POSTCODE, RANGES, SCHEMA, WORDS

_TYPES = {
    "int64": pl.Int64, "int32": pl.Int32, "int16": pl.Int16, "int8": pl.Int8, "float64": pl.Float64,
    "float32": pl.Float32, "string": pl.String, "bool": pl.Boolean, "date": pl.Date,
}  # fmt: skip


def main() -> None:
    file = Path(sys.argv[1]) / "data.parquet"
    pl.select(pl.lit(1)).lazy().collect(engine="streaming")
    clock = Clock()
    counts: dict[str, int] = {}
    try:
        _schema().validate(pl.scan_parquet(file), lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.select("column", "check").rows()
        counts = dict(Counter(f"{column} {check}" for column, check in cases))
    clock.say({"counts": counts})


def _schema() -> Any:
    columns = {}
    for name, column in SCHEMA.columns.items():
        checks = []
        if name in RANGES:
            checks.append(pa.Check.in_range(*RANGES[name]))
        if name in CODES or name in WORDS:
            checks.append(pa.Check.isin([*CODES.get(name, ()), *WORDS.get(name, ())]))
        if name == "postcode":
            checks.append(pa.Check.str_matches(f"^(?:{POSTCODE})$"))
        columns[name] = pa.Column(_TYPES[column.type], checks=checks, nullable=name in NULLABLE, unique=column.unique)
    leaves = pa.Check(lambda data: data.lazyframe.select(pl.col("left_on") >= pl.col("joined")), name="leaves")
    return pa.DataFrameSchema(columns, checks=[leaves], strict=True)


if __name__ == "__main__":
    main()
