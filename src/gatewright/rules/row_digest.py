"""The rows of a table as one number that does not depend on their layout: form `rows/1`, which pointer files hold.

Every value is a 64-bit word and a small tag; every cell of column `c` is, in two lanes of 64 bits,
`mix(word ^ seed) + tag * (seed | 1)`, where the lanes' seeds are bytes 0–7 and 8–15 (little-endian) of
sha256("gatewright rows/1\\0" + c). A row is, per lane, mix of the sum of its cells; a table is the sum of its rows, all
modulo 2**64. `mix` is the finaliser of SplitMix64 (Steele, Lea, Flood 2014; Stafford's constants "Mix13").

Values count, not their storage: 7 is the same as int8, int64 and float64; the order of rows and columns, the cut into
files and row groups, and the format of the file do not matter. Two tables with other rows agree with a chance of about
2**-128; it is no defence against somebody who looks for such tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.domain.lineage import RowCount, RowDigest
from gatewright.rules.schema import family
from gatewright.rules.types import type_name

Words = NDArray[np.uint64]
_FORM = b"gatewright rows/1\0"
_NULL, _FRACTION, _LARGE, _NANOSECOND = 1, 2, 3, 16
_WHOLE = 2.0**53  # below it every whole float is one integer, and back
_NAN = np.uint64(0x7FF8000000000000)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LANES = {"a": pl.UInt64(), "b": pl.UInt64()}


def digest_rows(frame: pl.LazyFrame, label: str | None = None) -> RowDigest:
    """The digest of all rows, and of all rows without their label, in one streaming pass."""

    def sums(batch: pl.DataFrame) -> pl.DataFrame:
        cells, labels = _cells(batch, label)
        lanes = [*(_mix(cell + mark) for cell, mark in zip(cells, labels, strict=True)), *map(_mix, cells)]
        return pl.DataFrame({str(number): [lane.sum(dtype=np.uint64)] for number, lane in enumerate(lanes)})

    schema = {str(number): pl.UInt64() for number in range(4)}
    parts = frame.map_batches(sums, schema=schema, streamable=True, validate_output_schema=False)
    totals = [0] * 4
    for row in parts.collect(engine="streaming").rows():
        totals = [(total + part) % 2**64 for total, part in zip(totals, row, strict=True)]
    whole, bare = (f"{totals[at]:016x}{totals[at + 1]:016x}" for at in (0, 2))
    known = label is not None and label in frame.collect_schema()
    return RowDigest(rows=whole, unlabelled=bare if known else None)


def count_rows(before: pl.LazyFrame, now: pl.LazyFrame, columns: Sequence[str]) -> RowCount:
    """Which rows, looked at in `columns` alone, are new and which are gone: exact, in one pass over both tables."""
    sides = [_hashed(frame, columns).with_columns(n=pl.lit(side, pl.Int64)) for frame, side in ((before, -1), (now, 1))]
    differ = pl.concat(sides).group_by("a", "b").agg(pl.col("n").sum())
    counts = differ.select(
        added=pl.col("n").filter(pl.col("n") > 0).sum(), removed=-pl.col("n").filter(pl.col("n") < 0).sum()
    ).collect(engine="streaming")
    added, removed = counts.row(0)
    return RowCount(added=int(added), removed=int(removed))


def row_hashes(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """`a` and `b`, the two lanes of each row looked at in `columns` alone, in the order of the rows."""
    return _hashed(frame, columns).collect(engine="streaming")


def _hashed(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    names = frame.collect_schema().names()
    chosen = frame.select(pl.nth(names.index(name)) for name in columns)

    def hashed(batch: pl.DataFrame) -> pl.DataFrame:
        cells, _ = _cells(batch, None)
        return pl.DataFrame(dict(zip(_LANES, map(_mix, cells), strict=True)))

    return chosen.map_batches(hashed, schema=_LANES, streamable=True, validate_output_schema=False)


def _cells(batch: pl.DataFrame, label: str | None) -> tuple[list[Words], list[Words]]:
    """Per lane the sum of each row's cells without the label, and the cell of the label (0 without one)."""
    cells, labels = ([np.zeros(batch.height, np.uint64) for _ in _LANES] for _ in range(2))
    for index, name in enumerate(batch.columns):
        words, tags = _words(batch.to_series(index))
        seeds = sha256(_FORM + name.encode()).digest()
        for lane, word in enumerate(words):
            seed = np.uint64(int.from_bytes(seeds[8 * lane : 8 * lane + 8], "little"))
            cell = _mix(word ^ seed)
            if tags is not None:
                cell += tags * (seed | np.uint64(1))
            sums = labels if name == label else cells
            sums[lane] += cell
    return cells, labels


