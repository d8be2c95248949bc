from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import DataVersion
from gatewright.domain.project import EvaluationSection
from gatewright.rules.evalset import age, check_weighed, design_columns, due

UNTIL = datetime(2025, 1, 1, tzinfo=UTC)
VERSION = DataVersion(
    name="acs-eval",
    version="2024",
    role="eval",
    kind="file",
    uri="data/eval.csv",
    digest="sha256:1",
    files=(),
    schema={},
    fingerprint="sha256:2",
    rows=10,
    created_at=datetime(2025, 2, 1, tzinfo=UTC),
    data_from=datetime(2024, 1, 1, tzinfo=UTC),
    data_to=UNTIL,
    created_by="ada",
)


@pytest.mark.parametrize(
    ("days", "state"),
    [(0, "fresh"), (75, "fresh"), (75.99, "fresh"), (76, "ageing"), (90, "ageing"), (91, "overdue"), (4000, "overdue")],
)
def test_the_age_counts_from_what_the_data_speaks_of(days: float, state: str) -> None:
    found, text = age(VERSION, UNTIL + timedelta(days=days))
    assert found == state
    assert f"speaks until 2025-01-01, {int(days)} days ago" in text


SECTION = EvaluationSection(label="y")
SAMPLED = replace(VERSION, lineage={"sampling": "stratified", "weight": "w", "stratum": "s"}, schema={"w": "float64"})


@pytest.mark.parametrize("method", ["hard-examples", "uncertainty", "stratified", "Active-Learning"])
def test_a_sample_that_is_not_uniform_and_has_no_weights_is_refused(method: str) -> None:
    for lineage in ({"sampling": method}, {"sampling": method, "weight": "w"}):
        with pytest.raises(UnusableInput, match="carries no weights: accuracy on it is biased"):
            check_weighed(replace(VERSION, lineage=lineage))


@pytest.mark.parametrize("lineage", [{}, {"sampling": "uniform"}, {"sampling": "Random"}, {"source": "survey"}])
def test_a_uniform_sample_needs_no_weights(lineage: dict[str, str]) -> None:
    check_weighed(replace(VERSION, lineage=lineage), SECTION)


def test_weights_that_nobody_uses_are_refused_and_the_words_to_write_are_told() -> None:
    check_weighed(SAMPLED)
    check_weighed(SAMPLED, replace(SECTION, weight="w"))
    for section in (SECTION, replace(SECTION, weight="v")):
        with pytest.raises(UnusableInput, match="nobody would use them") as refused:
            check_weighed(SAMPLED, section)
        assert "{weight: w, stratum: s}" in refused.value.fix


def test_weights_that_are_asked_for_and_not_there_are_refused() -> None:
    with pytest.raises(UnusableInput, match="has no column w, which"):
        check_weighed(VERSION, replace(SECTION, weight="w"))
    with pytest.raises(UnusableInput, match="has no column s, which"):
        check_weighed(SAMPLED, replace(SECTION, weight="w", stratum="s"))


def test_a_newer_set_is_due_when_the_age_warns() -> None:
    moment = due(VERSION)
    assert age(VERSION, moment)[0] == "ageing"
    assert age(VERSION, moment - timedelta(seconds=1))[0] == "fresh"


def test_the_columns_of_a_sample_are_its_own() -> None:
    assert design_columns(VERSION) == ()
    assert design_columns(replace(VERSION, lineage={"sample": "x"})) == ("weight", "stratum", "random")
