"""The rules of a schema file as expressions over rows: how many break each one, and which they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from polars.exceptions import PolarsError

from gatewright.rules.expressions import condition, row_columns
from gatewright.rules.schema import Column, Rule, Schema, Value, accepts, family
from gatewright.rules.types import as_type, example, type_name

_TEXT = "\0text "
"""Before the names of the columns that hold what a CSV file says itself; no header can have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """`count` gives the number of rows that break the rule, `bad` marks them, where rows can be shown.

    `value` is what to show of them; `unjudged` counts rows for which the rule has no answer. `reads` are the columns of
    a rule that no single column has.
    """

    column: str
    name: str
    allowed: str
    count: pl.Expr
    value: pl.Expr | None = None
    bad: pl.Expr | None = None
    unjudged: pl.Expr | None = None
    reads: tuple[str, ...] = ()


def column_rules(schema: Schema, stored: pl.Schema, typed: bool) -> Iterator[RowRule]:
    """The rules of the columns that are there; `typed` is False for what `with_values` has read from texts."""
    for name, column in schema.columns.items():
        if name not in stored:
            continue
        value, kind = at(stored, name), type_name(stored[name])
        if not typed:
            text, kind = pl.col(_TEXT + name), column.type
            yield _marked(name, "type", column.type, text, text.is_not_null() & value.is_null())
            if not column.nullable:
                yield _empty(name, text)
        else:
            if not accepts(column.type, kind):
                yield RowRule(column=name, name="type", allowed=f"{column.type}, not {kind}", count=pl.len())
            if not column.nullable:
                yield _empty(name, value)
        yield from _value_rules(name, column, value, family(kind))


def _value_rules(name: str, column: Column, value: pl.Expr, kind: str) -> Iterator[RowRule]:
    numeric = kind in ("int", "float")
    number = value.is_not_null()
    if kind == "float":
        number &= value.is_not_nan()
        if not column.nullable:
            yield _marked(name, "nan", "no NaN", None, value.is_nan())
        yield _marked(name, "infinite", "finite numbers", value, value.is_infinite())
    if column.range is not None and numeric:
        low, high = column.range
        outside = pl.lit(False)
        outside = outside if low is None else outside | (value < low)
        outside = outside if high is None else outside | (value > high)
        yield _marked(name, "range", _interval(low, high), value, number & outside)
    if column.enum is not None and (known := _among(value, column.enum, kind)) is not None:
        yield _marked(name, "enum", _listed(column.enum), value, number & ~known.fill_null(False))
    if column.regex is not None and kind == "string":
        fits = value.cast(pl.String).str.contains(f"^(?:{column.regex})$")
        yield _marked(name, "regex", column.regex, value, ~fits)
    if column.unique:
        # Null counts as a value of its own; dropping nulls first would hold the whole column in memory.
        surplus = value.count().cast(pl.Int64) - value.n_unique().cast(pl.Int64) + (value.null_count() > 0)
        repeated = value.is_not_null() & value.is_duplicated()
        yield RowRule(
            column=name, name="duplicate", allowed="each value once", count=surplus, value=value, bad=repeated
        )


def _empty(column: str, value: pl.Expr) -> RowRule:
    return RowRule(column=column, name="null", allowed="no empty value", count=value.null_count(), bad=value.is_null())


def _marked(column: str, name: str, allowed: str, value: pl.Expr | None, bad: pl.Expr) -> RowRule:
    return RowRule(column=column, name=name, allowed=allowed, count=bad.sum(), value=value, bad=bad)


def _among(value: pl.Expr, allowed: tuple[Value, ...], kind: str) -> pl.Expr | None:
    """Whether each value is one of `allowed`; None when the column's type can hold none of them."""
    match kind:
        case "bool":
            return value.is_in([item for item in allowed if isinstance(item, bool)])
        case "int":
            whole = [int(item) for item in allowed if isinstance(item, int | float) and item == int(item)]
            return value.cast(pl.Int64, strict=False).is_in(whole)
        case "float":
            return value.cast(pl.Float64).is_in([float(item) for item in allowed if isinstance(item, int | float)])
        case "string":
            return value.cast(pl.String).is_in([item for item in allowed if isinstance(item, str)])
    return None


def at(stored: pl.Schema, name: str) -> pl.Expr:
    """The column by its position: by name, polars would take `*` or `^a.*$` for patterns."""
    return pl.nth(stored.names().index(name))


def with_values(schema: Schema, texts: pl.LazyFrame) -> pl.LazyFrame:
    """The values that the texts of a CSV file can be read as, under their names, and the texts behind them."""
    stored = texts.collect_schema()
    known = [name for name in stored if name in schema.columns]
    values = [as_type(at(stored, name), schema.columns[name].type).alias(name) for name in known]
    return texts.with_columns(*values, *(at(stored, name).alias(_TEXT + name) for name in known))


def condition_rules(schema: Schema, stored: pl.Schema) -> tuple[tuple[RowRule, ...], Mapping[str, str]]:
    """The SQL rules that can be asked of these columns, and by name why the others cannot."""
    possible, impossible = [], {}
    for rule in schema.rules:
        found = _condition_rule(rule, stored)
        if isinstance(found, str):
            impossible[rule.name] = found
        else:
            possible.append(found)
    return tuple(possible), impossible


def _condition_rule(rule: Rule, stored: pl.Schema) -> RowRule | str:
    expression = condition(rule.expr)
    names = row_columns(expression)
    if absent := [name for name in names if name not in stored]:
        return f"there is no column {', '.join(absent)}"
    try:
        kind = pl.LazyFrame(schema=stored).select(expression).collect_schema().dtypes()
    except PolarsError as error:
        return str(error).strip().partition("\n")[0]
    if kind != [pl.Boolean()]:
        return f"it gives {str(kind[0]).lower()}, not true or false"
    return RowRule(
        column="",
        name=rule.name,
        allowed=rule.expr,
        count=(~expression).sum(),
        bad=~expression,
        unjudged=expression.is_null().sum(),
        reads=names,
    )


def _interval(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _listed(values: tuple[Value, ...]) -> str:
    listed = ", ".join(example(value) for value in values[:10])
    return listed if len(values) <= 10 else f"{listed} and {len(values) - 10} more"