def _mix(word: Words) -> Words:
    word = word ^ (word >> np.uint64(30))
    word *= _FIRST
    word ^= word >> np.uint64(27)
    word *= _SECOND
    return word ^ (word >> np.uint64(31))


def _words(values: pl.Series) -> tuple[tuple[Words, Words], Words | None]:
    """The values as words, one array per lane, and their tags (None: all 0)."""
    present = values.is_not_null().to_numpy() if values.null_count() else None
    match family(type_name(values.dtype)):
        case "int":
            word, tags = _integers(values)
        case "float":
            word, tags = _floats(values)
        case "bool":
            word, tags = values.fill_null(False).cast(pl.Int64).to_numpy().view(np.uint64), None
        case "date":
            word, tags = _physical(values), None
        case "datetime":
            word, tags = _moments(values)
        case _:
            words, tags = _texts(values), None
            return _without_nulls(words, tags, present)
    return _without_nulls((word, word), tags, present)


def _without_nulls(
    words: tuple[Words, Words], tags: Words | None, present: NDArray[np.bool_] | None
) -> tuple[tuple[Words, Words], Words | None]:
    if present is None:
        return words, tags
    first, second = (np.where(present, word, np.uint64(0)) for word in words)
    tags = np.zeros(len(first), np.uint64) if tags is None else tags
    return (first, second), np.where(present, tags, np.uint64(_NULL))


def _physical(values: pl.Series) -> Words:
    return values.to_physical().cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64)


def _integers(values: pl.Series) -> tuple[Words, Words | None]:
    if values.dtype == pl.UInt64:
        word = np.asarray(values.fill_null(0).to_numpy(), np.uint64)
        large = word >= np.uint64(2**63)
        return word, np.where(large, np.uint64(_LARGE), np.uint64(0)) if large.any() else None
    return values.cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64), None


def _floats(values: pl.Series) -> tuple[Words, Words | None]:
    number = np.array(values.cast(pl.Float64).fill_null(0.0).to_numpy(), np.float64)
    with np.errstate(invalid="ignore"):
        whole = (np.abs(number) < _WHOLE) & (number == np.floor(number))
    integers = np.where(whole, number, 0.0).astype(np.int64).view(np.uint64)
    if whole.all():
        return integers, None
    bits = np.where(np.isnan(number), _NAN, number.view(np.uint64))
    return np.where(whole, integers, bits), np.where(whole, np.uint64(0), np.uint64(_FRACTION))


def _moments(values: pl.Series) -> tuple[Words, Words | None]:
    """Microseconds since 1970 in UTC; what is left below a microsecond is the tag."""
    physical = values.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    match getattr(values.dtype, "time_unit", "us"):
        case "ms":
            return (physical * 1000).view(np.uint64), None
        case "ns":
            micros, rest = np.divmod(physical, 1000)
            tags = np.where(rest > 0, rest + _NANOSECOND, 0).astype(np.uint64)
            return micros.view(np.uint64), tags if rest.any() else None
    return physical.view(np.uint64), None


def _texts(values: pl.Series) -> tuple[Words, Words]:
    """sha256 of each different text (of the bytes of binary values, of Python's repr of nested ones), half a lane."""
    if family(type_name(values.dtype)) == "string":
        values = values.cast(pl.String)
    if values.dtype.is_nested() or values.dtype == pl.Object:
        raw = [repr(value).encode() for value in values.to_list()]
        return _halves([sha256(value).digest() for value in raw])
    different = values.unique(maintain_order=True).drop_nulls()
    raw = [value if isinstance(value, bytes) else str(value).encode() for value in different.to_list()]
    first, second = _halves([sha256(value).digest() for value in raw])
    if not len(different):
        return np.zeros(len(values), np.uint64), np.zeros(len(values), np.uint64)
    codes = values.replace_strict(different, pl.Series(range(len(different)), dtype=pl.UInt32), default=0)
    at = codes.to_numpy()
    return first[at], second[at]


def _halves(digests: Sequence[bytes]) -> tuple[Words, Words]:
    pairs = np.frombuffer(b"".join(digests), dtype="<u8").reshape(-1, 4)
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)
