"""Of each request the names of the slices that a rollout has declared, and nothing else of its inputs."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatewright.domain.project import SliceSpec
from gatewright.domain.rollout import LiveSlice
from gatewright.rules.measuring.slices import Key, Partition, partition
from gatewright.store.asked_slices import FILE, asked

_log = logging.getLogger("gatewright.serving")
_MOST_KNOWN = 4096
_WHOLE_BELOW = 1e9


@dataclass(frozen=True, slots=True)
class _Declared:
    """One declared slice, and where its columns stand in a row; names that were made once are kept."""

    partition: Partition
    positions: tuple[int, ...]
    known: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def name(self, row: Sequence[float]) -> str:
        """What the slice of this row is called."""
        values = tuple(_code(key, row[at]) for key, at in zip(self.partition.keys, self.positions, strict=True))
        name = self.known.get(values)
        if name is None:
            parts = zip(self.partition.keys, values, strict=True)
            name = " & ".join(f"{key.column}=other" if value is _OTHER else key.named(value) for key, value in parts)
            if len(self.known) < _MOST_KNOWN:
                self.known[values] = name
        return name


class SliceKeys:
    """What is asked for in `folder`, of rows whose values stand in the order of `columns`."""

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self._folder = folder
        self._columns = {name: at for at, name in enumerate(columns)}
        self._stamp: tuple[int, ...] = ()
        self._declared: tuple[_Declared, ...] = ()

    @property
    def wanted(self) -> bool:
        """Whether any slice is asked for."""
        return bool(self._declared)

    def refresh(self) -> None:
        """Take over what is asked for now; a slice of a column that the model does not take is left out, and told."""
        try:
            found = (self._folder / FILE).stat()
            stamp: tuple[int, ...] = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = ()
        if stamp != self._stamp:
            self._stamp = stamp
            self._declared = tuple(self._read())

    def names(self, row: Sequence[float]) -> list[str]:
        """The slices that `row` belongs to, one of each declaration."""
        return [declared.name(row) for declared in self._declared]

    def _read(self) -> list[_Declared]:
        declared = []
        for wanted in asked(self._folder):
            if strange := [column for column in wanted.columns if column not in self._columns]:
                _log.error("slices by %s are not noted: the model has no such input", ", ".join(strange))
                continue
            declared.append(_Declared(_partition(wanted), tuple(self._columns[column] for column in wanted.columns)))
        return declared


_OTHER = object()


def _partition(wanted: LiveSlice) -> Partition:
    return partition(SliceSpec(columns=wanted.columns, bins=wanted.bins))


def _code(key: Key, value: float) -> Any:
    """A value as a slice knows it: the number of edges reached, or a whole number; None if it is missing.

    A column without bins is not cut by its fractions: a slice of each number with a fraction would be a raw input.
    """
    if value != value:
        return None
    if key.bins:
        return bisect_right(key.bins, value)
    return int(value) if value.is_integer() and abs(value) < _WHOLE_BELOW else _OTHER
