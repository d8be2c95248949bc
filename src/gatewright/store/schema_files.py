"""Schema files: which columns a data set has and what may stand in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gatewright.config.nodes import parse
from gatewright.config.problems import dotted, failure
from gatewright.config.reader import read_as
from gatewright.domain.errors import DataError, Problem
from gatewright.effects.files import read_bytes
from gatewright.rules.schema import Schema, contradictions

_LIMIT = 1 << 20


def read_schema(path: Path) -> Schema:
    """The schema in the YAML file `path`; DataError with every problem at its line and column."""
    document = parse(read_bytes(path, _LIMIT), str(path), error=DataError)
    schema = read_as(Schema, document, error=DataError)
    problems = [
        Problem(where=document.place(at), field=dotted(at), what=what)
        for at, what in (*contradictions(schema), *_expressions(schema))
    ]
    if problems:
        raise failure(DataError, str(path), problems, fix="see docs/data.md, The schema file")
    return schema


def _expressions(schema: Schema) -> Iterator[tuple[tuple[str | int, ...], str]]:
    patterns = {name: column.regex for name, column in schema.columns.items() if column.regex is not None}
    if schema.rules:
        from gatewright.rules.expressions import condition_fault

        types = {name: column.type for name, column in schema.columns.items()}
        for index, rule in enumerate(schema.rules):
            if fault := condition_fault(rule.expr, types):
                yield ("rules", index, "expr"), fault
    if patterns:
        yield from _no_patterns(patterns)


def _no_patterns(patterns: Mapping[str, str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    import polars as pl
    from polars.exceptions import PolarsError

    for name, pattern in patterns.items():
        try:
            pl.Series([""]).str.contains(pattern)
        except PolarsError as error:
            reason = re.search(r"error: (.+)", str(error).partition("\n")[2])
            yield ("columns", name, "regex"), f"is no regular expression: {reason[1] if reason else pattern}"
