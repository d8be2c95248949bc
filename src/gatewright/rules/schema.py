"""The schema file of a data set: which columns there are and what may stand in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, MinLen

from gatewright.domain.documents import canonical_json, sha256

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
    """

    type: ColumnType
    nullable: bool = False
    range: Annotated[tuple[Number | None, ...], MinLen(2)] | None = None
    enum: Annotated[tuple[Value, ...], MinLen(1)] | None = None
    regex: Annotated[str, MinLen(1)] | None = None
    unique: bool = False
    sensitive: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLimits:
    """How many rows there must be, and by which share their number may differ from the parent version's."""

    min: Annotated[int, Ge(1)] = 1
    max_change: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """All columns of a data set; a column that is not listed is not allowed."""

    columns: Annotated[Mapping[str, Column], MinLen(1)]
    rows: RowLimits = field(default_factory=RowLimits)


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
    return frozenset(name for name, column in columns.items() if not column.nullable)


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
