"""Plain values as YAML text: always the same, no folding, comments where they are wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_./$][ -~]*[!-~]|[A-Za-z_.$/]")
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z_./$][A-Za-z0-9_./$-]*")
_AMBIGUOUS = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan|-?\.?\d.*")
_PLAIN_KEY = re.compile(r"[A-Za-z_.][A-Za-z0-9_.-]*(?::[a-z]+)?")


@dataclass(frozen=True, slots=True)
class Noted:
    """A value with a comment: behind a scalar, above anything else."""

    value: Any
    note: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A list in one line."""

    items: Sequence[Any]


def yaml_text(value: Mapping[str, Any], head: Sequence[str] = ()) -> str:
    """A document with the comment lines `head` above it; a blank line between its sections, and between jobs."""
    lines = [f"# {line}".rstrip() for line in head]
    for key, item in value.items():
        lines.append("")
        lines += _entry(key, item, 0)
    return "\n".join(lines).lstrip("\n") + "\n"


def _entry(key: str, item: Any, depth: int) -> Iterator[str]:
    """The lines of `key: item`."""
    margin = "  " * depth
    named = key if _PLAIN_KEY.fullmatch(key) else json.dumps(key)
    note = ""
    if isinstance(item, Noted):
        item, note = item.value, item.note
    if isinstance(item, (Mapping, list, tuple)) and item:
        if note:
            yield from (f"{margin}# {line}" for line in note.split("\n"))
        yield f"{margin}{named}:"
        yield from _block(item, depth + 1)
    elif isinstance(item, str) and "\n" in item:
        yield f"{margin}{named}: |"
        yield from (f"{margin}  {line}".rstrip() for line in item.rstrip("\n").split("\n"))
    else:
        yield f"{margin}{named}: {scalar(item)}" + (f"  # {note}" if note else "")


def _block(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        for number, (key, item) in enumerate(value.items()):
            if number and depth == 1 and isinstance(item, Mapping) and len(item) > 3:
                yield ""
            yield from _entry(key, item, depth)
        return
    for item in value:
        yield from _item(item, depth)


def _item(item: Any, depth: int) -> Iterator[str]:
    """The lines of one element of a list."""
    margin = "  " * depth
    note = ""
    if isinstance(item, Noted):
        item, note = item.value, item.note
    if isinstance(item, Mapping) and item:
        if note:
            yield f"{margin}# {note}"
        lines = list(_block(item, depth + 1))
        yield f"{margin}- {lines[0].lstrip()}"
        yield from lines[1:]
    else:
        yield f"{margin}- {scalar(item)}" + (f"  # {note}" if note else "")


def scalar(value: Any) -> str:
    """A value in one line, quoted where YAML 1.1 or 1.2 could take it for something else."""
    match value:
        case Flow():
            return "[" + ", ".join(_text(item, _PLAIN_IN_FLOW) for item in value.items) + "]"
        case True | False:
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return _text(value, _PLAIN)
        case Mapping() | list() | tuple() if not value:
            return "{}" if isinstance(value, Mapping) else "[]"
    raise TypeError(f"{value!r} has no form in one line")


def _text(text: str, plain: re.Pattern[str]) -> str:
    """Plain, else between single quotes, in which nothing has a meaning; between double ones if it cannot be."""
    expression = text.startswith("${{") and text.endswith("}}") and "'" in text
    harmless = ": " not in text and " #" not in text and not text.endswith(":")
    if harmless and (expression or (plain.fullmatch(text) and not _AMBIGUOUS.fullmatch(text))):
        return text
    if all(" " <= character <= "~" for character in text):
        return "'" + text.replace("'", "''") + "'" if text else '""'
    return json.dumps(text)
