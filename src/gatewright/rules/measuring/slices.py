"""Which rows belong to which slice, and what a slice is called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput
from gatewright.domain.project import SliceSpec
from gatewright.rules.measuring.factors import Factor, by_condition, by_interval, by_value, columns_of

if TYPE_CHECKING:
    import polars as pl

_AMBIGUOUS = ("&", "=", "[", "<", ">", '"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One thing that the rows of a slice share: a value of `column`, an interval of it, or that `where` holds."""

    column: str = ""
    bins: tuple[float, ...] = ()
    where: str = ""

    def factor(self, rows: pl.DataFrame) -> Factor:
        """The code of each row."""
        if self.where:
            return by_condition(rows, self.where)
        return by_interval(rows[self.column], self.bins) if self.bins else by_value(rows[self.column])

    def named(self, value: Any) -> str:
        """What the slice with this value is called."""
        if self.bins and value is not None:
            return self._interval(value)
        return f"{self.column}={shown(value)}"

    def _interval(self, reached: int) -> str:
        """Intervals [low, high), and what lies below the first and from the last edge on."""
        edges = [shown(edge) for edge in self.bins]
        if reached == 0:
            return f"{self.column}<{edges[0]}"
        if reached == len(edges):
            return f"{self.column}>={edges[-1]}"
        return f"{self.column}=[{edges[reached - 1]},{edges[reached]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """All slices of one declaration: rows that agree on every key. `only`: the one slice of a condition."""

    keys: tuple[Key, ...]
    only: str = ""

    @property
    def title(self) -> str:
        """What was declared, for messages."""
        return self.only or " & ".join(key.column for key in self.keys)

    def named(self, values: Sequence[Any]) -> str:
        """The name of the slice whose keys have these values."""
        return self.only or " & ".join(key.named(value) for key, value in zip(self.keys, values, strict=True))

    def wanted(self, values: Sequence[Any]) -> bool:
        """Whether this is a slice at all: rows for which a condition does not hold are none."""
        return not self.only or values[0] is True


def partition(spec: SliceSpec) -> Partition:
    """`spec` as keys; `bins` cut the last of its columns. UnusableInput for bins that do not ascend."""
    if spec.where is not None:
        columns_of(spec.where)
        return Partition(keys=(Key(where=spec.where),), only=spec.name or spec.where)
    *plain, last = spec.columns
    bins = spec.bins or ()
    if any(low >= high for low, high in pairwise(bins)):
        raise UnusableInput(f"the bins of {last} do not ascend: {list(bins)}", fix="sort them")
    return Partition(keys=(*(Key(column=column) for column in plain), Key(column=last, bins=tuple(bins))))


def columns(specs: Iterable[SliceSpec]) -> list[str]:
    """Every column that the slices need, each once, in the order in which they name them."""
    named = (columns_of(spec.where) if spec.where is not None else spec.columns for spec in specs)
    return list(dict.fromkeys(name for names in named for name in names))


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
