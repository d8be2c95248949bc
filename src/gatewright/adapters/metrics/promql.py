"""As much of PromQL as is needed to see of what series an expression is made, and that it adds up counters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatewright.adapters.metrics.placeholders import WORDS, Template, filled

LIMIT_WORDS = ("le", "le_ms")
_NAME = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*$")
_OPERATORS = frozenset(("and", "or", "unless", "bool"))
_SHIFTED = re.compile(r"\boffset\b|@")
_QUOTES = "\"'`"


@dataclass(frozen=True, slots=True)
class Query(Template):
    """Marks an expression over counters."""

    def check(self, text: str) -> str:
        """`text` itself; ValueError when it is not an expression over the counters of one arm."""
        Template.check(self, text)
        if not selectors(filled(text, dict.fromkeys(self.words, "x"))):
            raise ValueError('names no series of one arm: write name{label="{arm}"}')
        return text


@dataclass(frozen=True, slots=True)
class BucketQuery(Query):
    """Marks an expression over the bucket of a histogram that holds what was within the limit."""

    words: tuple[str, ...] = (*WORDS, *LIMIT_WORDS)

    def check(self, text: str) -> str:
        """`text` itself; ValueError when it is no query, or does not name the bucket by the limit."""
        Query.check(self, text)
        if not any(f"{{{word}}}" in text for word in LIMIT_WORDS):
            raise ValueError('does not name its bucket by the limit: write le="{le}" (seconds) or le="{le_ms}"')
        return text


def limit_values(limit_s: float) -> dict[str, str]:
    """What {le} and {le_ms} stand for."""
    return {"le": f"{limit_s:g}", "le_ms": f"{limit_s * 1000:g}"}


def selectors(expression: str) -> tuple[str, ...]:
    """The instant vector selectors with braces in `expression`, each once.

    ValueError for text that cannot be PromQL, and for ranges and shifts of time: a rate is no counter, and what
    increase() says is extrapolated.
    """
    found: list[str] = []
    outside, at = "", 0
    while at < len(expression):
        sign = expression[at]
        if sign in _QUOTES:
            at = _behind_text(expression, at)
            continue
        if sign == "[":
            raise ValueError("has a range in [ ]: give the counter itself, the differences are taken here")
        if sign == "}":
            raise ValueError("closes a brace that was never opened")
        if sign == "{":
            end = _behind_braces(expression, at)
            name = _NAME.search(outside)
            named = name is not None and name[1] not in _OPERATORS
            found.append((name[1] if name and named else "") + expression[at:end])
            outside, at = "", end
            continue
        outside, at = outside + sign, at + 1
        if _SHIFTED.search(outside):
            raise ValueError("looks at another time (offset or @): the time of each query is set here")
    return tuple(dict.fromkeys(found))


def _behind_braces(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != "}":
        at = _behind_text(text, at) if text[at] in _QUOTES else at + 1
    if at >= len(text):
        raise ValueError("opens a brace that is never closed")
    return at + 1


def _behind_text(text: str, at: int) -> int:
    quote = text[at]
    at += 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" and quote != "`" else 1
    if at >= len(text):
        raise ValueError(f"opens a text with {quote} that never ends")
    return at + 1
