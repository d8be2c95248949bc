"""The same numbers as an expert writes them by hand, in a process of its own: `evaluation_numpy.py FILE`.

One `bincount` of 8 cells per slice declaration for both models, mid-p McNemar with Holm's correction, Tango's interval,
the minimum detectable effect, and a multinomial bootstrap (B = 1000) of two gaps. It looks at no id and checks nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from evaluation_clock import ALPHA, ATTRIBUTES, DRAWS, EDGES, MIN_ROWS, POWER, SEED, Clock, interval
from numpy.typing import NDArray
from scipy.special import betainc, ndtri

_COLUMNS = ("label", "candidate", "baseline", "SEX", "RAC1P", "DIS", "AGEP", "SCHL")
_SIZES = {"SEX": 3, "RAC1P": 10, "DIS": 3, "SCHL": 16}
_PIECE = 1 << 20
_BISECTIONS = 50

Table = NDArray[np.int64]
Floats = NDArray[np.float64]

# The eight outcomes, as 4 label + 2 candidate + baseline.
_OUTCOME = np.arange(8)
_LABEL, _CANDIDATE, _BASELINE = _OUTCOME >> 2, _OUTCOME >> 1 & 1, _OUTCOME & 1
_RIGHT, _BASE_RIGHT = _CANDIDATE == _LABEL, _BASELINE == _LABEL


def main() -> None:
    clock = Clock()
    tables = _counted(Path(sys.argv[1]))
    clock.lap("evaluate")
    names, cells = _slices(tables)
    numbers = _tested(names, cells) | {"gaps": _gaps(tables)}
    clock.lap("judge")
    clock.say(numbers)


def _counted(file: Path) -> dict[str, Table]:
    """The cells of every slice declaration, (values, 8)."""
    scan = pl.scan_parquet(file)
    rows = int(scan.select(pl.len()).collect().item())
    tables: dict[str, Table] = {}
    for start in range(0, rows, _PIECE):
        piece = scan.slice(start, _PIECE).select(_COLUMNS).collect()
        for name, table in _counted_piece({name: piece[name].to_numpy() for name in _COLUMNS}).items():
            tables[name] = tables[name] + table if name in tables else table
    return tables


def _counted_piece(columns: dict[str, Table]) -> dict[str, Table]:
    outcome = columns["label"] * 4 + columns["candidate"] * 2 + columns["baseline"]
    ages = np.searchsorted(EDGES, np.arange(128), side="right")

    def table(codes: Table, size: int) -> Table:
        return np.bincount(codes * 8 + outcome, minlength=size * 8).reshape(size, 8)

    found = {name: table(columns[name], size) for name, size in _SIZES.items()}
    found["AGEP"] = table(ages[columns["AGEP"]], len(EDGES) + 1)
    found["SEX & RAC1P"] = table(columns["SEX"] * 10 + columns["RAC1P"], 30)
    return found


def _slices(tables: dict[str, Table]) -> tuple[list[str], Table]:
    """The slices that have rows, and their cells."""
    names, cells = [], []
    for name, table in tables.items():
        for code in np.flatnonzero(table.any(axis=1)).tolist():
            if name == "AGEP":
                names.append(interval(code))
            else:
                names.append(f"SEX={code // 10} & RAC1P={code % 10}" if "&" in name else f"{name}={code}")
            cells.append(table[code])
    return names, np.array(cells)


def _tested(names: list[str], cells: Table) -> dict[str, Any]:
    cells = np.vstack([cells, cells[: _SIZES["SEX"] - 1].sum(axis=0)])
    rows = cells.sum(axis=1)
    worse, better = cells[:, ~_RIGHT & _BASE_RIGHT].sum(axis=1), cells[:, _RIGHT & ~_BASE_RIGHT].sum(axis=1)
    p = _midp(worse, better)
    low, high = _tango(worse, better, rows)
    eligible = np.append(rows[:-1] >= MIN_ROWS, False)
    adjusted = np.full(len(rows), np.nan)
    adjusted[eligible] = _holm(p[eligible])
    discordant = np.maximum((worse + better) / rows, (worse + better + 1) / (rows + 2))
    reach = _mde(discordant, rows, ALPHA / int(eligible.sum()))
    found = [
        {
            "rows": int(rows[i]),
            "candidate": float(cells[i, _RIGHT].sum() / rows[i]),
            "baseline": float(cells[i, _BASE_RIGHT].sum() / rows[i]),
            "low": float(low[i]),
            "high": float(high[i]),
            "p": float(p[i]),
            "holm": float(adjusted[i]) if eligible[i] else None,
            "mde": float(reach[i]) if eligible[i] else None,
        }
        for i in range(len(rows))
    ]
    overall = found.pop() | {"holm": float(p[-1])}
    return {"overall": overall, "slices": dict(zip(names, found, strict=True))}


def _midp(worse: Table, better: Table) -> Floats:
    """P(X > worse) + P(X = worse)/2 for X ~ Bin(worse + better, 1/2)."""
    at_least = np.where(worse > 0, betainc(np.maximum(worse, 1), better + 1, 0.5), 1.0)
    above = np.where(better > 0, betainc(worse + 1, np.maximum(better, 1), 0.5), 0.0)
    return np.asarray((at_least + above) / 2)


def _holm(p: Floats) -> Floats:
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _mde(discordant: Floats, rows: Table, alpha: float) -> Floats:
    """d = z(1-alpha) sqrt(D/n) + z(power) sqrt((D - d²)/n), with D = d where d would exceed D."""
    a, b = -ndtri(alpha) / np.sqrt(rows), ndtri(POWER) / np.sqrt(rows)
    x = (a + b * np.sqrt(np.maximum(1 + b * b - a * a, 0))) / (1 + b * b)
    return np.where(a <= 1, np.minimum(x * np.sqrt(np.maximum(discordant, x * x)), 1.0), 1.0)


def _tango(worse: Table, better: Table, rows: Table) -> tuple[Floats, Floats]:
    """Both ends of the 90 % score interval of (worse - better)/n, by bisection."""
    w, b = np.stack([worse, better]) / rows, np.stack([better, worse]) / rows
    z = ndtri(0.95) / np.sqrt(rows)
    low, high = w - b, np.ones_like(w)
    for _ in range(_BISECTIONS):
        d = (low + high) / 2
        # The share of `better` at its maximum likelihood when (worse - better)/n is d (Tango 1998).
        linear = (2 - w + b) * d - w - b
        share = (np.sqrt(np.maximum(linear**2 + 8 * b * d * (1 - d), 0)) - linear) / 4
        inside = d - w + b <= z * np.sqrt(np.maximum(2 * share + d * (1 - d), 0))
        low, high = np.where(inside, d, low), np.where(inside, high, d)
    return -low[1], low[0]


def _gaps(tables: dict[str, Table]) -> dict[str, Any]:
    """Demographic parity difference of both models, and the bootstrap of its worsening, for each attribute."""
    rng = np.random.default_rng(SEED)
    found = {}
    for name in ATTRIBUTES:
        cells = tables[name][tables[name].sum(axis=1) >= MIN_ROWS]
        rows = cells.sum(axis=1)
        drawn = rng.multinomial(rows, cells / rows[:, np.newaxis], size=(DRAWS, len(rows)))
        samples = _gap(drawn, _CANDIDATE) - _gap(drawn, _BASELINE)
        ours, theirs = float(_gap(cells, _CANDIDATE)), float(_gap(cells, _BASELINE))
        worsening = ours - theirs
        low, high = np.quantile(samples, [0.05, 0.95], method="weibull").tolist()
        extreme = max(int((samples <= 0).sum()), int((samples - worsening >= worsening).sum()))
        found[name] = {
            "rows": int(rows.sum()),
            "candidate": ours,
            "baseline": theirs,
            "low": low,
            "high": high,
            "sd": float(samples.std()),
            "p": (1 + extreme) / (DRAWS + 1),
        }
    return found


def _gap(cells: Table, selected: Table) -> Floats:
    rates = (cells @ selected) / cells.sum(axis=-1)
    return np.asarray(rates.max(axis=-1) - rates.min(axis=-1))


if __name__ == "__main__":
    main()
