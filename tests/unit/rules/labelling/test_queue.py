"""What annotators get: which columns, in which order, in whose copies; and that it comes back as it went."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from gatewright.domain.errors import Problem, UnusableInput
from gatewright.domain.labelling import Answer
from gatewright.rules.labelling.answers import answers
from gatewright.rules.labelling.queue import FORMATS, Deal, Format, batches
from tests.unit.rules.labelling.facts import FACTS, ROWS


def exported(**deal: object) -> dict[str, str]:
    return {batch.name: batch.text for batch in batches(ROWS, FACTS, Deal(**deal))}  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMATS)
def test_no_weight_no_stratum_and_nobody_s_name(form: Format) -> None:
    (text,) = exported(form=form).values()
    for word in ("weight", "stratum", "random", "Ann", "Eve"):
        assert word not in text
    assert "Ann" in next(iter(exported(form=form, include_personal=True).values()))


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_sample_gives_the_same_files_in_another_order_than_the_rows(form: Format) -> None:
    first = exported(form=form, annotators=2, overlap=0.5, batch=2)
    assert exported(form=form, annotators=2, overlap=0.5, batch=2) == first
    found = answers(exported(form=form).popitem()[1], "f", id="id", label="employed")
    tasks = [each.task for each in found if isinstance(each, Answer)]
    assert sorted(tasks) == ["11", "12", "13", "14", "15", "16"]
    assert tasks != sorted(tasks)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_is_read_back(form: Format) -> None:
    """Texts with commas, quotes, line ends and no ASCII; labels are empty still."""
    for text in exported(form=form, annotators=2).values():
        found = list(answers(text, "f", id="id", label="employed"))
        assert not any(isinstance(each, Problem) for each in found)
        if form != "label-studio":  # there the annotator is whoever completes it
            assert len({each.annotator for each in found if isinstance(each, Answer)}) == 1


def test_batches_annotators_and_overlap() -> None:
    assert list(exported(batch=4)) == ["batch-001.csv", "batch-002.csv"]
    everybody = exported(annotators=3)
    assert list(everybody) == ["batch-001-a1.csv", "batch-001-a2.csv", "batch-001-a3.csv"]
    dealt = [set(pl.read_csv(text.encode())["task"]) for text in exported(annotators=2, overlap=1 / 3).values()]
    assert sum(map(len, dealt)) == 6 + 2
    assert len(set.intersection(*dealt)) == 2
    assert set.union(*dealt) == set(ROWS["id"])


def test_label_studio_s_tasks_are_a_list_of_data() -> None:
    (text,) = exported(form="label-studio").values()
    tasks = json.loads(text)
    assert {frozenset(task["data"]) for task in tasks} == {frozenset({"task", "AGE", "note"})}


@pytest.mark.parametrize("deal", [{"annotators": 0}, {"batch": -1}, {"overlap": 1.5}])
def test_what_cannot_be_dealt(deal: dict[str, object]) -> None:
    with pytest.raises(UnusableInput, match="cannot be dealt"):
        exported(**deal)


def test_an_id_that_is_personal_goes_nowhere_by_itself() -> None:
    facts = replace(FACTS, personal=("id",))
    with pytest.raises(UnusableInput, match="marked personal"):
        list(batches(ROWS, facts, Deal()))
    assert list(batches(ROWS, facts, Deal(include_personal=True)))
