"""A schema file to begin with, read off a table: suggestions that a person reviews, never the sample as law.

What a sample shows of ranges is written as comments only. Values of columns that seem to be personal, and values of few
rows, are written nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from gatewright.rules.schema import family
from gatewright.rules.types import type_name

SUGGESTED = "# Suggestions from "
"""How a schema file begins until somebody has reviewed it."""
FEW = 20
"""At most so many different values make an `enum`, and at least two."""
_OFTEN = 10  # each value of an enum stands in as many rows: one that is rarer may name somebody, or be a slip
_DECLARABLE = {"int", "float", "string", "bool", "date", "datetime"}
_ID = re.compile(r"(^|_)(id|uuid|guid|key|serial)$")
_PERSONAL = re.compile(
    r"(^|_)((first|last|full|sur|given|middle|user|maiden)_?name|name|e?mail|phone|mobile|tel|fax|address|street|addr|"
    r"ssn|social_security|passport|iban|account|card|licen[cs]e|dob|birth|birthday|birthdate|date_of_birth|ip|"
    r"ip_address|mac|lat|latitude|lon|lng|longitude|zip|zipcode|postcode|postal_code|patient|person|customer|user)"
    r"(_|$|\d)"
)
_SENSITIVE = re.compile(
    r"(^|_)(sex|gender|race|rac1_p|ethnic|ethnicity|hispanic|hisp|origin|religion|age|agep|agegroup|disability|dis|"
    r"marital|mar|nativity|nationality|citizen|citizenship|orientation|pregnant|pregnancy|veteran|language)"
    r"(_|$|\d)"
)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What one column seems to be. `values`: all of them, when they are few and each is frequent.

    `only_in`: the number of rows it was seen in, when other data sets that keep to the schema lack it.
    """

    name: str
    stored: str
    nulls: int
    distinct: int
    low: Any = None
    high: Any = None
    values: tuple[Any, ...] = ()
    only_in: int | None = None

    @property
    def personal(self) -> bool:
        """Whether the name sounds as if the values were somebody's own."""
        return bool(_PERSONAL.search(_snake(self.name)))

    @property
    def sensitive(self) -> bool:
        """Whether the name sounds like a group that must not be treated worse."""
        return not self.personal and bool(_SENSITIVE.search(_snake(self.name)))


def guess(frame: pl.LazyFrame) -> tuple[int, tuple[Guess, ...]]:
    """The number of rows, and a guess for each column: one streaming query, and one for each column of few values."""
    stored = {name: type_name(dtype) for name, dtype in frame.collect_schema().items()}
    asked = [pl.len().alias("rows")]
    for index, (_, dtype) in enumerate(stored.items()):
        column, kind = pl.nth(index), family(dtype)
        if kind not in _DECLARABLE:
            asked.append(column.null_count().alias(f"nulls{index}"))
            continue
        empty = column.is_null() | column.is_nan() if kind == "float" else column.is_null()
        asked += [empty.sum().alias(f"nulls{index}"), column.n_unique().alias(f"distinct{index}")]
        if kind in ("int", "float", "date", "datetime"):
            finite = column.filter(column.is_finite()) if kind == "float" else column
            asked += [finite.min().alias(f"low{index}"), finite.max().alias(f"high{index}")]
    row = frame.select(asked).collect(engine="streaming").row(0, named=True)
    guesses = [
        Guess(
            name=name,
            stored=dtype,
            nulls=int(row[f"nulls{index}"]),
            distinct=int(row.get(f"distinct{index}") or 0) - (1 if row[f"nulls{index}"] else 0),
            low=row.get(f"low{index}"),
            high=row.get(f"high{index}"),
            values=(),
        )
        for index, (name, dtype) in enumerate(stored.items())
    ]
    return int(row["rows"]), _with_values(frame, guesses)


def schema_text(rows: int, guesses: Sequence[Guess], source: str) -> str:
    """The schema file, with what was seen as comments for whoever reviews it."""
    lines = [
        f"{SUGGESTED}{rows:,} rows of {json.dumps(source)}: review each line, then remove its comment.",
        "# A sample is no law: ranges stand in comments only. Names decided what is marked sensitive or personal.",
        "columns:",
    ]
    for each in guesses:
        lines += _lines(each, rows if each.only_in is None else each.only_in)
    lines += [
        "# rows: {min: 1000, max_change: 0.5}  # how few are too few, and which jump from one version to the next?",
        "",
    ]
    return "\n".join(lines)


def _with_values(frame: pl.LazyFrame, guesses: Sequence[Guess]) -> tuple[Guess, ...]:
    few = [
        index
        for index, each in enumerate(guesses)
        if family(each.stored) in ("int", "string") and 2 <= each.distinct <= FEW and not each.personal
    ]
    queries = [
        frame.select(pl.nth(index).alias("value")).drop_nulls().group_by("value").len().sort("value") for index in few
    ]
    told = list(guesses)
    for index, table in zip(few, pl.collect_all(queries, engine="streaming") if queries else (), strict=True):
        if min(table["len"].to_list(), default=0) >= _OFTEN:
            told[index] = replace(told[index], values=tuple(table["value"].to_list()))
    return tuple(told)


def _lines(each: Guess, rows: int) -> Iterator[str]:
    kind = family(each.stored)
    if kind not in _DECLARABLE:
        yield f"  # {_key(each.name)}: no schema type describes {each.stored}: leave the column out of the data"
        return
    words = [f"type: {kind}"]
    if each.nulls:
        words.append("nullable: true")
    if each.values:
        words.append(f"enum: [{', '.join(_value(value) for value in each.values)}]")
    unique = not each.nulls and rows > 1 and each.distinct == rows and kind in ("int", "string")
    if unique and _ID.search(_snake(each.name)):
        words.append("unique: true")
    if each.sensitive:
        words.append("sensitive: true")
    if each.personal:
        words.append("personal: true")
    if each.only_in is not None:
        words.append("optional: true")
    remarks = "; ".join(_remarks(each, rows, unique))
    yield f"  {_key(each.name)}: {{{', '.join(words)}}}" + (f"  # {remarks}" if remarks else "")


def _remarks(each: Guess, rows: int, unique: bool) -> Iterator[str]:
    if each.nulls:
        yield f"{each.nulls:,} of {rows:,} rows are empty"
    if each.values:
        yield "are these all values there can be?"
    elif each.low is not None and not each.personal and not unique:
        what = ", range: [?, ?]" if family(each.stored) in ("int", "float") else ""
        yield f"seen {each.low} to {each.high}{what}"
    if unique and not _ID.search(_snake(each.name)):
        yield "no value stands twice: unique: true?"
    if each.sensitive:
        yield "sensitive by its name?"
    if each.personal:
        yield "personal by its name?"


def _snake(name: str) -> str:
    """`PatientID` and `patient id` as `patient_id`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def _key(name: str) -> str:
    """A name as a key of YAML: quoted where our reader, or another one, would take it for something else."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _WORDS else json.dumps(name)


def _value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else str(value)
