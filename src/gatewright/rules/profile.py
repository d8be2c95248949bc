"""What a data version looks like, small enough for git: shares and counts, never a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from gatewright.domain.documents import canonical_json
from gatewright.rules.schema import Column, Schema, family
from gatewright.rules.types import counted, type_name

BINS = 20
TOP = 20
LIMIT = 64 << 10
_COMMON = 10  # in a column of many texts, a value that stands in fewer rows could name somebody
_MANY = 2 * TOP
_BATCH = 64  # columns a query: polars plans many queries together in quadratic time
_MOST = 500  # more columns with details could not fit anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the first query tells of one column; `low` and `high` are those of its finite values."""

    name: str
    index: int
    kind: str
    nulls: int
    nans: int
    distinct: int
    low: int | float | None
    high: int | float | None

    @property
    def value(self) -> pl.Expr:
        """The column's values that count: no null, no NaN, no infinity."""
        column = pl.nth(self.index)
        if self.kind == "string":
            column = column.cast(pl.String)
        keep = column.is_finite() if self.kind == "float" else column.is_not_null()
        return column.filter(keep).alias("value")


def describe(frame: pl.LazyFrame, schema: Schema | None = None, *, label: str | None = None) -> dict[str, Any]:
    """Null shares, histograms or frequent values, label rate and group counts of a table, at most 64 KB as JSON.

    `columns`: per column `nulls` (share of rows), and `values` (at most 20 different ones: value → rows) or, for
    numbers with more, `low`, `high` and `counts` of 20 bins of equal width (the last one closed). Texts with many
    different values tell only those of 10 rows or more, and the rest as `other`. Columns marked personal or unique
    tell only `nulls`.
    `label`: rows by value and, for 0/1 labels, `rate`. `groups`: per sensitive column and value, rows and label rate.
    """
    described = schema.columns if schema else {}
    rows, facts = _facts(frame)
    shown = [fact for fact in facts if _is_shown(fact, described)]
    details: dict[str, dict[str, Any]] = {}
    for first in range(0, min(len(shown), _MOST), _BATCH):
        details.update(_details(frame, shown[first : first + _BATCH]))
    columns = {
        fact.name: {
            "nulls": _share(fact.nulls, rows),
            **({"nans": _share(fact.nans, rows)} if fact.nans else {}),
            **details.get(fact.name, {}),
        }
        for fact in facts
    }
    stats: dict[str, Any] = {"columns": columns}
    personal = {name for name, column in described.items() if column.personal}
    if label is not None and label not in personal and (found := details.get(label, {}).get("values")):
        stats["label"] = {"column": label, "values": found, **_rate(found)}
    sensitive = [
        fact
        for fact in shown
        if fact.name in described and described[fact.name].sensitive and "values" in details.get(fact.name, {})
    ]
    if sensitive:
        index = next((fact.index for fact in facts if fact.name == label), None)
        stats["groups"] = _groups(frame, sensitive, index if "rate" in stats.get("label", {}) else None)
    return _fitted(stats, {fact.name for fact in shown})


def _facts(frame: pl.LazyFrame) -> tuple[int, list[_Facts]]:
    stored = frame.collect_schema()
    expressions = [pl.len().alias("rows")]
    for index, dtype in enumerate(stored.dtypes()):
        column, kind = pl.nth(index), family(type_name(dtype))
        expressions.append(column.null_count().alias(f"nulls{index}"))
        if kind in ("int", "float", "string", "bool"):
            expressions.append(column.approx_n_unique().alias(f"distinct{index}"))
        if kind in ("int", "float"):
            finite = column.filter(column.is_finite()) if kind == "float" else column
            expressions += [finite.min().alias(f"low{index}"), finite.max().alias(f"high{index}")]
        if kind == "float":
            expressions.append(column.is_nan().sum().alias(f"nans{index}"))
    row = frame.select(expressions).collect(engine="streaming").row(0, named=True)
    return int(row["rows"]), [
        _Facts(
            name=name,
            index=index,
            kind=family(type_name(dtype)),
            nulls=int(row[f"nulls{index}"]),
            nans=int(row.get(f"nans{index}") or 0),
            distinct=int(row.get(f"distinct{index}") or 0),
            low=row.get(f"low{index}"),
            high=row.get(f"high{index}"),
        )
        for index, (name, dtype) in enumerate(stored.items())
    ]


def _is_shown(fact: _Facts, described: Mapping[str, Column]) -> bool:
    column = described.get(fact.name)
    return fact.distinct > 0 and not (column is not None and (column.personal or column.unique))


