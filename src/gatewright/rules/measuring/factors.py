"""Columns as small whole numbers: every row's value becomes a code, and the codes know what they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

MOST_VALUES = 1000
"""A column with more values than this makes more slices than anybody reads."""
_WIDEST = 1 << 12
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
_OF_MANY_ROWS = re.compile(r"\b(over|select)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One whole number per row (int64), and the value that each number stands for (None: missing)."""

    codes: NDArray[np.int64]
    values: tuple[Any, ...]


def by_value(series: pl.Series) -> Factor:
    """The values themselves; NaN counts as missing. UnusableInput for more than 1,000 of them, and for lists."""
    import polars as pl

    if series.dtype.is_float():
        series = series.fill_nan(None)
    if series.dtype == pl.Boolean:
        return _numbered(series.cast(pl.Int64), (False, True))
    if span := _span(series):
        return _numbered(series.cast(pl.Int64), tuple(range(span[0], span[1] + 1)), span[0])
    return _looked_up(series)


def by_interval(series: pl.Series, edges: Sequence[float]) -> Factor:
    """How many of `edges` a value has reached: 0 below the first; missing values have None."""
    import numpy as np

    if not series.dtype.is_numeric():
        raise UnusableInput(f"bins need one numeric column, not {series.name} ({series.dtype})", fix="remove the bins")
    if series.dtype.is_float():
        series = series.fill_nan(None)
    reached = tuple(range(len(edges) + 1))
    if _span(series) is not None:
        whole = by_value(series)
        held = [len(reached) if value is None else sum(value >= edge for edge in edges) for value in whole.values]
        codes = np.array(held, dtype=np.int64)[whole.codes]
    else:
        values = series.fill_null(0).to_numpy()
        codes = np.zeros(len(values), dtype=np.int64)
        for edge in edges:
            codes += values >= edge
        if series.null_count():
            codes[series.is_null().to_numpy()] = len(reached)
    return Factor(codes=codes, values=(*reached, None) if series.null_count() else reached)


def by_condition(rows: pl.DataFrame, where: str) -> Factor:
    """Whether the SQL expression `where` holds; what is unknown does not. UnusableInput unless it is a condition."""
    import numpy as np
    import polars as pl

    try:
        held = rows.select(pl.sql_expr(where).alias("held"))["held"]
    except pl.exceptions.PolarsError as error:
        raise _no_condition(where, str(error)) from error
    if held.dtype != pl.Boolean:
        raise _no_condition(where, f"its values are {held.dtype}, not true or false")
    return Factor(codes=held.fill_null(False).to_numpy().astype(np.int64), values=(False, True))


def columns_of(where: str) -> tuple[str, ...]:
    """The columns that an SQL expression names; UnusableInput for text that is no expression over one row."""
    import polars as pl

    from gatewright.rules.expressions import harm

    # The parser itself would run a subquery, which can read files.
    if _OF_MANY_ROWS.search(_TEXT.sub("", where)):
        raise _no_condition(where, "it looks at more than one row")
    if why := harm(where, any_function=True):
        raise _no_condition(where, f"it {why}")
    try:
        meta = pl.sql_expr(where).meta
        # A streamed set never has all its rows at hand: one row alone must decide.
        of_many = '"Agg"' in meta.serialize(format="json")
        names = tuple(dict.fromkeys(meta.root_names()))
    except pl.exceptions.PolarsError as error:
        raise _no_condition(where, str(error)) from error
    if of_many:
        raise _no_condition(where, "it looks at more than one row")
    if not names:
        raise _no_condition(where, "it names no column")
    return names


def too_many(name: str, count: int) -> UnusableInput:
    """The error for `name`, by which there would be `count` slices."""
    return UnusableInput(
        f"{name} makes {count:,} slices; at most {MOST_VALUES:,} are measured",
        fix="slice by a column with fewer values, or give it bins",
    )


def _span(series: pl.Series) -> tuple[int, int] | None:
    """The least and the largest of whole numbers that lie close together."""
    if not series.dtype.is_integer():
        return None
    low, high = series.min(), series.max()
    if isinstance(low, int) and isinstance(high, int) and high - low < _WIDEST and high < 1 << 62:
        return low, high
    return None


def _numbered(series: pl.Series, values: tuple[Any, ...], low: int = 0) -> Factor:
    """Whole numbers that are their own codes, counted from `low`."""
    if series.null_count():
        return Factor(codes=series.fill_null(low + len(values)).to_numpy() - low, values=(*values, None))
    codes = series.to_numpy()
    return Factor(codes=codes - low if low else codes, values=values)


def _looked_up(series: pl.Series) -> Factor:
    import numpy as np
    import polars as pl

    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        raise UnusableInput(
            f"the column {series.name} is {series.dtype}: no slice can be made of it", fix="slice by plain values"
        )
    if isinstance(series.dtype, (pl.Categorical, pl.Enum)):
        series = series.cast(pl.String)
    unique = series.drop_nulls().unique()
    if len(unique) > MOST_VALUES:
        raise too_many(series.name, len(unique))
    unique = unique.sort()
    if series.dtype == pl.String:
        found = series.cast(pl.Enum(unique)).to_physical().cast(pl.Int64)
    elif len(unique):
        found = series.replace_strict(unique, pl.Series(range(len(unique)), dtype=pl.Int64), default=None)
    else:
        return Factor(codes=np.zeros(len(series), dtype=np.int64), values=(None,))
    return _numbered(found, tuple(unique.to_list()))


def _no_condition(where: str, why: str) -> UnusableInput:
    first = why.strip().partition("\n")[0]
    return UnusableInput(
        f"where: {where!r} is no condition on a row: {first}", fix='write it like "AGE < 30 AND SEX = 2"'
    )
