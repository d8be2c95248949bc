"""The JSON Schema says what the reader says. The few keywords that it uses are checked by hand here."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gatewright.config.nodes import parse
from gatewright.config.schema import json_schema
from tests.unit.config.installed import Installed, complete_example
from tests.unit.config.test_project import START

SCHEMA = json_schema(Installed())
TYPES = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples", "required"}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """`value` against `schema`; an unknown keyword is an error of this test."""
    return all(_keyword(value, schema, word) for word in schema.keys() - ANNOTATIONS) and all(
        not isinstance(value, dict) or key in value for key in schema.get("required", ())
    )


def _keyword(value: Any, schema: dict[str, Any], word: str) -> bool:
    rule = schema[word]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    checks = {
        "$ref": lambda: fits(value, SCHEMA["$defs"][rule.removeprefix("#/$defs/")]),
        "type": lambda: isinstance(value, TYPES[rule]) and not isinstance(value, bool),
        "anyOf": lambda: any(fits(value, arm) for arm in rule),
        "oneOf": lambda: sum(fits(value, arm) for arm in rule) == 1,
        "const": lambda: value == rule,
        "enum": lambda: value in rule,
        "properties": lambda: (
            not isinstance(value, dict) or all(fits(value[key], rule[key]) for key in rule.keys() & value.keys())
        ),
        "additionalProperties": lambda: (
            rule is False and (not isinstance(value, dict) or value.keys() <= schema.get("properties", {}).keys())
        ),
        "items": lambda: not isinstance(value, list) or all(fits(item, rule) for item in value),
        "minItems": lambda: not isinstance(value, list) or len(value) >= rule,
        "minLength": lambda: not isinstance(value, str) or len(value) >= rule,
        "pattern": lambda: not isinstance(value, str) or re.search(rule, value) is not None,
        "minimum": lambda: not number or value >= rule,
        "maximum": lambda: not number or value <= rule,
        "exclusiveMinimum": lambda: not number or value > rule,
        "exclusiveMaximum": lambda: not number or value < rule,
    }
    return bool(checks[word]())


def value_of(text: str) -> Any:
    return parse(text.encode(), "f").value


@pytest.mark.parametrize("text", [complete_example(), START, START.replace("{mode: point}", "none") + "checks: none"])
def test_accepts_what_the_reader_accepts(text: str) -> None:
    assert fits(value_of(text), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model: employment", "model: Employment"),
        ("model: employment", "modl: employment"),
        ("timeout: 2h", "timeout: 2"),
        ("margin: 0.02", "margin: 2"),
        ("margin: 0.02", "margn: 0.02"),
        ("min: 0.70", "min: "),
        ("latency: {p99: 5s}", "latency: "),
        ("mode: point", "mode: statistical"),
        ("kind: envoy", "kind: envoi"),
        ("port: 8080", "prt: 8080"),
        ("{column: AGEP, bins", "{colum: AGEP, bins"),
        ("{weight: 5,", "{weight: 100,"),
    ],
)
def test_refuses_what_the_reader_refuses(old: str, new: str) -> None:
    assert complete_example().count(old) == 1
    assert not fits(value_of(complete_example().replace(old, new)), SCHEMA)


def test_every_object_is_closed_and_every_default_fits() -> None:
    for name, kind in {**SCHEMA["$defs"], "": SCHEMA}.items():
        if "properties" in kind:
            assert kind["additionalProperties"] is False, name
        for key, form in kind.get("properties", {}).items():
            assert "default" not in form or fits(form["default"], form), (name, key)


def test_says_which_draft_and_describes() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert all(kind.get("description") for kind in SCHEMA["$defs"].values())