def _details(frame: pl.LazyFrame, facts: Sequence[_Facts]) -> dict[str, dict[str, Any]]:
    """Values of the columns with few different ones or with text, histograms of the other numbers, together."""
    counts = [fact for fact in facts if fact.distinct <= _MANY or fact.kind not in ("int", "float")]
    bins = [fact for fact in facts if fact.distinct > TOP // 2 and fact.low is not None and fact.high is not None]
    queries = [frame.select(fact.value).group_by("value").len() for fact in counts]
    queries += [frame.select(_reached(fact)) for fact in bins]
    tables = pl.collect_all(queries, engine="streaming") if queries else []
    details = {}
    for fact, table in zip(bins, tables[len(counts) :], strict=True):
        reached = (*table.row(0), 0)
        numbers = [more - less for more, less in pairwise(reached)]
        details[fact.name] = {"low": _number(fact.low), "high": _number(fact.high), "counts": numbers}
    for fact, table in zip(counts, tables, strict=False):
        if table.height <= TOP or fact.kind not in ("int", "float"):
            details[fact.name] = _frequent(table)
    return details


def _frequent(table: pl.DataFrame) -> dict[str, Any]:
    values = counted(dict(table.rows()))
    if len(values) <= TOP:
        return {"values": values}
    common = {value: count for value, count in list(values.items())[:TOP] if count >= _COMMON and len(value) <= 100}
    return {"values": common, "other": sum(values.values()) - sum(common.values())}


def thresholds(low: float, high: float, bins: int = BINS) -> tuple[float, ...]:
    """The lower end of each bin. Values are compared with these everywhere, so that all count in the same way."""
    width = (high / bins - low / bins) or 1.0
    return tuple(low + number * width for number in range(bins))


def _reached(fact: _Facts) -> list[pl.Expr]:
    """How many values reach the lower end of each bin."""
    ends = thresholds(float(fact.low or 0), float(fact.high or 0))
    value = fact.value.cast(pl.Float64)
    return [(value >= end).sum().cast(pl.Int64).alias(str(number)) for number, end in enumerate(ends)]


def _groups(frame: pl.LazyFrame, facts: Sequence[_Facts], label: int | None) -> dict[str, Any]:
    queries = []
    for fact in facts:
        value = pl.nth(fact.index).alias("value")
        rate = [] if label is None else [pl.nth(label).cast(pl.Float64).alias("label")]
        mean = [] if label is None else [pl.col("label").mean()]
        queries.append(frame.select(value, *rate).drop_nulls("value").group_by("value").agg(pl.len(), *mean))
    groups: dict[str, Any] = {}
    for fact, table in zip(facts, pl.collect_all(queries, engine="streaming"), strict=True):
        rows = {row[0]: row[1] for row in table.rows()}
        rates = {row[0]: row[2] for row in table.rows()} if label is not None else {}
        groups[fact.name] = {
            key: {"rows": rows[value], **({"rate": round(rates[value], 6)} if rates.get(value) is not None else {})}
            for value in sorted(rows, key=lambda value: (-rows[value], str(value)))
            for key in counted({value: rows[value]})
        }
    return groups


def _rate(values: Mapping[str, int]) -> dict[str, float]:
    positive = values.get("1", 0) + values.get("true", 0)
    binary = set(values) <= {"0", "1"} or set(values) <= {"true", "false"}
    return {"rate": _share(positive, sum(values.values()))} if binary else {}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _number(value: int | float | None) -> int | float | None:
    """Whole numbers stay whole up to the size that every reader of JSON can hold."""
    return float(value) if isinstance(value, int) and abs(value) >= 1 << 53 else value


def _fitted(stats: dict[str, Any], shown: set[str]) -> dict[str, Any]:
    """Wide tables: the details of the last columns go first, then the columns themselves, until all fits.

    `without_details` and `left_out` then say how many.
    """
    columns: dict[str, Any] = stats["columns"]
    names = list(columns)
    size = len(canonical_json(stats)) + len(',"without_details":000000,"left_out":000000')
    for name in reversed(names):
        if size <= LIMIT:
            break
        short = {"nulls": columns[name]["nulls"]}
        size -= len(canonical_json(columns[name])) - len(canonical_json(short))
        columns[name] = short
    for name in reversed(names):
        if size <= LIMIT:
            break
        size -= len(canonical_json({name: columns.pop(name)})) - 1
    if bare := sum(name in shown and not {"values", "counts"} & entry.keys() for name, entry in columns.items()):
        stats["without_details"] = bare
    if gone := len(names) - len(columns):
        stats["left_out"] = gone
    return stats
