"""Two versions of a data set side by side, from their pointer files alone: no byte of the data is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatewright.domain.lineage import DataVersion
from gatewright.rules.changes import DataChange, along
from gatewright.rules.data_drift import Moved, column_psi


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDifference:
    """One column: its types and shares of nulls before and now (None: not there), and how far its values moved."""

    name: str
    types: tuple[str | None, str | None]
    nulls: tuple[float | None, float | None]
    moved: Moved | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDifference:
    """Rows and label rate of one group of a sensitive column, before and now; None where it is not there."""

    column: str
    value: str
    rows: tuple[int | None, int | None]
    rates: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDifference:
    """All that differs; `untold` says in words what pointer files cannot tell."""

    before: DataVersion
    now: DataVersion
    change: DataChange
    columns: tuple[ColumnDifference, ...]
    label_rates: tuple[float | None, float | None]
    groups: tuple[GroupDifference, ...]
    untold: tuple[str, ...]


def difference(before: DataVersion, now: DataVersion, known: Mapping[str, DataVersion]) -> DataDifference:
    """What differs between two versions; `known` holds those of their set by id, for the way from one to the other."""
    columns = tuple(_columns(before, now))
    change = along(before, way(before, now, known.get))
    return DataDifference(
        before=before,
        now=now,
        change=change,
        columns=columns,
        label_rates=(_rate(before), _rate(now)),
        groups=tuple(_groups(before.stats.get("groups", {}), now.stats.get("groups", {}))),
        untold=tuple(_untold(change, columns)),
    )


def way(before: DataVersion, now: DataVersion, find: Callable[[str], DataVersion | None]) -> list[DataVersion]:
    """The versions after `before` up to `now`, each the parent of the next; only `now` when no such way is known.

    `find` gives the version of the set with an id.
    """
    path, seen = [now], {now.version}
    while path[0].parent not in (None, before.version):
        parent = find(path[0].parent or "")
        if parent is None or parent.version in seen:
            return [now]
        seen.add(parent.version)
        path.insert(0, parent)
    return path if path[0].parent == before.version else [now]


def _columns(before: DataVersion, now: DataVersion) -> Iterator[ColumnDifference]:
    old, new = before.stats.get("columns", {}), now.stats.get("columns", {})
    for name in dict.fromkeys((*before.schema, *now.schema)):
        yield ColumnDifference(
            name=name,
            types=(before.schema.get(name), now.schema.get(name)),
            nulls=(old.get(name, {}).get("nulls"), new.get(name, {}).get("nulls")),
            moved=column_psi(old.get(name, {}), new.get(name, {})),
        )


def _rate(version: DataVersion) -> float | None:
    rate: float | None = version.stats.get("label", {}).get("rate")
    return rate


def _groups(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[GroupDifference]:
    for column in dict.fromkeys((*before, *now)):
        old, new = before.get(column, {}), now.get(column, {})
        for value in dict.fromkeys((*old, *new)):
            here, there = old.get(value, {}), new.get(value, {})
            yield GroupDifference(
                column=column,
                value=value,
                rows=(here.get("rows"), there.get("rows")),
                rates=(here.get("rate"), there.get("rate")),
            )


def _untold(change: DataChange, columns: tuple[ColumnDifference, ...]) -> Iterator[str]:
    if change.rows_added is None:
        yield "how many rows were added and removed: that takes the rows themselves, or a version added to its parent"
    both = [column for column in columns if None not in column.types]
    if hidden := [column.name for column in both if column.moved is None]:
        yield f"how far values moved (unique, personal, or not in the statistics): {', '.join(hidden)}"
    if estimated := [column.name for column in both if column.moved and column.moved.estimated]:
        yield f"the exact PSI, as the histograms have other edges or leave out rare values: {', '.join(estimated)}"
