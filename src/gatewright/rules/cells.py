"""Rows → counts: one pass turns predictions into whole numbers per slice × (label, candidate, baseline).

The keys of several partitions share one joint code per row, so that one `bincount` serves them all; the slices of each
partition are sums of its cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput
from gatewright.rules.factors import MOST_VALUES, Factor, too_many
from gatewright.rules.slices import Key, Partition

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

METRIC_VERSION = "cells/2"
MOST_CELLS = 20_000_000
_CUBE = 1 << 16
_DENSE = 1 << 22
_BLOCK = 1 << 14
_FEW_CLASSES = 16
_FEW_TRIPLES = 64

Values = tuple[Any, ...]
Triple = tuple[int, ...]
"""A row's true class, and what each model answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """Rows by the joint value of `keys`. `codes`: (rows,) below the product of `cards`; None without keys."""

    keys: tuple[Key, ...]
    factors: tuple[Factor, ...]
    codes: NDArray[np.int64] | None
    partitions: tuple[Partition, ...]

    @property
    def size(self) -> int:
        """The number of joint values."""
        return _product(len(factor.values) for factor in self.factors)

    def table(self, outcomes: NDArray[np.int64], kinds: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Joint values that occur (present,), and their rows per outcome (present, kinds)."""
        import numpy as np

        joint = outcomes if self.codes is None else _joined([self.codes, outcomes], [self.size, kinds])
        if self.size * kinds <= _DENSE:
            cells = np.bincount(joint, minlength=self.size * kinds).reshape(self.size, kinds)
            present = np.flatnonzero(cells.any(axis=1))
            return present, cells[present]
        found, counts = np.unique(joint, return_counts=True)
        present, row = np.unique(found // kinds, return_inverse=True)
        _check_cells(len(present), kinds)
        cells = np.zeros((len(present), kinds), dtype=np.int64)
        cells[row, found % kinds] = counts
        return present, cells

    def sums(self, weights: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Joint values that occur (present,), and for each the sum of each of `weights`: (present, len(weights))."""
        import numpy as np

        if self.codes is None:
            return np.zeros(1, dtype=np.int64), np.array([[float(weight.sum()) for weight in weights]])
        present, place = _compact(self.codes, self.size)
        summed = [np.bincount(place, weights=weight, minlength=len(present)) for weight in weights]
        return present, np.stack(summed, axis=1)

    def slices(
        self, partition: Partition, present: NDArray[np.int64], table: NDArray[Any]
    ) -> tuple[list[Values], NDArray[Any]]:
        """The slices of `partition` by their values, and the sums of `table` (present, …) over their joint values."""
        import numpy as np

        cards = tuple(len(factor.values) for factor in self.factors)
        axes = [self.keys.index(key) for key in partition.keys]
        if not axes:
            return [()], table.sum(axis=0, keepdims=True)
        where = np.unravel_index(present, cards)
        flat = np.ravel_multi_index([where[axis] for axis in axes], [cards[axis] for axis in axes])
        found, place = np.unique(flat, return_inverse=True)
        if len(found) > MOST_VALUES:
            raise too_many(partition.title, len(found))
        summed = np.zeros((len(found), *table.shape[1:]), dtype=table.dtype)
        np.add.at(summed, place, table)
        return _values([self.factors[axis] for axis in axes], found), summed

    def values(self, present: NDArray[np.int64]) -> list[Values]:
        """What the joint codes `present` stand for: a value for each key."""
        return _values(self.factors, present)


def _values(factors: Sequence[Factor], joint: NDArray[np.int64]) -> list[Values]:
    import numpy as np

    numbers = np.unravel_index(joint, [len(factor.values) for factor in factors])
    columns = [[factor.values[code] for code in codes.tolist()] for factor, codes in zip(factors, numbers, strict=True)]
    return list(zip(*columns, strict=True))


def cubes(rows: pl.DataFrame, partitions: Sequence[Partition], kinds: int) -> list[Cube]:
    """Joint codes of `rows` for all `partitions`, as few as keep the cells (`kinds` to each) near the processor."""
    factors: dict[Key, Factor] = {}
    groups: list[tuple[list[Key], list[Partition]]] = []
    for partition in partitions:
        for key in partition.keys:
            if key not in factors:
                factors[key] = key.factor(rows)
        for keys, served in groups:
            added = [key for key in partition.keys if key not in keys]
            if not added or _size(factors, [*keys, *added]) * kinds <= _CUBE:
                keys.extend(added)
                served.append(partition)
                break
        else:
            groups.append((list(partition.keys), [partition]))
    return [_cube(factors, tuple(keys), tuple(served)) for keys, served in groups]


def _cube(factors: Mapping[Key, Factor], keys: tuple[Key, ...], served: tuple[Partition, ...]) -> Cube:
    own = tuple(factors[key] for key in keys)
    codes = _joined([factor.codes for factor in own], [len(factor.values) for factor in own]) if own else None
    return Cube(keys=keys, factors=own, codes=codes, partitions=served)


def outcome_codes(columns: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], list[Triple]]:
    """Each row's (label, candidate, baseline …) as a code, and what the codes stand for.

    `columns`: class per row, (rows,) each. Not every triple needs to occur.
    """
    import numpy as np

    low, high = min(int(column.min()) for column in columns), max(int(column.max()) for column in columns)
    width = high - low + 1
    offset = [column - low if low else column for column in columns]
    if width <= _FEW_CLASSES:
        classes, numbered = np.arange(width), offset
    elif width * len(columns) <= _DENSE:
        present, place = _compact(np.concatenate(offset), width)
        classes, numbered = present, np.split(place, len(columns))
    else:
        classes, place = np.unique(np.concatenate(offset), return_inverse=True)
        numbered = np.split(place, len(columns))
    kinds = len(classes)
    codes = _joined(numbered, [kinds] * len(numbered))
    triples = kinds ** len(columns)
    present, codes = (np.arange(triples), codes) if triples <= _FEW_TRIPLES else _compact(codes, triples)
    parts = np.unravel_index(present, (kinds,) * len(columns))
    return codes, list(zip(*((classes[part] + low).tolist() for part in parts), strict=True))


