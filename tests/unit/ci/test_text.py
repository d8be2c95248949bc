"""YAML text is read back as what it was written from, whatever the values are."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gatewright.ci.text import Flow, Noted, yaml_text

LINES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85\xa0"), max_size=30)


@given(st.lists(LINES, min_size=1, max_size=5))
def test_any_line_is_read_back(texts: list[str]) -> None:
    document = {"a list": texts, "values": {f"k{number}": text for number, text in enumerate(texts)}}
    assert yaml.safe_load(yaml_text(document)) == document
    assert yaml.safe_load(yaml_text({"flow": Flow(texts)})) == {"flow": texts}


@pytest.mark.parametrize("text", ["on", "No", "~", "1.0", ".5", "0x1", "3.12", "null", "a: b", "a #b", "", "- a", "x:"])
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    assert yaml.safe_load(yaml_text({"a": text, "b": [text]})) == {"a": text, "b": [text]}


def test_comments_change_nothing() -> None:
    noted: dict[str, Any] = {
        "a": Noted(1, "why"),
        "b": Noted([1], "why"),
        "c": [Noted("x", "why"), Noted({"d": 1}, "why")],
    }
    text = yaml_text(noted, ("head",))
    assert yaml.safe_load(text) == {"a": 1, "b": [1], "c": ["x", {"d": 1}]}
    assert text.startswith("# head\n\na: 1  # why\n")


def test_lines_stay_lines() -> None:
    assert yaml.safe_load(yaml_text({"a": "x\ny"})) == {"a": "x\ny\n"}
