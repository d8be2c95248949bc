"""The class of a change, and its reason in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gatewright.domain.lineage import RowCount
from gatewright.rules.changes import along, change, told_by_pointers
from tests.fixtures.versions import COLUMNS, version

BEFORE = version("a", rows="1", unlabelled="2")
SAME, MORE, OTHER = RowCount(added=0, removed=0), RowCount(added=7, removed=0), RowCount(added=3, removed=2)


def columns(**changed: Any) -> dict[str, str]:
    """The usual columns with some of another type, new, or (None) gone."""
    return {name: kind for name, kind in {**COLUMNS, **changed}.items() if kind is not None}


@pytest.mark.parametrize(
    ("now", "counted", "kind", "words"),
    [
        (version("a", rows="1", unlabelled="2"), None, "none", "the same bytes"),
        (version("b", rows="1", unlabelled="2"), None, "rewrite", "the same rows in another layout"),
        (version("ab", rows="3", unlabelled="4"), None, "append", "the parent's files are all there, 1 new with"),
        (version("b", rows="3", unlabelled="4"), MORE, "append", "every row of the parent is there, 7 are new"),
        (version("b", rows="3", unlabelled="4"), OTHER, "content", "3 rows are new or changed, 2 of the parent's are"),
        (version("b", rows="3", unlabelled="4"), None, "content", "the parent's bytes are not here, so rows added and"),
        (version("b", rows="3", unlabelled="2"), RowCount(added=4, removed=4), "labels", "only y differs, in 4 rows"),
        (version("b", rows="3", unlabelled="2"), None, "labels", "only y differs, in some rows"),
        (version("b", schema=columns(new="int8")), None, "schema-compatible", "new (int8) was added"),
        (version("b", schema=columns(AGE="int32")), MORE, "schema-compatible", "AGE was widened: int16 → int32"),
        (version("b", schema=columns(AGE="float32")), None, "schema-compatible", "AGE was widened: int16 → float32"),
        (version("b", schema=columns(AGE="int8")), None, "schema-breaking", "AGE was retyped: int16 → int8"),
        (version("b", schema=columns(y="float64")), None, "schema-breaking", "y was retyped: int8 → float64"),
        (version("b", schema=columns(SEX=None)), None, "schema-breaking", "SEX (int8) was dropped"),
        (version("b", schema=columns(SEX=None, SEX_1="int8")), None, "schema-breaking", "perhaps renamed"),
    ],
)
def test_classes(now: Any, counted: RowCount | None, kind: str, words: str) -> None:
    found = change(BEFORE, now, counted)
    assert found.kind == kind
    assert words in found.why
    if counted is not None:
        assert (found.rows_added, found.rows_removed) == (counted.added, counted.removed)


def test_the_first_version() -> None:
    found = change(None, BEFORE, None)
    assert (found.kind, found.rows_added, found.rows_removed) == ("first", 100, 0)
    assert "why" not in found.recorded()


def test_a_parent_without_row_digest_whose_bytes_are_gone() -> None:
    found = change(replace(BEFORE, row_digest=None), version("b", rows="1", unlabelled="2"), None)
    assert found.kind == "content"
    assert "the parent's bytes are not here, so rewrite could not be told" in found.why
    assert change(replace(BEFORE, row_digest=None), version("b", rows="1"), SAME).kind == "rewrite"


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (version("ab", role="eval", rows="3"), "evaluation"),
        (version("b", role="eval", rows="3", unlabelled="2"), "evaluation"),
        (version("b", role="eval", rows="1"), "rewrite"),
        (version("b", role="eval", schema=columns(SEX=None)), "schema-breaking"),
    ],
)
def test_evaluation_sets(now: Any, kind: str) -> None:
    assert change(replace(BEFORE, role="eval"), now, None).kind == kind


def test_another_label_column_is_more_than_other_labels() -> None:
    assert change(BEFORE, version("b", rows="3", unlabelled="2", labels="SEX"), OTHER).kind == "content"


def test_a_new_column_that_every_row_must_have_breaks() -> None:
    now = version("b", schema=columns(new="int8"))
    assert change(BEFORE, now, None, required={"AGE"}).kind == "schema-compatible"
    found = change(BEFORE, now, None, required={"new"})
    assert (found.kind, "the schema file asks for it" in found.why) == ("schema-breaking", True)


def test_pointers_alone_cannot_tell_rows() -> None:
    assert told_by_pointers(BEFORE, version("b", rows="3")) is None


class TestAlong:
    """From the version of the last promoted run to the newest, over those that no run has seen."""

    def link(self, marks: str, parent: Any, kind: str, **counts: Any) -> Any:
        return version(marks, rows=marks[-1], parent=parent.version, change={"kind": kind, **counts})

    def test_appends_add_up(self) -> None:
        one = self.link("c", BEFORE, "append", rows_added=5)
        two = self.link("d", one, "append", rows_added=6)
        found = along(BEFORE, [one, two])
        assert (found.kind, found.rows_added) == ("append", 11)

    def test_a_link_of_content_makes_content(self) -> None:
        one = self.link("c", BEFORE, "content")
        assert along(BEFORE, [one, self.link("d", one, "append", rows_added=6)]).kind == "content"

    def test_a_link_tells_its_own_counts(self) -> None:
        one = self.link("c", BEFORE, "content", rows_added=1, rows_removed=2, why="because")
        assert (along(BEFORE, [one]).rows_removed, along(BEFORE, [one]).why) == (2, "because")

    @pytest.mark.parametrize("claimed", ["none", "rewrite", "first", "nonsense"])
    def test_a_link_that_claims_to_change_nothing_is_not_believed(self, claimed: str) -> None:
        assert along(BEFORE, [self.link("c", BEFORE, claimed)]).kind == "content"

    def test_there_and_back_is_nothing(self) -> None:
        one = self.link("c", BEFORE, "content")
        back = version("d", rows="1", unlabelled="2", parent=one.version, change={"kind": "content"})
        assert along(BEFORE, [one, back]).kind == "rewrite"

    def test_no_way_leads_there(self) -> None:
        assert along(BEFORE, [version("c", rows="3", parent="2020-01-01-00000000")]).kind == "content"
