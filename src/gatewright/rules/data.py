"""Is this data fit to train on, and is it new?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import polars as pl

from gatewright.rules.data_reference import DriftFound, Question, Reference, drift_found, drift_questions, others
from gatewright.rules.data_rules import RowRule, at, column_rules, condition_rules, with_values
from gatewright.rules.schema import Schema
from gatewright.rules.types import example

EXAMPLE_ROWS = 20
_EXAMPLES = 5
_LOOKED_AT = 50
_KEYS = 2
_ROW, _VALUE = "\0row", "\0value"
_SMALL, _PART = 1_000_000, 64
HIDDEN = "(personal: not shown)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule that `count` of `rows` rows break. `column` is empty for the table as a whole and for rules in SQL.

    `rule` is one of missing, extra, type, null, nan, infinite, range, enum, regex, duplicate, classes, rows, or the
    name of a rule in SQL. `examples` are values; `example_rows` at most 20 rows, each with its number from 1 (`row`),
    its unique columns and those that the rule reads.
    """

    column: str
    rule: str
    count: int
    rows: int
    allowed: str
    examples: tuple[str, ...] = ()
    example_rows: tuple[Mapping[str, str], ...] = ()

    def __str__(self) -> str:
        where = f"{self.column}: " if self.column else ""
        seen = f"; for example {', '.join(self.examples)}" if self.examples else ""
        return f"{where}{self.rule}: {self.count:,} of {self.rows:,} rows; allowed: {self.allowed}{seen}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataJudgement:
    """All that is wrong with a table, and how far it moved from the reference.

    `unjudged` tells by name of a rule in SQL for how many rows it had no answer (a value was null), or, in words,
    why it could not be asked at all.
    """

    rows: int
    violations: tuple[Violation, ...]
    unjudged: Mapping[str, int | str] = field(default_factory=dict)
    drift: DriftFound | None = None

    @property
    def status(self) -> Literal["pass", "warn", "fail"]:
        """fail for a violation or drift from its upper limit on; warn for drift in between, and for rules not asked."""
        drift = self.drift.status if self.drift else "pass"
        if self.violations or drift == "fail":
            return "fail"
        return "warn" if drift == "warn" or any(isinstance(why, str) for why in self.unjudged.values()) else "pass"


def violations(schema: Schema, frame: pl.LazyFrame, **more: Any) -> tuple[Violation, ...]:
    """Every rule of `schema` that `frame` breaks: see `judge_data`."""
    return judge_data(schema, frame, **more).violations


def judge_data(
    schema: Schema,
    frame: pl.LazyFrame,
    *,
    typed: bool = True,
    parent_rows: int | None = None,
    label: str | None = None,
    reference: Reference | None = None,
) -> DataJudgement:
    """Every rule of `schema` that `frame` breaks, and its drift, with exact counts from one streaming query.

    `typed` is False for a frame of text only (CSV): its values are then judged by what they can be read as.
    `parent_rows` is the size of the parent version, for `rows.max_change`; `label` must hold two values or more.
    `reference` is what drift is measured from. More queries, for examples, run only for what is broken.
    Errors of the bytes are polars' own.
    """
    told = frame.collect_schema()
    frame = frame if typed else with_values(schema, frame)
    stored = frame.collect_schema()
    conditions, impossible = condition_rules(schema, stored)
    rules = [*column_rules(schema, stored, typed), *conditions]
    if label is not None and label in told:
        few = _one_value(at(stored, label), stored[label])
        rules.append(RowRule(column=label, name="classes", allowed="two or more values", count=few * pl.len()))
    questions = drift_questions(reference, schema, stored) if reference else ()
    counted = _Counted.of(frame, rules, questions, schema)
    broken = [(rule, count) for rule, count in zip(rules, counted.broken, strict=True) if count]
    return DataJudgement(
        rows=counted.rows,
        violations=(
            *_shape(schema, told, counted.rows, parent_rows),
            *_with_examples(frame, broken, schema, counted.rows),
        ),
        unjudged={**impossible, **counted.unjudged},
        drift=drift_found(reference, schema, questions, counted.answers, counted.rows, label) if reference else None,
    )


