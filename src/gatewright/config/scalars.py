"""What a plain YAML word means here: the YAML 1.2 core schema without its surprises."""

from __future__ import annotations

import math
import re
import unicodedata

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "Null": None, "NULL": None, "~": None, "": None}
_MOST_DIGITS = 18
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_SUSPECT = re.compile(r"[^\n\t\x20-\x7e]")

Scalar = str | int | float | bool | None


def resolve(text: str) -> Scalar:
    """The value of an unquoted word.

    `no`, 0o17, 0123, .nan, 1e999, dates and integers of more than 18 digits stay text: they are never what a
    number in these files should be.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text.lstrip("+-")) <= _MOST_DIGITS else text
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def unseen(text: str) -> tuple[int, str] | None:
    """Index and name of the first character that nobody sees (control, zero-width, direction), if any."""
    for match in _SUSPECT.finditer(text):
        character = match[0]
        if unicodedata.category(character) in _UNSEEN:
            return match.start(), f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"
    return None
