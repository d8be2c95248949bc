"""The schema file of a data set: which columns there are and what may stand in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, MinLen

from gatewright.domain.documents import canonical_json, sha256
from gatewright.stats.psi import FAIL, WARN

ColumnType = Literal[
    "int", "float", "string", "bool", "date", "datetime",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
]  # fmt: skip
Number = int | float
Value = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What may stand in one column.

    `int`, `float` and `string` allow every width (and category columns for `string`); a width allows only itself.
    `range` holds both ends, either may be null; `regex` must match the whole value; null values are judged by
    `nullable` alone. `sensitive` columns get group counts, values of `personal` columns are never written anywhere.
    An `optional` column may be missing from a data set as a whole, as the ids of evaluation rows from training data.
    """

    type: ColumnType
    nullable: bool = False
    range: Annotated[tuple[Number | None, ...], MinLen(2)] | None = None
    enum: Annotated[tuple[Value, ...], MinLen(1)] | None = None
    regex: Annotated[str, MinLen(1)] | None = None
    unique: bool = False
    sensitive: bool = False
    personal: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLimits:
    """How many rows there must be, and by which share their number may differ from the parent version's."""

    min: Annotated[int, Ge(1)] = 1
    max_change: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition in SQL that every row must meet; a row for which it is neither true nor false is not judged."""

    name: Annotated[str, MinLen(1)]
    expr: Annotated[str, MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PsiLimits:
    """From which population stability index on a column is a warning, and from which a failure."""

    warn: Annotated[float, Gt(0)] = WARN
    fail: Annotated[float, Gt(0)] = FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the values may move from those of a recorded version.

    `reference` is NAME, NAME@VERSION or NAME@ALIAS; NAME alone is its latest version before the judged one. `columns`
    have limits of their own, `ignore` has none. Columns with fewer than `min_rows` values on one side are not judged.
    """

    reference: Annotated[str, MinLen(1)]
    psi: PsiLimits = PsiLimits()
    min_rows: Annotated[int, Ge(1)] = 1000
    columns: Mapping[str, PsiLimits] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """All columns of a data set (one that is not listed is not allowed), and rules about rows, table and drift."""

    columns: Annotated[Mapping[str, Column], MinLen(1)]
    rows: RowLimits = field(default_factory=RowLimits)
    rules: tuple[Rule, ...] = ()
    drift: Drift | None = None


def family(type_name: str) -> str:
    """`int`, `float`, `string`, … of a type with or without a width."""
    for name in ("uint", "int", "float"):
        if type_name.startswith(name):
            return name.removeprefix("u")
    return "string" if type_name == "category" else type_name


def accepts(declared: str, stored: str) -> bool:
    """Whether a column stored as `stored` is what the schema calls `declared`."""
    return declared in (stored, family(stored))


def required_columns(schema: Schema | None) -> frozenset[str]:
    """The columns that must hold a value in every row."""
    columns = schema.columns if schema else {}
    return frozenset(name for name, column in columns.items() if not column.nullable and not column.optional)


def fingerprint(columns: Mapping[str, str]) -> str:
    """`sha256:<hex>` of column → stored type; the order of the columns does not matter."""
    return sha256(canonical_json(dict(columns)))


def contradictions(schema: Schema) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What no type can say: (path into the file, what is wrong) for each rule that cannot be meant."""
    for name, column in schema.columns.items():
        at = ("columns", name)
        kind = family(column.type)
        if column.range is not None:
            yield from (((*at, "range"), what) for what in _range_faults(column.range, kind))
        if column.regex is not None and kind != "string":
            yield (*at, "regex"), f"only a string column can have a regex, this is {column.type}"
        for index, value in enumerate(column.enum or ()):
            if not _is_a(value, kind):
                yield (*at, "enum", index), f"{value!r} is not a value of a column of type {column.type}"
    names = [rule.name for rule in schema.rules]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("rules", index, "name"), f"{name!r} is the name of another rule too"
    if schema.drift is not None:
        yield from _drift_faults(schema.drift, schema.columns)


def _drift_faults(drift: Drift, columns: Mapping[str, Column]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for at, limit in (((), drift.psi), *(((name,), limit) for name, limit in drift.columns.items())):
        if limit.warn > limit.fail:
            where = ("drift", "columns" if at else "psi", *at)
            yield where, f"warns at {limit.warn:g}, after it has failed at {limit.fail:g}"
    unknown: list[tuple[tuple[str | int, ...], str]] = [(("columns", name), name) for name in drift.columns]
    unknown += [(("ignore", index), name) for index, name in enumerate(drift.ignore)]
    for path, name in unknown:
        if name not in columns:
            yield ("drift", *path), f"there is no column {name!r} in this file"


def _range_faults(limits: tuple[Number | None, ...], kind: str) -> Iterator[str]:
    low, high, *more = limits
    if more:
        yield f"a range has two ends, this has {len(limits)}"
    if kind not in ("int", "float"):
        yield f"only a number can have a range, this is {kind}"
    if low is None and high is None:
        yield "a range has at least one end"
    if any(end is not None and not math.isfinite(end) for end in limits):
        yield "the ends of a range are finite numbers or null"
    elif low is not None and high is not None and low > high:
        yield f"the lower end {low} is greater than the upper end {high}"


def _is_a(value: Value, kind: str) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, str)
