"""Is this data fit to train on, and is it new?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from gatewright.rules.schema import Column, Schema, Value, accepts, family
from gatewright.rules.types import as_type, example, type_name

_EXAMPLES = 5
_LOOKED_AT = 1000
HIDDEN = "(personal: not shown)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule that `count` of `rows` rows break. `column` is empty for the table as a whole.

    `rule` is one of missing, extra, type, null, nan, infinite, range, enum, regex, duplicate, classes, rows.
    """

    column: str
    rule: str
    count: int
    rows: int
    allowed: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.column}: " if self.column else ""
        seen = f"; for example {', '.join(self.examples)}" if self.examples else ""
        return f"{where}{self.rule}: {self.count:,} of {self.rows:,} rows; allowed: {self.allowed}{seen}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """`count` gives the number of rows that break the rule; `bad` marks them in `value`, when examples help."""

    column: str
    name: str
    allowed: str
    count: pl.Expr
    value: pl.Expr | None = None
    bad: pl.Expr | None = None


def violations(
    schema: Schema,
    frame: pl.LazyFrame,
    *,
    typed: bool = True,
    parent_rows: int | None = None,
    label: str | None = None,
) -> tuple[Violation, ...]:
    """Every rule of `schema` that `frame` breaks, with exact counts from one streaming query.

    `typed` is False for a frame of text only (CSV): its values are then judged by what they can be read as.
    `parent_rows` is the size of the parent version, for `rows.max_change`; `label` must hold two values or more.
    A second query, for examples, runs only if something is broken. Errors of the bytes are polars' own.
    """
    stored = frame.collect_schema()
    rules = list(_column_rules(schema, stored, typed))
    if label is not None and label in stored:
        few = _at(stored, label).drop_nulls().n_unique() < 2
        rules.append(_Rule(column=label, name="classes", allowed="two or more values", count=few * pl.len()))
    counts = frame.select(
        pl.len().alias("rows"), *(rule.count.cast(pl.UInt64).alias(f"r{index}") for index, rule in enumerate(rules))
    ).collect(engine="streaming")
    rows, *numbers = (int(number) for number in counts.row(0))
    broken = [(rule, count) for rule, count in zip(rules, numbers, strict=True) if count]
    seen = _examples(frame, [rule for rule, _ in broken], schema)
    found = [
        Violation(column=rule.column, rule=rule.name, count=count, rows=rows, allowed=rule.allowed, examples=shown)
        for (rule, count), shown in zip(broken, seen, strict=True)
    ]
    return (*_shape(schema, stored, rows, parent_rows), *found)


def _shape(schema: Schema, stored: pl.Schema, rows: int, parent_rows: int | None) -> Iterator[Violation]:
    limits = schema.rows
    whole = Violation(column="", rule="rows", count=rows, rows=rows, allowed="")
    if rows < limits.min:
        yield replace(whole, allowed=f"at least {limits.min:,}")
    if limits.max_change is not None and parent_rows and abs(rows - parent_rows) > limits.max_change * parent_rows:
        yield replace(whole, allowed=f"{parent_rows:,} (of the parent version) ± {limits.max_change:.0%}")
    for name, column in schema.columns.items():
        if name not in stored:
            yield replace(whole, column=name, rule="missing", allowed=f"a column of type {column.type}")
    for name in stored:
        if name not in schema.columns:
            yield replace(whole, column=name, rule="extra", allowed="only columns of the schema file")


def _column_rules(schema: Schema, stored: pl.Schema, typed: bool) -> Iterator[_Rule]:
    for name, column in schema.columns.items():
        if name not in stored:
            continue
        value, kind = _at(stored, name), type_name(stored[name])
        if not typed:
            text, value, kind = value, as_type(value, column.type), column.type
            yield _marked(name, "type", column.type, text, text.is_not_null() & value.is_null())
            if not column.nullable:
                yield _Rule(column=name, name="null", allowed="no empty value", count=text.null_count())
        else:
            if not accepts(column.type, kind):
                yield _Rule(column=name, name="type", allowed=f"{column.type}, not {kind}", count=pl.len())
            if not column.nullable:
                yield _Rule(column=name, name="null", allowed="no empty value", count=value.null_count())
        yield from _value_rules(name, column, value, family(kind))


def _value_rules(name: str, column: Column, value: pl.Expr, kind: str) -> Iterator[_Rule]:
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
        surplus = value.drop_nulls().len() - value.drop_nulls().n_unique()
        repeated = value.is_not_null() & value.is_duplicated()
        yield _Rule(column=name, name="duplicate", allowed="each value once", count=surplus, value=value, bad=repeated)


def _marked(column: str, name: str, allowed: str, value: pl.Expr | None, bad: pl.Expr) -> _Rule:
    return _Rule(column=column, name=name, allowed=allowed, count=bad.sum(), value=value, bad=bad)


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


def _at(stored: pl.Schema, name: str) -> pl.Expr:
    """The column by its position: by name, polars would take `*` or `^a.*$` for patterns."""
    return pl.nth(stored.names().index(name))


def _examples(frame: pl.LazyFrame, rules: Sequence[_Rule], schema: Schema) -> list[tuple[str, ...]]:
    wanted = {
        f"r{index}": rule.value.filter(rule.bad).head(_LOOKED_AT).unique(maintain_order=True).head(_EXAMPLES).implode()
        for index, rule in enumerate(rules)
        if rule.value is not None and rule.bad is not None and not schema.columns[rule.column].personal
    }
    found: Mapping[str, pl.Series] = {}
    if wanted:
        row = frame.select(expression.alias(name) for name, expression in wanted.items()).collect(engine="streaming")
        found = {name: row[name][0] for name in wanted}
    shown = []
    for index, rule in enumerate(rules):
        hidden = rule.value is not None and f"r{index}" not in wanted
        shown.append((HIDDEN,) if hidden else tuple(example(value) for value in found.get(f"r{index}", ())))
    return shown


def _interval(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _listed(values: tuple[Value, ...]) -> str:
    listed = ", ".join(example(value) for value in values[:10])
    return listed if len(values) <= 10 else f"{listed} and {len(values) - 10} more"
