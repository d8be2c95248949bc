"""How far did a column move between two versions? Told by the histograms of their pointer files, not by bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatewright.stats.psi import psi, psi_of_values, rebinned

_OTHER = "\0other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The PSI of one column. `estimated`: the two histograms have other edges, so bins were cut."""

    value: float
    estimated: bool


def column_psi(before: Mapping[str, Any], now: Mapping[str, Any]) -> Moved | None:
    """From the entries of one column in `stats.columns`; None when one of them tells no values."""
    if "values" in before and "values" in now:
        return _told(psi_of_values(_values(before), _values(now)), estimated="other" in before or "other" in now)
    if "counts" in before and "counts" in now:
        same = (before["low"], before["high"]) == (now["low"], now["high"])
        if same:
            return _told(psi(before["counts"], now["counts"]), estimated=False)
        edges = _edges(before)
        return _told(psi(_cells(before, edges), _cells(now, edges)), estimated=True)
    if "counts" in before or "counts" in now:
        edges = _edges(before if "counts" in before else now)
        old, new = _cells(before, edges), _cells(now, edges)
        return _told(psi(old, new), estimated=True) if old and new else None
    return None


def _told(value: float, *, estimated: bool) -> Moved | None:
    return None if math.isnan(value) else Moved(value=max(value, 0.0), estimated=estimated)


def _values(entry: Mapping[str, Any]) -> dict[str, float]:
    return {**entry["values"], **({_OTHER: entry["other"]} if entry.get("other") else {})}


def _edges(entry: Mapping[str, Any]) -> list[float]:
    low, high, bins = entry["low"], entry["high"], len(entry["counts"])
    return [low + (high - low) * number / bins for number in range(bins + 1)]


def _cells(entry: Mapping[str, Any], edges: list[float]) -> list[float]:
    """Counts between `edges`, and below and above them; empty when the entry tells no numbers."""
    if "counts" in entry:
        return rebinned(entry["low"], entry["high"], entry["counts"], edges)
    cells = [0.0] * (len(edges) + 1)
    for text, count in entry.get("values", {}).items():
        try:
            value = float(text)
        except ValueError:
            return []
        for cell, part in enumerate(rebinned(value, value, [count], edges)):
            cells[cell] += part
    return cells if any(cells) else []
