"""The numbers of a data difference as people read them, in a terminal and in a comment. Pure."""

from __future__ import annotations

from gatewright.rules.data_diff import ColumnDifference, DataDifference
from gatewright.stats.psi import WARN

_NULLS = 0.001


def counted(found: DataDifference) -> tuple[str, str]:
    """Rows before, and rows now with those that came and went."""
    change = found.change
    parts = [f"+{change.rows_added:,}"] if change.rows_added is not None else []
    parts += [f"−{change.rows_removed:,}"] if change.rows_removed is not None else []
    return f"{found.before.rows:,}", f"{found.now.rows:,}" + (f" ({', '.join(parts)})" if parts else "")


def shifted(found: DataDifference) -> list[ColumnDifference]:
    """The columns that people should see: another type, other nulls, or a PSI from the first warning on."""
    return [
        column
        for column in found.columns
        if column.types[0] != column.types[1]
        or abs((column.nulls[0] or 0.0) - (column.nulls[1] or 0.0)) >= _NULLS
        or (column.moved is not None and column.moved.value >= WARN)
    ]


def types(column: ColumnDifference) -> str:
    """`int16`, `int16 → int32`, `int16 → gone`, `new: int16`."""
    before, now = column.types
    if before == now:
        return str(now)
    if before is None:
        return f"new: {now}"
    return f"{before} → {now or 'gone'}"


def share(value: float | None) -> str:
    """A share in per cent; a dash where it is not known."""
    return "–" if value is None else f"{value:.2%}"


def rate(value: float | None) -> str:
    """A label rate; a dash where it is not known."""
    return "–" if value is None else f"{value:.4f}"


def group_rows(found: DataDifference) -> list[tuple[str, ...]]:
    """Group, rows before and now, label rates before and now."""
    rows = []
    for group in found.groups:
        counts = ("–" if n is None else f"{n:,}" for n in group.rows)
        rows.append((f"{group.column}={group.value}", *counts, *map(rate, group.rates)))
    return rows
