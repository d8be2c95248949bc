"""How far did a table move from a recorded version? Counted in the cells of the version's own histograms.

The cells are exactly those of the reference, with one more below and one above them (or one for values it does not
know), and one for what is missing. So no byte of the reference is needed, and nothing is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from gatewright.rules.profile import thresholds
from gatewright.rules.schema import Drift, PsiLimits, Schema, family
from gatewright.rules.types import type_name
from gatewright.stats.psi import psi

Status = Literal["pass", "warn", "fail", "not judged"]
_NAMED = ("string", "bool")
"""Kinds of columns in which a value that the reference does not know is news, and not just another number."""
_TRUE = ("1", "1.0", "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A recorded version to measure from: what it is called, its rows, its statistics, and the limits."""

    called: str
    digest: str
    rows: int
    stats: Mapping[str, Any]
    drift: Drift
    unjudged: str | None = None
    """Why nothing is measured from it, if so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A bin or a value: rows of the reference and of the judged table."""

    name: str
    before: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """One column: its population stability index over all cells, what that means, and the cells.

    `new` counts rows with values that the reference does not know. `why` is told when there is no index.
    """

    name: str
    status: Status
    psi: float | None = None
    limits: PsiLimits | None = None
    cells: tuple[Cell, ...] = ()
    new: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFound:
    """All columns, the worst first; `psi` is the mean of the judged ones.

    `label_rate` and `groups` (column, value → shares of the rows) are before and now.
    """

    reference: str
    digest: str
    rows: tuple[int, int]
    status: Status
    psi: float | None
    columns: tuple[ColumnDrift, ...]
    label_rate: tuple[float, float] | None = None
    groups: Mapping[str, Mapping[str, tuple[float, float]]]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is counted of one column: the names of its cells, the reference's rows in them, and our counts.

    First are counted nulls and NaNs, then each value, or with `bins` what is at or above each lower end and, at last,
    what is above the highest value.
    """

    name: str
    kind: str = ""
    cells: tuple[str, ...] = ()
    before: tuple[int, ...] = ()
    counts: tuple[pl.Expr, ...] = ()
    bins: bool = False
    knows_all: bool = True
    why: str = ""


def drift_questions(reference: Reference, schema: Schema, stored: pl.Schema) -> tuple[Question, ...]:
    """One question for each column of the schema file that is there."""
    if _too_few(reference, reference.rows):
        return ()
    return tuple(
        Question(name=name, why="personal") if column.personal else _question(reference, name, stored)
        for name, column in schema.columns.items()
        if name in stored
    )


def others(question: Question, answers: Sequence[int], allowed: Sequence[object], rows: int) -> int | None:
    """Texts that are not `allowed`, told by the counts of a question; None when they do not tell it."""
    known = question.cells[1:-1]
    if question.kind != "string" or not set(allowed) <= set(known):
        return None
    nulls, _, *counts = answers
    return rows - nulls - sum(count for text, count in zip(known, counts, strict=True) if text in allowed)


def drift_found(
    reference: Reference,
    schema: Schema,
    questions: Sequence[Question],
    answers: Sequence[int],
    rows: int,
    label: str | None,
) -> DriftFound:
    """What the answers to all `counts`, in their order, mean; `rows` is the size of the judged table."""
    why = _too_few(reference, rows)
    columns, rest = [], list(answers)
    for question in questions if not why else ():
        columns.append(_column(question, rest[: len(question.counts)], reference.drift, rows))
        del rest[: len(question.counts)]
    judged = [column.psi for column in columns if column.psi is not None]
    by_name = {column.name: column for column in columns}
    sensitive = (name for name, column in schema.columns.items() if column.sensitive and name in by_name)
    return DriftFound(
        reference=reference.called,
        digest=reference.digest,
        rows=(reference.rows, rows),
        status=_worst(columns) if judged else "not judged",
        psi=math.fsum(judged) / len(judged) if judged else None,
        columns=tuple(sorted(columns, key=lambda column: -1.0 if column.psi is None else column.psi, reverse=True)),
        label_rate=_rate(by_name.get(label or "")),
        groups={name: shares for name in sensitive if (shares := _shares(by_name[name]))},
        why=why or ("" if judged else "no column could be judged"),
    )


def _too_few(reference: Reference, rows: int) -> str:
    if reference.unjudged:
        return reference.unjudged
    least = reference.drift.min_rows
    for called, count in (("the reference", reference.rows), ("the data", rows)):
        if count < least:
            return f"{called} has {count:,} rows; drift is judged from {least:,} on (drift.min_rows)"
    return ""


def _question(reference: Reference, name: str, stored: pl.Schema) -> Question:
    entry = reference.stats.get("columns", {}).get(name)
    kind = family(type_name(stored[name]))
    if name in reference.drift.ignore:
        return Question(name=name, why="left out by drift.ignore")
    if entry is None or not {"values", "counts"} & entry.keys():
        return Question(name=name, why="the reference tells no values (unique, personal, a date, or not recorded)")
    value = pl.nth(stored.names().index(name))
    missing = (value.null_count(), value.is_nan().sum()) if kind == "float" else (value.null_count(), pl.lit(0))
    gone = round(reference.rows * (entry["nulls"] + entry.get("nans", 0.0)))
    if "counts" in entry:
        if kind not in ("int", "float"):
            return Question(name=name, why=f"the reference holds numbers, this is {kind}")
        return _binned(name, kind, entry, value, missing, gone)
    known = {text: _read(text, kind) for text in entry["values"]}
    if None in known.values():
        return Question(name=name, why=f"the reference holds values that are not {kind}")
    plain = value.cast(pl.String) if kind == "string" else value
    return Question(
        name=name,
        kind=kind,
        cells=("(missing)", *known, "(others)"),
        before=(gone, *entry["values"].values(), entry.get("other", 0)),
        counts=(
            *missing,
            *((plain == wanted).sum() for wanted in known.values()),
        ),
        knows_all="other" not in entry,
    )


def _binned(
    name: str, kind: str, entry: Mapping[str, Any], value: pl.Expr, missing: tuple[pl.Expr, pl.Expr], gone: int
) -> Question:
    low, high, counts = float(entry["low"]), float(entry["high"]), entry["counts"]
    lower = thresholds(low, high, len(counts))
    ends = [math.ceil(end) for end in lower] if kind == "int" else list(lower)
    names = [f"{a:.4g} to {b:.4g}" for a, b in zip(lower, (*lower[1:], high), strict=True)]
    return Question(
        name=name,
        kind=kind,
        cells=("(missing)", f"below {low:.4g}", *names, f"above {high:.4g}"),
        before=(gone, 0, *counts, 0),
        counts=(*missing, *((value >= end).sum() for end in ends), (value > entry["high"]).sum()),
        bins=True,
    )


def _column(question: Question, answers: Sequence[int], drift: Drift, rows: int) -> ColumnDrift:
    if question.why:
        return ColumnDrift(name=question.name, status="not judged", why=question.why)
    now = _now(question, answers, rows)
    cells = tuple(
        Cell(name=name, before=before, now=count)
        for name, before, count in zip(question.cells, question.before, now, strict=True)
    )
    new = now[-1] if question.knows_all and not question.bins else 0
    for called, values in (("the reference", sum(question.before[1:])), ("the data", rows - now[0])):
        if values < drift.min_rows:
            why = f"{called} has {values:,} values; judged from {drift.min_rows:,} on (drift.min_rows)"
            return ColumnDrift(name=question.name, status="not judged", cells=cells, new=new, why=why)
    limits = drift.columns.get(question.name, drift.psi)
    value = max(psi(question.before, now), 0.0)
    status: Status = "fail" if value >= limits.fail else "warn" if value >= limits.warn else "pass"
    if status == "pass" and new and question.kind in _NAMED:
        status = "warn"
    return ColumnDrift(name=question.name, status=status, psi=value, limits=limits, cells=cells, new=new)


def _now(question: Question, answers: Sequence[int], rows: int) -> list[int]:
    """Rows in each cell. For polars a NaN is above every number, so the NaNs are taken off again."""
    nulls, nans, *counts = answers
    missing = nulls + nans
    if not question.bins:
        return [missing, *counts, rows - missing - sum(counts)]
    above = [rows - missing, *(count - nans for count in counts)]
    return [missing, *(one - two for one, two in zip(above, (*above[1:], 0), strict=True))]


def _read(text: str, kind: str) -> bool | int | float | str | None:
    """A value as the statistics write it; None when it is none of this kind."""
    try:
        match kind:
            case "bool":
                return {"true": True, "false": False}.get(text)
            case "int":
                number = float(text)
                return int(text) if text.lstrip("-").isdigit() else int(number) if number.is_integer() else None
            case "float":
                return float(text)
            case "string":
                return text
    except ValueError:
        return None
    return None


def _worst(columns: Sequence[ColumnDrift]) -> Status:
    order: tuple[Status, ...] = ("pass", "warn", "fail")
    return max((column.status for column in columns if column.status in order), key=order.index, default="pass")


def _rate(column: ColumnDrift | None) -> tuple[float, float] | None:
    """The share of 1 (true) among the values of a label with two classes."""
    if column is None or not {cell.name for cell in column.cells[1:-1]} <= {"0", "1", "0.0", "1.0", "true", "false"}:
        return None
    cells = column.cells[1:]
    before, now = sum(cell.before for cell in cells), sum(cell.now for cell in cells)
    if not before or not now:
        return None
    return (
        sum(cell.before for cell in cells if cell.name in _TRUE) / before,
        sum(cell.now for cell in cells if cell.name in _TRUE) / now,
    )


def _shares(column: ColumnDrift) -> dict[str, tuple[float, float]]:
    return dict(_each_share(column.cells))


def _each_share(cells: Sequence[Cell]) -> Iterator[tuple[str, tuple[float, float]]]:
    before, now = sum(cell.before for cell in cells), sum(cell.now for cell in cells)
    if before and now:
        yield from ((cell.name, (cell.before / before, cell.now / now)) for cell in cells if cell.before or cell.now)
