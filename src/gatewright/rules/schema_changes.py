"""What happened to the columns between two versions of a data set, and does it break those who read it?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from gatewright.rules.data_drift import column_psi
from gatewright.rules.schema import family
from gatewright.stats.psi import WARN

What = Literal["added", "dropped", "renamed", "widened", "retyped"]
_EXACT_BITS = {"float32": 24, "float64": 53}
_ALIKE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """One column that was added, dropped, renamed (a guess), widened or retyped, in words."""

    column: str
    what: What
    breaking: bool
    words: str


def schema_changes(
    before: Mapping[str, str],
    now: Mapping[str, str],
    *,
    label: str | None = None,
    required: Collection[str] = (),
    stats: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> tuple[ColumnChange, ...]:
    """Every difference between column → type before and now; the breaking ones first.

    A new column breaks only if the schema file asks for it in each row (`required`): older rows do not have it. `stats`
    are those of the two pointer files; with them a column that only got another name is recognised.
    """
    dropped = {name: kind for name, kind in before.items() if name not in now}
    added = {name: kind for name, kind in now.items() if name not in before}
    renamed = dict(_renamed(dropped, added, stats))
    found = [*_retyped(before, now, label)]
    for name, kind in dropped.items():
        if name in renamed:
            words = f"{name} is gone and {renamed[name]} is new, of the same type and alike: perhaps renamed"
            found.append(ColumnChange(column=name, what="renamed", breaking=True, words=words))
        else:
            found.append(ColumnChange(column=name, what="dropped", breaking=True, words=f"{name} ({kind}) was dropped"))
    for name, kind in added.items():
        if name not in renamed.values():
            must = name in required
            words = f"{name} ({kind}) was added" + (", and the schema file asks for it in every row" if must else "")
            found.append(ColumnChange(column=name, what="added", breaking=must, words=words))
    return tuple(sorted(found, key=lambda change: (not change.breaking, change.column)))


def widens(before: str, now: str) -> bool:
    """Whether every value of type `before` is exactly a value of type `now`."""
    if before == now or family(before) == family(now) == "string":
        return True
    old, new = _integer(before), _integer(now)
    if old and new:
        return new >= old if before[0] == now[0] else before.startswith("u") and new > old
    if old and now in _EXACT_BITS:
        return old - (not before.startswith("u")) <= _EXACT_BITS[now]
    return (before, now) == ("float32", "float64")


def _integer(name: str) -> int:
    """Bits of an integer type; 0 for every other."""
    match = re.fullmatch(r"u?int(8|16|32|64)", name)
    return int(match[1]) if match else 0


def _retyped(before: Mapping[str, str], now: Mapping[str, str], label: str | None) -> Iterator[ColumnChange]:
    for name in before.keys() & now.keys():
        old, new = before[name], now[name]
        if old == new:
            continue
        # Classes of 0.0 and 1.0 are other classes than 0 and 1 to most trainers.
        wide = widens(old, new) and (name != label or family(old) == family(new))
        what: What = "widened" if wide else "retyped"
        yield ColumnChange(column=name, what=what, breaking=not wide, words=f"{name} was {what}: {old} → {new}")


def _renamed(
    dropped: Mapping[str, str], added: Mapping[str, str], stats: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Pairs (old, new) that are probably one column: same type, and like values (or, without any told, like names)."""
    free = dict(added)
    scored = []
    for old, kind in dropped.items():
        for new in (name for name, other in free.items() if other == kind):
            likeness = _likeness(old, new, stats)
            if likeness is not None:
                scored.append((likeness, old, new))
    taken = set[str]()
    for _, old, new in sorted(scored, reverse=True):
        if old not in taken and new in free:
            taken.add(old)
            del free[new]
            yield old, new


def _likeness(old: str, new: str, stats: tuple[Mapping[str, Any], Mapping[str, Any]]) -> float | None:
    """How much two columns look like one, from 0 to 2; None when they do not."""
    names = SequenceMatcher(None, old.lower(), new.lower()).ratio()
    moved = column_psi(stats[0].get("columns", {}).get(old, {}), stats[1].get("columns", {}).get(new, {}))
    if moved is None:
        return names if names >= _ALIKE else None
    return 1 + names - moved.value if moved.value < WARN else None
