"""Bad input, the list of data: what `gatewright data add` refuses, and what `validate` finds against the schema."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from tests.fixtures.toy import people

LISTED = (
    "empty", "header only", "missing column", "extra column", "reordered column", "type change", "all-null",
    "doubled rows", "mixed encodings", "one class only", "truncated parquet", "no data file",
)  # fmt: skip
PEOPLE = people(100)
CODES = {"add": 2, "validate": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadData:
    """A file below data/; `at` is the command that tells it (exit 2 for bytes, 1 for a breach of the schema)."""

    name: str
    file: str
    data: bytes
    at: str
    says: str


def refused(name: str, file: str, data: bytes, says: str) -> BadData:
    return BadData(name=name, file=file, data=data, at="add", says=f"data/{file}{says}")


def breaches(name: str, damage: Callable[[pl.DataFrame], pl.DataFrame], says: str) -> tuple[BadData, BadData]:
    """The same breach in both formats."""
    frame = damage(PEOPLE)
    return tuple(  # type: ignore[return-value]
        BadData(name=name, file=f"new.{kind}", data=data, at="validate", says=says)
        for kind, data in (("parquet", parquet(frame)), ("csv", frame.write_csv().encode()))
    )


def parquet(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_parquet(target)
    return target.getvalue()


def with_word(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(AGE=pl.when(id=3).then(pl.lit("old")).otherwise(pl.col("AGE").cast(pl.String)))


CSV = PEOPLE.write_csv().encode()
WHOLE = parquet(PEOPLE)
ROWS = (
    refused("empty", "new.csv", b"", ": the file is empty"),
    refused("empty", "new.parquet", b"", ": the file is empty"),
    refused("header only", "new.csv", b"id,AGE\n", ":1: there is a header, but no rows"),
    refused("header only", "new.parquet", parquet(PEOPLE.clear()), ": there are columns, but no rows"),
    *breaches("missing column", lambda rows: rows.drop("SEX"), "SEX: missing: 100 of 100 rows; allowed: a column of"),
    *breaches("extra column", lambda rows: rows.with_columns(x=1), "x: extra: 100 of 100 rows; allowed: only columns"),
    *breaches("reordered column", lambda rows: rows.select(*reversed(rows.columns)), ""),
    *breaches("type change", with_word, "AGE: type: "),
    *breaches(
        "all-null", lambda rows: rows.with_columns(AGE=pl.lit(None, pl.Int64)), "AGE: null: 100 of 100 rows; all"
    ),
    *breaches("doubled rows", lambda rows: pl.concat([rows, rows]), "id: duplicate: 100 of 200 rows; allowed: each va"),
    refused("mixed encodings", "new.csv", CSV + b"7,30,1,\xe9,0\n", ":102: byte 0xe9 is not UTF-8"),
    refused("mixed encodings", "new.csv", CSV + "7,é\n".encode("utf-16-le"), ":102: "),
    refused("mixed encodings", "new.csv", CSV.decode().encode("utf-16"), ":1: the file is UTF-16, not UTF-8"),
    *breaches(
        "one class only",
        lambda rows: rows.with_columns(employed=pl.lit(1, pl.Int64)),
        "employed: classes: 100 of 100 rows; allowed: two or more values",
    ),
    refused("truncated parquet", "new.parquet", WHOLE[: len(WHOLE) // 2], ": cannot be read: "),
    refused("truncated parquet", "new.parquet", WHOLE[:-4], ": cannot be read: "),
    refused("truncated parquet", "new.parquet", CSV, ": cannot be read: "),
    refused("no data file", "new.pkl", b"\x80\x04.", ": there is no data file; their names end in .parquet or .csv"),
)

BAD_SCHEMAS = (
    ("empty", "", ":1:1: the file is empty"),
    (
        "no as a boolean",
        "columns: {a: {type: int, nullable: no}}",
        ":1:36: columns.a.nullable: 'no' is not true or fal",
    ),
    (
        "min > max",
        "columns: {a: {type: int, range: [9, 1]}}",
        ":1:33: columns.a.range: the lower end 9 is greater than",
    ),
    (".nan", "columns: {a: {type: int, range: [.nan, 1]}}", ":1:34: columns.a.range[0]: '.nan' is not a "),
    ("unknown key", "columns: {a: {typ: int}}", ":1:15: columns.a: unknown word 'typ': did you mean 'type'?"),
    ("duplicate keys", "columns: {a: {type: int}, a: {type: int}}", ":1:27: the key 'a' stands twice: first in line 1"),
    ("alias bomb", "columns: {a: &x {type: int}, b: *x}", ":1:14: the anchor &x is not allowed"),
    ("a pattern", "columns: {a: {type: string, regex: '('}}", ":1:36: columns.a.regex: is no regular expression: "),
)
