"""Traffic as evaluation rows will be: an id of its own in every row, columns of the types that the schema declares."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from gatewright.domain.errors import UnusableInput
from gatewright.rules.schema import Schema, accepts, family
from gatewright.rules.types import type_name

if TYPE_CHECKING:
    import polars as pl

_WIDTHS = {"int": "int64", "float": "float64"}


def identified(rows: pl.DataFrame, request: str, id: str, schema: Schema | None) -> pl.DataFrame:
    """`rows` with the column `id` made of that of the request.

    Where the schema file says that ids are whole numbers, it is the first 62 bits of BLAKE2b of the request's id.
    """
    import polars as pl

    declared = schema.columns[id].type if schema and id in schema.columns else "string"
    names = rows[request]
    if family(declared) == "int":
        bits = 30 if declared in ("int32", "uint32") else 62
        numbers = [int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) >> (64 - bits) for name in names]
        names = pl.Series(id, numbers, dtype=pl.Int64)
    return rows.drop(request).with_columns(names.alias(id))


def typed(rows: pl.DataFrame, schema: Schema | None) -> pl.DataFrame:
    """`rows` with whole numbers where the schema says so; a column with other values stays as it is."""
    import polars as pl

    changed = []
    for name, column in (schema.columns if schema else {}).items():
        if name not in rows.columns or accepts(column.type, type_name(rows[name].dtype)):
            continue
        target = _dtype(_WIDTHS.get(column.type, column.type))
        if target is None or not rows[name].dtype.is_numeric():
            continue
        cast = rows[name].cast(target, strict=False)
        if cast.cast(pl.Float64).equals(rows[name].cast(pl.Float64), null_equal=True):
            changed.append(cast)
    return rows.with_columns(changed)


def check_ids(rows: pl.DataFrame, id: str) -> None:
    """UnusableInput unless each row has an id of its own."""
    if id not in rows.columns:
        raise UnusableInput(
            f"the traffic has no column {id}, which identifies a row (evaluation.id)",
            fix=f"there are: {', '.join(rows.columns[:30])}",
        )
    if gaps := rows[id].null_count():
        raise UnusableInput(f"{gaps:,} rows of the traffic have no {id}", fix="give each row an id")
    if doubled := rows.height - rows[id].n_unique():
        raise UnusableInput(f"{doubled:,} rows of the traffic repeat an {id}", fix="give each row an id of its own")


def _dtype(name: str) -> pl.DataType | None:
    import polars as pl

    kinds: dict[str, pl.DataType] = {
        "int8": pl.Int8(), "int16": pl.Int16(), "int32": pl.Int32(), "int64": pl.Int64(),
        "uint8": pl.UInt8(), "uint16": pl.UInt16(), "uint32": pl.UInt32(), "uint64": pl.UInt64(),
        "float32": pl.Float32(), "float64": pl.Float64(),
    }  # fmt: skip
    return kinds.get(name)
