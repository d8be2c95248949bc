"""Foreign text and tables in Markdown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gatewright.web import words

# A tag begins with one of these after its bracket; `AGEP<18` stays readable.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_MENTION = re.compile(r"@(?=\w)")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; its cells are Markdown already."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def text(foreign: str, at_most: int = 300) -> str:
    """Foreign text that stays text: no tag, no table border, no link, no mention of a user, on one line."""
    text = words.clean(foreign).strip()
    text = text if len(text) <= at_most else text[: at_most - 1] + "…"
    text = re.sub(r"([\\`*\[\]|])", r"\\\1", text)
    text = _MENTION.sub("@\u200b", _TAG.sub("&lt;", text))
    return re.sub(r"\s*[\r\n]+\s*", "<br>", text)
