"""Data files, looked at: their columns, and what the label holds."""

from __future__ import annotations

from pathlib import Path

from gatewright.domain.adoption import DataTable, LabelFacts, TableColumn
from gatewright.effects.files import safe_join
from gatewright.rules.adoption.columns import FEW_CLASSES


def table_of(root: Path, path: str) -> DataTable:
    """The columns of the data file at `path`; DataError for a file that is no table with rows."""
    from gatewright.effects.tables import reading, scan
    from gatewright.rules.schema import family
    from gatewright.rules.schema_guesses import guess

    place = safe_join(root, path)
    with reading(place):
        rows, guesses = guess(scan(place).frame)
    columns = tuple(
        TableColumn(
            name=each.name,
            kind=family(each.stored),
            nulls=each.nulls,
            distinct=each.distinct,
            values=each.values,
            sensitive=each.sensitive,
            personal=each.personal,
        )
        for each in guesses
    )
    return DataTable(path=path, rows=rows, columns=columns)


def label_facts(root: Path, path: str, label: str) -> LabelFacts | None:
    """What the label holds; None for a column that is no label as it is: text, or with empty values."""
    import polars as pl

    from gatewright.effects.tables import reading, scan

    place = safe_join(root, path)
    with reading(place):
        values = scan(place).frame.select(pl.col(label)).collect()[label]
    if values.null_count() or not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        return None
    kinds = values.n_unique()
    if values.dtype.is_float() or kinds > FEW_CLASSES:
        spread = values.cast(pl.Float64).std(ddof=0)
        return LabelFacts(task="regression", floor=float(spread) if isinstance(spread, float) else 0.0)
    counts = values.cast(pl.Int64).value_counts().sort(label)
    most = counts["count"].max()
    return LabelFacts(
        task="binary" if kinds == 2 else "multiclass",
        classes=tuple(counts[label].to_list()),
        floor=(most if isinstance(most, int) else 0) / values.len(),
    )
