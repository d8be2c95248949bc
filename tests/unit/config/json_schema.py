"""A checker for the keywords of JSON Schema that the published schemas use, and no others."""

from __future__ import annotations

import re
from typing import Any

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "null": type(None),
}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples", "then", "else", "format"}


def fits(value: Any, form: Any, root: dict[str, Any]) -> bool:
    """Whether `value` is what `form`, a part of the schema `root`, allows; KeyError for an unknown keyword."""
    if isinstance(form, bool):
        return form
    return all(_keyword(value, form, word, root) for word in form.keys() - ANNOTATIONS)


def _keyword(value: Any, form: dict[str, Any], word: str, root: dict[str, Any]) -> bool:
    rule = form[word]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    entries = value if isinstance(value, dict) else {}
    items = value if isinstance(value, list) else []

    def all_fit(arms: Any) -> list[bool]:
        return [fits(value, arm, root) for arm in arms]

    checks = {
        "$ref": lambda: fits(value, _at(root, rule), root),
        "type": lambda: _is(value, rule),
        "allOf": lambda: all(all_fit(rule)),
        "anyOf": lambda: any(all_fit(rule)),
        "oneOf": lambda: sum(all_fit(rule)) == 1,
        "if": lambda: fits(value, form["then" if fits(value, rule, root) else "else"], root),
        "const": lambda: value == rule,
        "enum": lambda: value in rule,
        "required": lambda: not isinstance(value, dict) or entries.keys() >= set(rule),
        "properties": lambda: all(fits(entries[key], rule[key], root) for key in rule.keys() & entries.keys()),
        "additionalProperties": lambda: all(
            fits(entries[key], rule, root) for key in entries.keys() - form.get("properties", {}).keys()
        ),
        "propertyNames": lambda: all(fits(key, rule, root) for key in entries),
        "minProperties": lambda: not isinstance(value, dict) or len(entries) >= rule,
        "items": lambda: all(fits(item, rule, root) for item in items),
        "minItems": lambda: not isinstance(value, list) or len(items) >= rule,
        "minLength": lambda: not isinstance(value, str) or len(value) >= rule,
        "pattern": lambda: not isinstance(value, str) or re.search(rule, value) is not None,
        "minimum": lambda: not number or value >= rule,
        "maximum": lambda: not number or value <= rule,
        "exclusiveMinimum": lambda: not number or value > rule,
        "exclusiveMaximum": lambda: not number or value < rule,
    }
    return bool(checks[word]())


def _is(value: Any, kind: str) -> bool:
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    return isinstance(value, TYPES[kind])


def _at(root: dict[str, Any], pointer: str) -> Any:
    """The part of `root` that a pointer such as #/$defs/Model names."""
    part: Any = root
    for name in pointer.removeprefix("#/").split("/"):
        part = part[name]
    return part
