"""Which rows belong to which slice, what a slice is called, and how many of its rows carry a flag."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput
from gatewright.domain.project import SliceSpec

if TYPE_CHECKING:
    import polars as pl

MOST_SLICES = 1000
_AMBIGUOUS = ("&", "=", "[", "<", ">", '"')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """What rows of a slice share: an expression over the rows, and the name of each of its values."""

    column: str
    value: pl.Expr
    named: Callable[[Any], str]


def count(rows: pl.DataFrame, flags: Sequence[str], spec: SliceSpec) -> Iterator[tuple[str, dict[str, int]]]:
    """Per slice of `spec`, in the order of the values: its name and {"rows": …, flag: rows where it is true, …}.

    `rows`: the columns of `spec` and the boolean columns `flags`. UnusableInput for bins that do not fit the column,
    and for more than 1,000 slices.
    """
    import polars as pl

    keys = _keys(rows, spec)
    sums = [pl.len().alias("rows"), *(pl.col(flag).sum() for flag in flags)]
    names = [f"key:{key.column}" for key in keys]
    table = rows.group_by([key.value.alias(name) for key, name in zip(keys, names, strict=True)]).agg(sums)
    if table.height > MOST_SLICES:
        raise UnusableInput(
            f"{' & '.join(spec.columns)} makes {table.height:,} slices; at most {MOST_SLICES:,} are measured",
            fix="slice by a column with fewer values, or give it bins",
        )
    for row in table.sort(names, nulls_last=True).iter_rows(named=True):
        name = " & ".join(key.named(row.pop(column)) for key, column in zip(keys, names, strict=True))
        yield name, row


def total(rows: pl.DataFrame, flags: Sequence[str]) -> dict[str, int]:
    """{"rows": …, flag: rows where it is true, …} of all rows."""
    return {"rows": rows.height, **{flag: int(rows[flag].sum()) for flag in flags}}


def shown(value: Any) -> str:
    """A value in the name of a slice: whole numbers without a point, text as it is unless that could be misread."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case str() if value in ("", "null") or value != value.strip() or any(c in value for c in _AMBIGUOUS):
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _keys(rows: pl.DataFrame, spec: SliceSpec) -> list[_Key]:
    if spec.bins is None:
        return [_plain(rows, column) for column in spec.columns]
    column = spec.columns[0]
    if len(spec.columns) != 1 or not rows[column].dtype.is_numeric():
        raise UnusableInput(
            f"bins need one numeric column, not {' & '.join(spec.columns)} ({rows[column].dtype})",
            fix="see evaluation.slices",
        )
    if any(low >= high for low, high in pairwise(spec.bins)):
        raise UnusableInput(f"the bins of {column} do not ascend: {list(spec.bins)}", fix="sort them")
    return [_binned(rows, column, spec.bins)]


def _plain(rows: pl.DataFrame, column: str) -> _Key:
    return _Key(column=column, value=_without_nan(rows, column), named=lambda value: f"{column}={shown(value)}")


def _binned(rows: pl.DataFrame, column: str, bins: Sequence[float]) -> _Key:
    """Intervals [low, high), and what lies below the first and from the last edge on."""
    import polars as pl

    edges = [shown(edge) for edge in bins]
    names = [f"{column}<{edges[0]}"]
    names += [f"{column}=[{low},{high})" for low, high in pairwise(edges)]
    names += [f"{column}>={edges[-1]}"]
    value = _without_nan(rows, column)
    passed = pl.sum_horizontal([value.ge(edge).cast(pl.Int32) for edge in bins], ignore_nulls=False)
    return _Key(
        column=column,
        value=passed,
        named=lambda index: f"{column}=null" if index is None else names[index],
    )


def _without_nan(rows: pl.DataFrame, column: str) -> pl.Expr:
    import polars as pl

    return pl.col(column).fill_nan(None) if rows[column].dtype.is_float() else pl.col(column)
