"""Column types by our own names, so that no name of a library's version gets into a pointer file."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

_NAMES = {
    pl.Int8: "int8", pl.Int16: "int16", pl.Int32: "int32", pl.Int64: "int64",
    pl.UInt8: "uint8", pl.UInt16: "uint16", pl.UInt32: "uint32", pl.UInt64: "uint64",
    pl.Float32: "float32", pl.Float64: "float64",
    pl.String: "string", pl.Categorical: "category", pl.Enum: "category",
    pl.Boolean: "bool", pl.Date: "date", pl.Datetime: "datetime",
}  # fmt: skip
_DTYPES: dict[str, pl.DataType] = {
    **{name: dtype() for dtype, name in _NAMES.items() if name.startswith(("int", "uint", "float"))},
    "int": pl.Int64(),
    "float": pl.Float64(),
}
_WORDS = {"true": True, "false": False}


def type_name(dtype: pl.DataType) -> str:
    """`int16`, `string`, `datetime`, …; what has no name of ours keeps polars' in lower case (`list(int64)`)."""
    return _NAMES.get(dtype.base_type(), str(dtype).lower())


def dtype_of(declared: str) -> pl.DataType:
    """A type that holds the values of a schema type."""
    plain = {"string": pl.String(), "bool": pl.Boolean(), "date": pl.Date(), "datetime": pl.Datetime("us", "UTC")}
    return plain.get(declared) or _DTYPES[declared]


def stored_columns(frame: pl.LazyFrame) -> dict[str, str]:
    """Column → type of a table, in the order of its columns."""
    return {name: type_name(dtype) for name, dtype in frame.collect_schema().items()}


def as_type(text: pl.Expr, declared: str) -> pl.Expr:
    """Text (of a CSV file) as values of a schema type; null where it cannot be read as one.

    bool is `true` or `false`; date is 2026-01-31; datetime is a date, or 2026-01-31T12:00:00 (or with a space) and
    perhaps a zone, else UTC.
    """
    match declared:
        case "string":
            return text
        case "bool":
            return text.replace_strict(_WORDS, default=None, return_dtype=pl.Boolean())
        case "date":
            return text.str.to_date("%Y-%m-%d", strict=False)
        case "datetime":
            return _moments(text)
    return text.cast(_DTYPES[declared], strict=False)


def _moments(text: pl.Expr) -> pl.Expr:
    plain = text.str.replace("T", " ", literal=True)
    zoned = plain.str.replace(r"Z$", "+00:00").str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", strict=False, time_unit="us")
    naive = plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    day = plain.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
    return pl.coalesce(zoned, pl.coalesce(naive, day).dt.replace_time_zone("UTC"))


def example(value: object) -> str:
    """One value as it is shown in a message: short, quoted if text, without control characters."""
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def counted(counts: Mapping[object, int]) -> dict[str, int]:
    """Values and how often they occur, the frequent ones first, as JSON wants its keys: text."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return {_key(value): count for value, count in ordered}


def _key(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
