"""The JSON Schema says what the reader says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from gatewright.cli.config import config
from gatewright.config.nodes import parse
from gatewright.config.schema import json_schema
from gatewright.workspace import Plugins
from tests.unit.config.installed import DOCS, Installed, complete_example
from tests.unit.config.json_schema import fits as schema_fits
from tests.unit.config.test_models import TWO
from tests.unit.config.test_project import START

SCHEMA = json_schema(Installed())


def fits(value: Any, form: dict[str, Any] = SCHEMA) -> bool:
    return schema_fits(value, form, SCHEMA)


def value_of(text: str) -> Any:
    return parse(text.encode(), "f").value


@pytest.mark.parametrize(
    "text", [complete_example(), START, START.replace("{mode: point}", "none") + "checks: none", TWO]
)
def test_accepts_what_the_reader_accepts(text: str) -> None:
    assert fits(value_of(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model: employment", "model: Employment"),
        ("model: employment", "modl: employment"),
        ("timeout: 2h", "timeout: 2"),
        ("overall: {margin: 0.02", "overall: {margin: 2"),
        ("overall: {margin: 0.02", "overall: {margn: 0.02"),
        ("min: 0.70", "min: "),
        ("latency: {p99: 5s, max_ratio: 1.5, on_inconclusive: block}", "latency: "),
        ("mode: statistical", "mode: exact"),
        ("kind: envoy", "kind: envoi"),
        ("port: 8080", "prt: 8080"),
        ("{column: AGEP, bins", "{colum: AGEP, bins"),
        ("{weight: 5,", "{weight: 100,"),
    ],
)
def test_refuses_what_the_reader_refuses(old: str, new: str) -> None:
    assert complete_example().count(old) == 1
    assert not fits(value_of(complete_example().replace(old, new)))


def test_every_object_is_closed_and_every_default_fits() -> None:
    for name, kind in {**SCHEMA["$defs"], "": SCHEMA}.items():
        if "properties" in kind:
            assert kind["additionalProperties"] is False, name
        for key, form in kind.get("properties", {}).items():
            assert "default" not in form or fits(form["default"], form), (name, key)


def test_says_which_draft_and_describes() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert all(kind.get("description") for kind in SCHEMA["$defs"].values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("checks: none\n", "checks: none\nmodel: employment\n"),
        ("  income:\n", "  Income:\n"),
        ("  income:\n", "  income:\n    model: x\n"),
        ("    data: {train: c, evaluation: d}\n", ""),
        ("    gates: {mode: point}\n", ""),
        ("gates: {mode: point, overall", "gatse: {mode: point, overall"),
        ("min: 0.8", "min: 80"),
    ],
)
def test_refuses_the_mixture_and_what_several_models_lack(old: str, new: str) -> None:
    assert TWO.count(old) == 1
    assert not fits(value_of(TWO.replace(old, new)))


def test_a_file_without_models_needs_every_section() -> None:
    for section in ("model", "data", "train", "evaluation", "gates"):
        assert not fits({key: value for key, value in value_of(START).items() if key != section})
    assert not fits({"models": {}})


def test_the_published_schema_is_that_of_the_command() -> None:
    told = CliRunner().invoke(config, ["schema"])
    published = DOCS.with_name("gatewright.schema.json").read_text(encoding="utf-8")
    assert told.output == published, "run: gatewright config schema > docs/gatewright.schema.json"
    assert json.loads(published) == json_schema(Plugins())
