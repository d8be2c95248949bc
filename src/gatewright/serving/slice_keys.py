"""Of each request the names of the slices that a rollout has declared, and nothing else of its inputs."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatewright.domain.project import SliceSpec
from gatewright.rules.measuring.slices import Key, partition
from gatewright.store.asked_slices import FILE, asked

_log = logging.getLogger("gatewright.serving")
_MOST_KNOWN = 4096
_WHOLE_BELOW = 1e9


@dataclass(frozen=True, slots=True)
class _Part:
    """One column of a declared slice, and where it stands in a row; names that were made once are kept."""

    key: Key
    at: int
    known: dict[float, str] = field(default_factory=dict)

    def name(self, row: Sequence[float]) -> str:
        """What the slice of this row is called, as far as this column goes."""
        value = row[self.at]
        if value != value:
            return self.key.named(None)
        reached = bisect_right(self.key.bins, value) if self.key.bins else value
        name = self.known.get(reached)
        if name is None:
            name = _named(self.key, reached)
            if len(self.known) < _MOST_KNOWN:
                self.known[reached] = name
        return name


class SliceKeys:
    """What is asked for in `folder`, of rows whose values stand in the order of `columns`."""

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self._folder = folder
        self._columns = {name: at for at, name in enumerate(columns)}
        self._stamp: tuple[int, ...] = ()
        self._declared: tuple[tuple[_Part, ...], ...] = ()

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
        return [" & ".join([part.name(row) for part in parts]) for parts in self._declared]

    def _read(self) -> list[tuple[_Part, ...]]:
        declared = []
        for wanted in asked(self._folder):
            if strange := [column for column in wanted.columns if column not in self._columns]:
                _log.error("slices by %s are not noted: the model has no such input", ", ".join(strange))
                continue
            keys = partition(SliceSpec(columns=wanted.columns, bins=wanted.bins)).keys
            declared.append(tuple(_Part(key, self._columns[key.column]) for key in keys))
        return declared


def _named(key: Key, reached: float) -> str:
    """A column without bins is not cut by its fractions: a slice of each would be a raw input."""
    if key.bins:
        return key.named(reached)
    whole = reached.is_integer() and abs(reached) < _WHOLE_BELOW
    return key.named(int(reached)) if whole else f"{key.column}=other"
