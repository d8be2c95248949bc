"""Rows in strata: by the values of columns, and by how unsure the model is of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

UNCERTAINTY = "uncertainty"
_MOST_VALUES = 12
_QUARTERS = (0.25, 0.5, 0.75)
_UNSURE = (0.2, 0.4, 0.55, 0.7, 0.8, 0.9)
"""Most errors are among the rows that a model is least sure of: there the strata are narrow."""
_OTHER = "other"
MOST_STRATA = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """The stratum of each row (rows,) as a place in `names`."""

    codes: NDArray[np.int64]
    names: tuple[str, ...]


def stratified(traffic: pl.DataFrame, columns: Sequence[str], unsure: pl.Series | None = None) -> Strata:
    """Strata by the joint values of `columns`, and by seven quantiles of `unsure`, where it is given.

    A column with more than twelve values is cut at its quartiles if it is a number; of texts the most frequent stay and
    the others are one. UnusableInput for a column that is not there, and for more than 200 strata.
    """
    import polars as pl

    if missing := [name for name in columns if name not in traffic.columns]:
        raise UnusableInput(
            f"the traffic has no column {', '.join(missing)} to stratify by",
            fix=f"there are: {', '.join(traffic.columns[:30])}",
        )
    parts = [_labels(traffic[name], name) for name in columns]
    if unsure is not None:
        parts.append(_named(unsure, UNCERTAINTY, _cut(unsure, _UNSURE)))
    if not parts:
        parts = [pl.Series("all", ["all"] * traffic.height)]
    joint = pl.DataFrame([part.alias(str(index)) for index, part in enumerate(parts)])
    named = joint.select(pl.concat_str(pl.all(), separator=" & ").alias("name"))["name"]
    names = named.unique().sort()
    if len(names) > MOST_STRATA:
        raise UnusableInput(
            f"{', '.join(columns)} make {len(names):,} strata; at most {MOST_STRATA} can be filled",
            fix="stratify by fewer columns",
        )
    codes = named.cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy()
    return Strata(codes=codes, names=tuple(names.to_list()))


def _labels(series: pl.Series, name: str) -> pl.Series:
    """What the stratum of each row is called, as far as this column has a part in it."""
    import polars as pl

    if series.dtype.is_float():
        series = series.fill_nan(None)
    if series.dtype.is_nested() or series.dtype == pl.Binary:
        raise UnusableInput(f"the column {name} is {series.dtype}: no strata can be made of it", fix="leave it out")
    if series.n_unique() <= _MOST_VALUES:
        return _named(series, name, series.cast(pl.String))
    if series.dtype.is_numeric():
        return _named(series, name, _cut(series, _QUARTERS))
    texts = series.cast(pl.String)
    common = texts.drop_nulls().value_counts(sort=True).head(_MOST_VALUES - 1)[texts.name].to_list()
    kept = pl.DataFrame({"v": texts}).select(
        pl.when(pl.col("v").is_in(common)).then(pl.col("v")).otherwise(pl.lit(_OTHER)).alias("v")
    )["v"]
    return _named(series, name, kept)


def _named(series: pl.Series, name: str, values: pl.Series) -> pl.Series:
    import polars as pl

    frame = pl.DataFrame({"v": values, "there": series.is_not_null()})
    value = pl.when(pl.col("there")).then(pl.col("v")).otherwise(pl.lit("null"))
    return frame.select((pl.lit(f"{name}=") + value).alias("v"))["v"]


def _cut(series: pl.Series, shares: Sequence[float]) -> pl.Series:
    """Between which quantiles, at these shares, a number lies; told by their values."""
    import numpy as np
    import polars as pl

    values = series.cast(pl.Float64)
    found: list[Any] = [values.quantile(share, "lower") for share in shares]
    edges = sorted({float(edge) for edge in found if edge is not None})
    filled = values.fill_null(0.0).to_numpy()
    codes = np.searchsorted(np.array(edges), filled, side="left")
    ends = ["", *(f"{edge:.6g}" for edge in edges), ""]
    titles = [f"({ends[index]},{ends[index + 1]}]" if edges else "all" for index in range(len(edges) + 1)]
    return pl.Series(series.name, [titles[code] for code in codes.tolist()])
