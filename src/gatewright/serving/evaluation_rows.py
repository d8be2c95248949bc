"""The evaluation rows: read in file order, checked before any model sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.domain.errors import UnusableInput
from gatewright.effects.standing import FORMATS
from gatewright.effects.tables import reading, scan
from gatewright.rules.measuring.prediction_rows import RESERVED


def read_rows(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """These columns of a parquet or CSV file, or of all of them in a folder in the order of their names."""
    files = sorted(file for file in path.glob("*") if file.suffix in FORMATS) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UnusableInput(f"{path} holds no parquet or CSV file", fix="check the evaluation data version")
    tables = [(_read_csv if file.suffix == ".csv" else _read)(file, columns) for file in files]
    try:
        rows = pl.concat(tables, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise UnusableInput(
            f"the files of {path} do not fit together: {error}", fix="use one type per column"
        ) from error
    if rows.height == 0:
        raise UnusableInput(f"{path} holds no row", fix="check the evaluation data version")
    return rows


def check_kept(keep: Sequence[str], sources: Mapping[str, str]) -> None:
    """UnusableInput when a column to keep has the name of one of ours; `sources` are what ours are made of."""
    if clash := [name for name in keep if name in RESERVED and sources.get(name) != name]:
        raise UnusableInput(
            f"the column {clash[0]} cannot be kept: the output has its own", fix="rename it in the data"
        )


def check_ids(rows: pl.DataFrame, id: str) -> None:
    """UnusableInput unless every row has an id of its own."""
    _check_filled(rows, id)
    if doubled := rows.height - rows[id].n_unique():
        example = rows.filter(rows[id].is_duplicated())[id][0]
        raise UnusableInput(
            f"{doubled:,} values of {id} occur again, for example {example!r}", fix="remove doubled rows"
        )


def check_labels(rows: pl.DataFrame, label: str, classes: Sequence[int] | None) -> None:
    """UnusableInput unless every row has a label: one of `classes`, or any finite number without them."""
    _check_filled(rows, label)
    if classes is None:
        numeric = rows[label].dtype.is_numeric()
        if not numeric or not rows[label].cast(pl.Float64).is_finite().all():
            found = "has numbers that are not finite" if numeric else f"is {rows[label].dtype}"
            raise UnusableInput(f"{label} {found}; allowed: finite numbers", fix="is it the right label column?")
        return
    if not rows[label].dtype.is_integer() and rows[label].dtype != pl.Boolean:
        raise UnusableInput(f"{label} is {rows[label].dtype}; allowed: integers", fix="encode labels as the classes")
    strange = rows.select(pl.col(label).cast(pl.Int64)).filter(~pl.col(label).is_in(list(classes)))
    if strange.height:
        raise UnusableInput(
            f"{strange.height:,} labels are no class of the model, for example {strange[label][0]}; "
            f"allowed: {', '.join(map(str, classes))}",
            fix="is it the right label column, and the right evaluation set?",
        )


def to_matrix(rows: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """(rows, names) as float64, null as NaN; UnusableInput for a column that is no number."""
    for name in names:
        if not rows[name].dtype.is_numeric() and rows[name].dtype != pl.Boolean:
            raise UnusableInput(
                f"the input {name} is {rows[name].dtype} in the evaluation rows; allowed: numbers",
                fix="encode it as in training",
            )
    # Row-major, so that one row is one piece of memory, as in a request.
    return np.ascontiguousarray(rows.select(pl.col(list(names)).cast(pl.Float64)).to_numpy())


def _check_filled(rows: pl.DataFrame, column: str) -> None:
    if nulls := rows[column].null_count():
        raise UnusableInput(f"{nulls:,} rows have no {column}", fix="every evaluation row needs an id and a label")


def _read_csv(file: Path, columns: Sequence[str]) -> pl.DataFrame:
    frame = scan(file).frame
    _check_present(file, frame.collect_schema(), columns)
    with reading(file):
        return frame.select(columns).collect()


def _check_present(file: Path, present: Mapping[str, pl.DataType], columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in present]:
        raise UnusableInput(
            f"{file} lacks the columns {', '.join(missing)}", fix="check evaluation in gatewright.yaml, and the data"
        )


def _read(file: Path, columns: Sequence[str]) -> pl.DataFrame:
    try:
        _check_present(file, pl.read_parquet_schema(file), columns)
        return pl.read_parquet(file, columns=list(columns), glob=False, hive_partitioning=False).select(columns)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnusableInput(f"{file} is no readable parquet file: {error}", fix="restore the file") from error
