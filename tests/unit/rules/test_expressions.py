"""Conditions in SQL: what may stand in them, and what is refused before polars parses it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.rules.expressions import FUNCTIONS, condition, condition_fault
from gatewright.rules.measuring.factors import columns_of

COLUMNS = {"age": "int", "pay": "float", "name": "string", "joined": "date", "in service": "bool"}


@pytest.mark.parametrize(
    "text",
    [
        "age > 18",
        "age BETWEEN 0 AND 99 AND (name = 'it''s' OR name LIKE '%x')",
        "NOT (age IN (1, 2))",
        "CASE WHEN age > 3 THEN pay > 2 ELSE (pay > 1) END",
        "EXTRACT(YEAR FROM joined) > 2000",
        "joined > DATE '2020-01-01'",
        "try_cast(name AS INT) > 3",
        "regexp_like(name, '^\\d+$')",
        '"in service" OR pay / age > 1.5e3',
        "name = 'select -- /* ('",
    ],
)
def test_conditions(text: str) -> None:
    assert condition_fault(text, COLUMNS) is None
    assert condition(text).meta.root_names()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("age", "gives int64, not true or false"),
        ("salary > 1", 'unable to find column "salary"'),
        ("1 = 1", "names no column"),
        ("age >", "is no condition"),
        ("count(*) > age", "calls count"),
        ("age > avg(age)", "calls avg"),
        ("row_number() OVER (ORDER BY age) > 1", "calls row_number"),
        ("cast(name AS INT) > 1", "try_cast gives null"),
        ("name::int > 1", "write try_cast"),
        ('"^a.*$" > age', "names a pattern of columns"),
        ("age > 1 -- yes", "has a comment"),
        ("age > $1", "has '$'"),
        ("joined > '2020-01-01'", "is no condition"),
    ],
)
def test_what_is_no_condition_on_one_row(text: str, why: str) -> None:
    assert why in (condition_fault(text, COLUMNS) or "")


@pytest.mark.parametrize(
    "text",
    [
        "age IN (SELECT * FROM read_csv('{file}'))",
        "age IN (FROM read_csv('{file}'))",
        "/* ' */ age IN (SELECT * FROM read_csv('{file}')) /* ' */",
        "name = E'\\'' OR age IN (SELECT * FROM read_csv('{file}')) OR name = ' '",
        "age > 1 OR \"read_csv\"('{file}')",
        "EXISTS (TABLE read_csv('{file}'))",
        "age = ANY (WITH x AS (SELECT 1) SELECT * FROM x)",
    ],
)
def test_no_file_is_read(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("age\n1\n")
    parsed: list[str] = []
    monkeypatch.setattr(pl, "sql_expr", parsed.append)
    told = text.replace("{file}", str(file))
    assert condition_fault(told, COLUMNS) is not None
    with pytest.raises(ValueError, match=r"calls|comment|before a quote|looks at one row"):
        condition(told)
    with pytest.raises(UnusableInput, match="is no condition"):
        columns_of(told)
    assert parsed == []


def test_polars_knows_every_function_that_is_allowed() -> None:
    """A function that polars forgot would be offered by the message about unknown ones."""
    arguments = {
        **dict.fromkeys(["coalesce", "greatest", "least", "concat", "nullif", "ifnull"], "name, name"),
        **dict.fromkeys(["bit_length", "char_length", "character_length", "initcap", "length", "lower"], "name"),
        **dict.fromkeys(["octet_length", "reverse", "upper", "ltrim", "rtrim"], "name"),
        **dict.fromkeys(["left", "right"], "name, 1"),
        **dict.fromkeys(["ends_with", "starts_with", "strpos", "regexp_like"], "name, 'a'"),
        **dict.fromkeys(["mod", "pow", "power", "log", "round"], "pay, 2"),
        "concat_ws": "'-', name",
        "replace": "name, 'a', 'b'",
        "substr": "name, 1",
        "substring": "name, 1, 1",
        "trim": "name",
        "position": "'a' IN name",
        "if": "age > 1, age, age",
        "date_part": "'year', joined",
        "extract": "YEAR FROM joined",
        "try_cast": "name AS INT",
    }
    for name in FUNCTIONS:
        fault = condition_fault(f"{name}({arguments.get(name, 'pay')}) IS NOT NULL", COLUMNS)
        assert fault is None, (name, fault)
