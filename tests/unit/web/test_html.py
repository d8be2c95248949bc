"""The HTML page: self-contained, inert whatever the data is called, with every section that has something to say."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from gatewright.domain.gate import Judgement
from gatewright.web.html import html
from gatewright.web.subject import subject_of_run
from tests.unit.web.judgements import FAIL as FAILS
from tests.unit.web.judgements import HURTS, compared, handoffs, judgement, lock, subject


class Page(HTMLParser):
    """Elements, attributes and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(" ".join(data.split()))


def test_a_slice_called_script_does_not_run() -> None:
    page = html(subject())
    read = Page(page)
    assert "script" not in read.tags
    assert any("<script>alert" in text for text in read.texts)
    assert "\x07" not in page


@pytest.mark.parametrize("place", ["model", "reasons"])
def test_names_from_the_lock_are_escaped(place: str) -> None:
    found = handoffs()
    body = {**lock().body, place: [HURTS] if place == "reasons" else HURTS}
    found["lock"] = type(found["lock"])(run="r1", stage="open", status="passed", started_at=found["lock"].started_at,
                                        ended_at=found["lock"].ended_at, body=body)  # fmt: skip
    assert "script" not in Page(html(subject_of_run("r1", found, []))).tags


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = html(subject())
    read = Page(page)
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(read.tags)
    assert {"src", "href", "srcset", "action"}.isdisjoint(name for name, _ in read.attributes)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert set(re.findall(r"[a-z]+://[^\"' <]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(", page)


def test_every_section_that_has_something_to_say_is_there() -> None:
    read = Page(html(subject()))
    for heading in (
        "Gates", "Waivers", "Slices", "Fairness", "Latency curve", "What could not be tested",
        "Weak slices nobody declared", "Groups", "Warnings", "Made from", "Reproduce it",
    ):  # fmt: skip
        assert heading in read.texts
    assert read.tags.count("svg") == 4
    assert "This gate only warns: it stops no run." in read.texts
    assert "slices: 1 of 4 tested slices drops: RAC1P=6 by 0.0951" in read.texts
    assert any(text.startswith("git checkout cccc") for text in read.texts)


def test_a_run_that_was_only_opened_has_a_page() -> None:
    read = Page(html(subject_of_run("r1", {"lock": lock()}, [])))
    assert "The gates have not spoken yet." in read.texts
    assert "Gates" not in read.texts


def test_a_run_without_gates_says_so() -> None:
    assert "No gate was asked." in Page(html(subject(Judgement(results=())))).texts


def test_a_table_of_many_rows_is_cut_and_says_so() -> None:
    many = [compared(f"S={number}", 500, FAILS, 0.05) for number in range(230)]
    read = Page(html(subject(judgement(many))))
    assert "… and 30 more in verdict.json" in read.texts
    assert "… and 170 more" in read.texts
