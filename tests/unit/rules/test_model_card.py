"""Model cards: what is told, what nobody has said, and that names from data stay text in both forms."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from gatewright.domain.lineage import DataVersion
from gatewright.domain.project import CardSection
from gatewright.rules.model_card import Facts, card_of, markdown, page

HOSTILE = "<script>alert(1)</script>|[x](javascript:1)\n# @all `x` \u202e<img src=http://evil>"
AT = datetime(2026, 1, 1, tzinfo=UTC)
DATA = DataVersion(
    name="people", version="2026-01-01-aaaaaaaa", role="train", kind="file", uri="data/people.parquet",
    digest="sha256:1", files=(), schema={}, fingerprint="", rows=12345, created_at=AT, data_from=AT, data_to=AT,
    created_by="tests",
)  # fmt: skip


def facts(name: str = "REGION=1", **words: Any) -> Facts:
    report = {
        "task": "binary", "metric": "accuracy", "metrics": ["f1"], "overall_accuracy": 0.91234, "f1": 0.8,
        "latency_p99_ms": 12.0, "slices": {name: 0.5}, "demographic_parity_diff": 0.125,
        "baseline": {"overall_accuracy": 0.9, "slices": {name: 0.75}},
        "evidence": {"slices": {name: {"rows": 4321}}, "groups": {"SEX": {name: {"rows": 99}}}},
    }  # fmt: skip
    verdict = {"results": [{"gate": "slices", "verdict": "pass", "why": name}], "warnings": [name]}
    return Facts(
        model="m", number=3, digest="sha256:2", commit="c", trained_at="then", run="r", format="skops", train=DATA,
        evaluation=replace(DATA, role="eval"), report=report, verdict=verdict, environment={"python": "3.11"},
        words=CardSection(**words),
    )  # fmt: skip


class Tags(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_tells_what_was_measured_beside_the_baseline() -> None:
    text = markdown(facts())
    assert "| overall\\_accuracy | 0.9123 | 0.9 |" in text
    assert "| f1 | 0.8 | – |" in text
    assert "| REGION=1 | 4,321 | 0.5 | 0.75 |" in text
    assert "Demographic parity difference: 0.125." in text
    assert "12,345" in text
    first = replace(facts(), report={**facts().report, "baseline": None})
    assert "A first deployment: there was no baseline." in markdown(first)


def test_what_nobody_has_said_is_said() -> None:
    assert markdown(facts()).count("Nobody has said it yet") == 5
    words = {
        "intended_use": "plans",
        "out_of_scope": "people",
        "limitations": ("old",),
        "owners": ("a",),
        "license": "x",
    }
    told = markdown(facts(**words))
    assert "Nobody has said it yet" not in told
    assert "Out of scope: people" in told


def test_foreign_text_stays_text() -> None:
    hostile = facts(HOSTILE, intended_use=HOSTILE, owners=(HOSTILE,), limitations=(HOSTILE,))
    plain = Tags(page(facts()))
    found = Tags(page(hostile))
    assert set(found.tags) == set(plain.tags)
    assert "script" not in found.tags
    assert {name for name, _ in found.attributes} == {name for name, _ in plain.attributes}
    assert "<script>alert(1)</script>" in found.text
    text = markdown(hostile)
    assert "<" not in text
    assert "\u202e" not in text
    assert "@all" not in text
    assert "http://" not in text
    assert re.search(r"(?<!\\)\[x(?<!\\)\]", text) is None
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {3, 4, 5, 6}
    assert len([line for line in text.splitlines() if line.startswith("#")]) == 1 + len(card_of(hostile)[1])
