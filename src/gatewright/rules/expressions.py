"""Conditions on one row, written in SQL: only what is known to be harmless gets to polars' parser.

`polars.sql_expr` runs subqueries while it parses, and those can read files. So the words of the text are looked at
first: no query, no comment, no function that is not listed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import polars as pl
from polars.exceptions import PolarsError

from gatewright.rules.types import dtype_of

FUNCTIONS = frozenset(
    {
        *(
            "abs",
            "cbrt",
            "ceil",
            "ceiling",
            "exp",
            "floor",
            "ln",
            "log",
            "log10",
            "log1p",
            "log2",
            "mod",
            "pow",
            "power",
        ),
        *("round", "sign", "sqrt", "bit_length", "char_length", "character_length", "concat", "concat_ws", "ends_with"),
        *(
            "initcap",
            "left",
            "length",
            "lower",
            "ltrim",
            "octet_length",
            "position",
            "regexp_like",
            "replace",
            "reverse",
        ),
        *("right", "rtrim", "starts_with", "strpos", "substr", "substring", "trim", "upper", "coalesce", "greatest"),
        *("if", "ifnull", "least", "nullif", "date_part", "extract", "try_cast"),
    }
)
"""All that a condition may call: of one row, without a file, and null where it has no answer."""
_BEFORE_BRACKETS = frozenset(
    {"and", "between", "case", "else", "ilike", "in", "is", "like", "not", "or", "regexp", "rlike", "then", "when"}
)
_REFUSED = frozenset(
    {"all", "any", "exists", "fetch", "join", "limit", "over", "select", "table", "union", "using", "values", "with"}
)
_TOKEN = re.compile(
    r"(?P<text>'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")*\")|(?P<word>[A-Za-z_]\w*)|(?P<number>\d[\w.]*)"
    r"|(?P<space>\s+)|(?P<comment>--|/\*|\#)|(?P<sign>[-+*/%<>=!|(),.:~^&]+?)|(?P<other>.)",
    re.DOTALL,
)


def condition_fault(text: str, columns: Mapping[str, str]) -> str | None:
    """Why `text` is no condition on one row of a table with these columns (name → type); None when it is one."""
    if words := next(_harms(text), None):
        return words
    try:
        expression = pl.sql_expr(text)
        names = row_columns(expression)
        kind = _empty(columns).select(expression).collect_schema().dtypes()
    except PolarsError as error:
        return f"is no condition: {_first_line(error)}"
    if '"Agg"' in expression.meta.serialize(format="json"):
        return "looks at more than one row"
    if not names:
        return "names no column"
    if kind != [pl.Boolean()]:
        return f"gives {str(kind[0]).lower() if len(kind) == 1 else 'several values'}, not true or false"
    return None


def condition(text: str) -> pl.Expr:
    """The expression of a condition without a fault."""
    if words := next(_harms(text), None):
        raise ValueError(f"{text!r} {words}")
    return pl.sql_expr(text)


def harm(text: str, *, any_function: bool = False) -> str | None:
    """Why `text` must not be parsed as SQL at all; None when it may. `any_function` lets every call through."""
    return next(_harms(text, any_function), None)


def row_columns(expression: pl.Expr) -> tuple[str, ...]:
    """The columns that an expression names."""
    return tuple(dict.fromkeys(expression.meta.root_names()))


def _harms(text: str, any_function: bool = False) -> Iterator[str]:
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)]
    for index, (kind, token) in enumerate(tokens):
        beside = tokens[index + 1] if index + 1 < len(tokens) else ("", "")
        after = next((word for kind, word in tokens[index + 1 :] if kind != "space"), "")
        low = token.lower()
        if kind == "comment":
            yield f"has a comment ({token})"
        elif kind == "other":
            yield f"has {token!r}, which no condition needs"
        elif kind == "text" and "\\'" in token:
            yield "has a backslash before a quote: double the quote instead"
        elif kind == "quoted" and token[1:2] in ("^", "*"):
            yield f"names a pattern of columns: {token}"
        elif kind == "word" and beside[0] == "text":
            yield f"has {token} before a quote without a space"
        elif kind == "word" and (low in _REFUSED or (low == "from" and not _extracts(tokens[:index]))):
            yield f"has {token.upper()}: a condition looks at one row, and asks nobody else"
        elif kind == "quoted" and after.startswith("("):
            yield f"calls {token}"
        elif any_function:
            continue
        elif kind == "word" and after.startswith("(") and low not in FUNCTIONS | _BEFORE_BRACKETS:
            hint = "; try_cast gives null for what it cannot read" if low == "cast" else ""
            yield f"calls {token}, which is not allowed{hint}; allowed: {', '.join(sorted(FUNCTIONS))}"
    if "::" in text and not any_function:
        yield "has :: (a cast that ends the query where it fails): write try_cast(x AS type)"


def _extracts(before: list[tuple[str, str]]) -> bool:
    """Whether these tokens end in `extract ( part`."""
    words = [token.lower() for kind, token in before if kind != "space"]
    return len(words) >= 3 and words[-3:-1] == ["extract", "("]


def _empty(columns: Mapping[str, str]) -> pl.LazyFrame:
    return pl.LazyFrame(schema={name: dtype_of(kind) for name, kind in columns.items()})


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
