"""Is this data fit to train on, and is it new?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import polars as pl

from gatewright.rules.data_reference import DriftFound, Reference, drift_found, drift_questions
from gatewright.rules.data_rules import RowRule, at, column_rules, condition_rules, with_values
from gatewright.rules.schema import Schema
from gatewright.rules.types import example

EXAMPLE_ROWS = 20
_EXAMPLES = 5
_LOOKED_AT = 1000
_KEYS = 2
_ROW = "\0row"
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
    `reference` is what drift is measured from. A second query, for examples, runs only if something is broken.
    Errors of the bytes are polars' own.
    """
    told = frame.collect_schema()
    frame = frame if typed else with_values(schema, frame)
    stored = frame.collect_schema()
    conditions, impossible = condition_rules(schema, stored)
    rules = [*column_rules(schema, stored, typed), *conditions]
    if label is not None and label in told:
        few = at(stored, label).drop_nulls().n_unique() < 2
        rules.append(RowRule(column=label, name="classes", allowed="two or more values", count=few * pl.len()))
    questions = drift_questions(reference, schema, stored) if reference else ()
    unjudged = [rule for rule in rules if rule.unjudged is not None]
    asked = frame.select(
        pl.len().alias("rows"),
        *(rule.count.cast(pl.UInt64).alias(f"r{index}") for index, rule in enumerate(rules)),
        *(
            rule.unjudged.cast(pl.UInt64).alias(f"u{index}")
            for index, rule in enumerate(unjudged)
            if rule.unjudged is not None
        ),
        *(count.alias(f"d{index}") for index, count in enumerate(count for each in questions for count in each.counts)),
    )
    answers = asked.collect(engine="streaming").row(0, named=True)
    rows = int(answers["rows"])
    broken = [(rule, count) for index, rule in enumerate(rules) if (count := int(answers[f"r{index}"] or 0))]
    unknown = {rule.name: count for index, rule in enumerate(unjudged) if (count := int(answers[f"u{index}"] or 0))}
    numbers = [int(value or 0) for name, value in answers.items() if name.startswith("d")]
    return DataJudgement(
        rows=rows,
        violations=(*_shape(schema, told, rows, parent_rows), *_with_examples(frame, broken, schema, rows)),
        unjudged={**impossible, **unknown},
        drift=drift_found(reference, schema, questions, numbers, rows, label) if reference else None,
    )


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


def _with_examples(
    frame: pl.LazyFrame, broken: Sequence[tuple[RowRule, int]], schema: Schema, rows: int
) -> Iterator[Violation]:
    """The violations, with what one query finds of the rows that break them; values of personal columns stay there."""
    stored = frame.collect_schema()
    wanted: dict[str, pl.Expr] = {}
    for index, (rule, _) in enumerate(broken):
        if rule.bad is None:
            continue
        if rule.value is not None and not _is_personal(schema, rule.column):
            seen = rule.value.filter(rule.bad).head(_LOOKED_AT).unique(maintain_order=True).head(_EXAMPLES)
            wanted[f"v{index}"] = seen.implode()
        for name in (_ROW, *_shown(rule, schema, stored)):
            column = pl.col(_ROW) if name == _ROW else at(stored, name)
            wanted[f"r{index} {name}"] = column.filter(rule.bad).head(EXAMPLE_ROWS).implode()
    found: Mapping[str, Any] = {}
    if wanted:
        numbered = frame.with_row_index(_ROW, 1).select(pl.nth(range(1, len(stored) + 1)), pl.col(_ROW))
        row = numbered.select(each.alias(name) for name, each in wanted.items()).collect(engine="streaming")
        found = {name: row[name][0] for name in wanted}
    for index, (rule, count) in enumerate(broken):
        hidden = rule.value is not None and rule.bad is not None and f"v{index}" not in wanted
        yield Violation(
            column=rule.column,
            rule=rule.name,
            count=count,
            rows=rows,
            allowed=rule.allowed,
            examples=(HIDDEN,) if hidden else tuple(example(value) for value in found.get(f"v{index}", ())),
            example_rows=tuple(_rows(found, f"r{index} ", rule, schema)),
        )


def _shown(rule: RowRule, schema: Schema, stored: pl.Schema) -> list[str]:
    """The columns of example rows whose values may be shown."""
    keys = [name for name, column in schema.columns.items() if column.unique and name in stored][:_KEYS]
    names = dict.fromkeys((*keys, *((rule.column,) if rule.column else rule.reads)))
    return [name for name in names if not _is_personal(schema, name)]


def _rows(found: Mapping[str, Any], prefix: str, rule: RowRule, schema: Schema) -> Iterator[Mapping[str, str]]:
    columns = {name.removeprefix(prefix): list(found[name]) for name in found if name.startswith(prefix)}
    numbers = columns.pop(_ROW, [])
    hidden = [name for name in ((rule.column,) if rule.column else rule.reads) if _is_personal(schema, name)]
    for index, number in enumerate(numbers):
        values = {name: example(column[index]) for name, column in columns.items()}
        yield {"row": f"{number:,}", **values, **dict.fromkeys(hidden, HIDDEN)}


def _is_personal(schema: Schema, name: str) -> bool:
    return name in schema.columns and schema.columns[name].personal
