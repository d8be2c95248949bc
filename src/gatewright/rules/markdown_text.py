"""Foreign text and tables in Markdown, as GitHub and GitLab read it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

# What XML 1.0 does not allow (section 2.2), even escaped.
_CONTROL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# They turn the order of what follows around, so that it reads as something else.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MARKS = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_+|_+(?![^\W_])")
# A tag begins with one of these after its bracket; `AGEP<18` stays readable.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
# At the start of a line: a heading, a list, a quotation, a rule, or a command to GitLab (`/close`).
_LEADING = re.compile(r"^([#>+=/-])")
# A user or team; an issue, a merge request, a snippet, an epic, a milestone, a label: each would be told or linked.
_REFERENCE = re.compile(
    r"""@(?=[\w"])|#(?=\d)|(?<!\w)[!&$](?=\d)|(?<!\w)[%~](?=[\w"])|(?<!\w)GH-(?=\d)""", re.IGNORECASE
)
_LINK = re.compile(r"\b(?:https?|ftp|mailto|xmpp):(?=\S)|\bwww(?=\.)", re.IGNORECASE)
_GAP = "\u200b"


def clean(text: str) -> str:
    """`text` without the characters that no XML document may hold."""
    return _CONTROL.sub("", text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; its cells are Markdown already."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def text(foreign: str, at_most: int = 300) -> str:
    """Foreign text that stays text, on one line.

    No tag, no entity, no table border, no link, no mention of a user, no reference to an issue, no command to GitLab.
    """
    text = _BIDI.sub("", clean(foreign)).strip()
    text = text if len(text) <= at_most else text[: at_most - 1] + "…"
    text = _TAG.sub("&lt;", _ENTITY.sub("&amp;", _MARKS.sub(_escaped, text)))
    text = _LINK.sub(_parted, _REFERENCE.sub(_parted, text))
    return re.sub(r"\s*[\r\n]+\s*", "<br>", _LEADING.sub(r"\\\1", text))


def code(foreign: str) -> str:
    """Foreign text for between two backticks, also in a table."""
    return " ".join(_BIDI.sub("", clean(foreign)).replace("`", "'").replace("|", "¦").split())


def marker(*names: str) -> str:
    """A line that readers do not see; no name can end it, and other names make another line."""
    return f"<!-- {':'.join(map(_word, names))} -->"


def _word(name: str) -> str:
    signs = (sign if sign.isascii() and (sign.isalnum() or sign in "._-") else f"%{ord(sign):x};" for sign in name)
    return "".join(signs).replace("--", "-%2d;")


def _escaped(found: re.Match[str]) -> str:
    return "".join("\\" + sign for sign in found.group())


def _parted(found: re.Match[str]) -> str:
    """What was found, and a gap that nobody sees, so that it is no longer what it would have been."""
    return found.group() + _GAP