def _joined(columns: Sequence[NDArray[np.int64]], sizes: Sequence[int]) -> NDArray[np.int64]:
    """One code (rows,) for the codes of all `columns`, each below its size; the last one varies fastest."""
    import numpy as np

    joined = np.empty(len(columns[0]), dtype=np.int64)
    # In blocks, so that what is added to stays in the processor's cache.
    for start in range(0, len(joined), _BLOCK):
        block = joined[start : start + _BLOCK]
        block[:] = columns[0][start : start + _BLOCK]
        for column, size in zip(columns[1:], sizes[1:], strict=True):
            block *= size
            block += column[start : start + _BLOCK]
    return joined


def _compact(codes: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The codes below `size` that occur, and each row's place among them."""
    import numpy as np

    if size > _DENSE:
        return np.unique(codes, return_inverse=True)
    present = np.flatnonzero(np.bincount(codes, minlength=size))
    if len(present) == size:
        return present, codes
    place = np.zeros(size, dtype=np.int64)
    place[present] = np.arange(len(present))
    return present, place[codes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one piece of the rows holds: per partition its slices by their values, and their table (slices, …).

    The last axis of a table runs over `outcomes`; tables of sums have no outcomes.
    """

    outcomes: tuple[Triple, ...]
    slices: Mapping[Partition, tuple[list[Values], NDArray[Any]]]


def merged(parts: Sequence[Part], partitions: Sequence[Partition]) -> Part:
    """The sum of all parts; slices in the order of their values, missing ones last; outcomes that occur, sorted."""
    import numpy as np

    outcomes = sorted({outcome for part in parts for outcome in _occurring(part, partitions[0])})
    place = {outcome: index for index, outcome in enumerate(outcomes)}
    slices: dict[Partition, tuple[list[Values], NDArray[Any]]] = {}
    for partition in partitions:
        values = sorted({value for part in parts for value in part.slices[partition][0]}, key=_order)
        if len(values) > MOST_VALUES:
            raise too_many(partition.title, len(values))
        _check_cells(len(values), len(outcomes))
        where = {value: index for index, value in enumerate(values)}
        first = parts[0].slices[partition][1]
        inner = (len(outcomes),) if parts[0].outcomes else first.shape[1:]
        table = np.zeros((len(values), *inner), dtype=first.dtype)
        for part in parts:
            found, counts = part.slices[partition]
            rows = [where[value] for value in found]
            if part.outcomes:
                kept = [index for index, outcome in enumerate(part.outcomes) if outcome in place]
                columns = [place[part.outcomes[index]] for index in kept]
                table[np.ix_(rows, columns)] += counts[:, kept]
            else:
                table[rows] += counts
        slices[partition] = (values, table)
    return Part(outcomes=tuple(outcomes), slices=slices)


def _occurring(part: Part, overall: Partition) -> Iterable[Triple]:
    if not part.outcomes:
        return ()
    counts = part.slices[overall][1].sum(axis=0)
    return (outcome for outcome, count in zip(part.outcomes, counts.tolist(), strict=True) if count)


def _order(values: Values) -> tuple[tuple[bool, Any], ...]:
    return tuple((value is None, 0 if value is None else value) for value in values)


def _check_cells(slices: int, kinds: int) -> None:
    if slices * kinds > MOST_CELLS:
        raise UnusableInput(
            f"{slices:,} slices times {kinds:,} combinations of classes are too many to count",
            fix="declare fewer slices, or evaluate fewer classes",
        )


def _size(factors: Mapping[Key, Factor], keys: Iterable[Key]) -> int:
    return _product(len(factors[key].values) for key in keys)


def _product(numbers: Iterable[int]) -> int:
    product = 1
    for number in numbers:
        product *= number
    return product