def _one_value(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Whether a column holds one value at most, nulls left out.

    Not by counting them where it can be helped: a second `n_unique` in a query has polars hold whole columns in memory.
    """
    if not (dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.Boolean, pl.String)):
        return value.drop_nulls().n_unique() < 2
    one = (value.min() == value.max()).fill_null(True)
    return one & ~(value.is_nan().any() & value.is_not_nan().any()) if dtype.is_float() else one


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What the one query tells: rows that break each rule, rows that a rule had no answer for, answers on drift."""

    rows: int
    broken: list[int]
    unjudged: dict[str, int]
    answers: list[int]

    @classmethod
    def of(
        cls, frame: pl.LazyFrame, rules: Sequence[RowRule], questions: Sequence[Question], schema: Schema
    ) -> _Counted:
        by_column = {question.name: question for question in questions if question.counts}
        told = {
            index: by_column[rule.column]
            for index, rule in enumerate(rules)
            if rule.name == "enum" and rule.column in by_column and _tells(by_column[rule.column], rule, schema)
        }
        wanted = {f"r{index}": rule.count for index, rule in enumerate(rules) if index not in told}
        wanted |= {f"u{index}": rule.unjudged for index, rule in enumerate(rules) if rule.unjudged is not None}
        wanted |= {f"d{name} {index}": each for name, one in by_column.items() for index, each in enumerate(one.counts)}
        query = frame.select(
            pl.len().alias("rows"), *(each.cast(pl.Int64).alias(name) for name, each in wanted.items())
        )
        row = {name: int(value or 0) for name, value in query.collect(engine="streaming").row(0, named=True).items()}
        answers = {
            name: [row[f"d{name} {index}"] for index in range(len(one.counts))] for name, one in by_column.items()
        }
        broken = [
            row[f"r{index}"]
            if index not in told
            else others(told[index], answers[rule.column], schema.columns[rule.column].enum or (), row["rows"]) or 0
            for index, rule in enumerate(rules)
        ]
        return cls(
            rows=row["rows"],
            broken=broken,
            unjudged={rule.name: count for index, rule in enumerate(rules) if (count := row.get(f"u{index}", 0))},
            answers=[number for question in questions for number in answers.get(question.name, ())],
        )


def _tells(question: Question, rule: RowRule, schema: Schema) -> bool:
    """Whether the counts of a column's values tell how many are not allowed, so that no row is asked twice."""
    allowed = schema.columns[rule.column].enum or ()
    return others(question, [0] * len(question.counts), allowed, 0) is not None


def _shape(schema: Schema, stored: pl.Schema, rows: int, parent_rows: int | None) -> Iterator[Violation]:
    limits = schema.rows
    whole = Violation(column="", rule="rows", count=rows, rows=rows, allowed="")
    if rows < limits.min:
        yield replace(whole, allowed=f"at least {limits.min:,}")
    if limits.max_change is not None and parent_rows and abs(rows - parent_rows) > limits.max_change * parent_rows:
        yield replace(whole, allowed=f"{parent_rows:,} (of the parent version) ± {limits.max_change:.0%}")
    for name, column in schema.columns.items():
        if name not in stored and not column.optional:
            yield replace(whole, column=name, rule="missing", allowed=f"a column of type {column.type}")
    for name in stored:
        if name not in schema.columns:
            yield replace(whole, column=name, rule="extra", allowed="only columns of the schema file")


def _with_examples(
    frame: pl.LazyFrame, broken: Sequence[tuple[RowRule, int]], schema: Schema, rows: int
) -> Iterator[Violation]:
    """The violations, each with the first rows that break it; values of personal columns stay where they are."""
    stored = frame.collect_schema()
    numbered = frame.with_row_index(_ROW, 1).select(pl.nth(range(1, len(stored) + 1)), pl.col(_ROW))
    found = [_first_rows(numbered, stored, rule, schema, rows) if rule.bad is not None else {} for rule, _ in broken]
    unique = [name for name, column in schema.columns.items() if column.unique and name in stored]
    names = [name for name in unique if not _is_personal(schema, name)][:_KEYS]
    without = [columns for (rule, _), columns in zip(broken, found, strict=True) if set(names) - set(_reads(rule))]
    keys = _keys(numbered, stored, names, without)
    for (rule, count), columns in zip(broken, found, strict=True):
        values: tuple[str, ...] = ()
        if columns and rule.value is not None:
            personal = _is_personal(schema, rule.column)
            values = (HIDDEN,) if personal else tuple(map(example, dict.fromkeys(columns[_VALUE])))[:_EXAMPLES]
        yield Violation(
            column=rule.column,
            rule=rule.name,
            count=count,
            rows=rows,
            allowed=rule.allowed,
            examples=values,
            example_rows=tuple(_rows(columns, keys, rule, schema)),
        )


def _first_rows(
    numbered: pl.LazyFrame, stored: pl.Schema, rule: RowRule, schema: Schema, rows: int
) -> dict[str, list[Any]]:
    """Numbers and values of the first rows that break a rule: only its own columns are read, and no more rows."""
    assert rule.bad is not None
    shown = {f"c{name}": at(stored, name) for name in _reads(rule) if not _is_personal(schema, name)}
    value = {} if rule.value is None or _is_personal(schema, rule.column) else {_VALUE: rule.value}
    marked = numbered.select(pl.col(_ROW), **shown, **value, bad=rule.bad)
    if rule.name == "duplicate" and rule.value is not None and rows > _SMALL:
        # Equal values have equal hashes: in a part of all hashes duplicates are still duplicates, and cost less.
        some = numbered.select(pl.col(_ROW), **shown, **value, key=rule.value).filter(pl.col("key").hash() % _PART == 0)
        twice = some.filter(pl.col("key").is_not_null() & pl.col("key").is_duplicated()).drop("key")
        found = twice.head(_LOOKED_AT).collect(engine="streaming")
        if found.height:
            return found.to_dict(as_series=False)
    return marked.filter("bad").drop("bad").head(_LOOKED_AT).collect(engine="streaming").to_dict(as_series=False)


def _keys(
    numbered: pl.LazyFrame, stored: pl.Schema, names: Sequence[str], found: Sequence[Mapping[str, list[Any]]]
) -> Mapping[int, Mapping[str, str]]:
    """Row number → the unique columns of that row, for all rows that are shown."""
    numbers = sorted({number for columns in found for number in columns.get(_ROW, ())[:EXAMPLE_ROWS]})
    if not names or not numbers:
        return {}
    read = numbered.head(numbers[-1])
    shown = read.select(pl.col(_ROW), **{f"c{name}": at(stored, name) for name in names})
    rows = shown.filter(pl.col(_ROW).is_in(numbers)).collect(engine="streaming").rows()
    return {number: dict(zip(names, map(example, values), strict=True)) for number, *values in rows}


def _rows(
    found: Mapping[str, list[Any]], keys: Mapping[int, Mapping[str, str]], rule: RowRule, schema: Schema
) -> Iterator[Mapping[str, str]]:
    hidden = dict.fromkeys((name for name in _reads(rule) if _is_personal(schema, name)), HIDDEN)
    columns = {name[1:]: values for name, values in found.items() if name.startswith("c")}
    for index, number in enumerate(found.get(_ROW, ())[:EXAMPLE_ROWS]):
        values = {name: example(column[index]) for name, column in columns.items()}
        yield {"row": f"{number:,}", **keys.get(number, {}), **values, **hidden}


def _reads(rule: RowRule) -> tuple[str, ...]:
    return (rule.column,) if rule.column else rule.reads


def _is_personal(schema: Schema, name: str) -> bool:
    return name in schema.columns and schema.columns[name].personal
