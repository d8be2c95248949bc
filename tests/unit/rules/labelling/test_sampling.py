"""What is drawn, stratum by stratum, and what is refused because it would be biased."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.domain.labelling import DESIGN_COLUMNS
from gatewright.rules.labelling.sampling import (
    BIASED,
    Design,
    check_method,
    checked_uncertainty,
    reweighted,
    sample,
)
from gatewright.rules.labelling.strata import stratified

RNG = np.random.default_rng(7)
TRAFFIC = pl.DataFrame(
    {
        "id": np.arange(2_000),
        "SEX": RNG.integers(1, 3, 2_000),
        "AGE": RNG.integers(0, 90, 2_000),
        "state": RNG.choice([f"state {number}" for number in range(30)], 2_000),
        "income": pl.Series(RNG.normal(size=2_000)),
    }
)
UNSURE = pl.Series("u", RNG.beta(1, 4, 2_000) / 2)


def test_each_row_carries_the_rows_that_it_stands_for() -> None:
    found = sample(TRAFFIC, Design(rows=200, columns=("SEX",), seed=4))
    assert found.rows.columns == [*TRAFFIC.columns, *DESIGN_COLUMNS]
    assert found.rows.height == sum(each.sampled for each in found.strata) == 200
    assert found.rows["weight"].sum() == pytest.approx(2_000)
    assert found.rows["random"].sum() == sum(each.random for each in found.strata) == 60
    for each in found.strata:
        rows = found.rows.filter(pl.col("stratum") == each.name)
        assert (rows.height, rows["weight"].unique().to_list()) == (each.sampled, [each.traffic / each.sampled])
    assert found.rows["id"].is_sorted()
    assert sample(TRAFFIC, Design(rows=200, columns=("SEX",), seed=4)).rows.equals(found.rows)


def test_neyman_asks_more_of_what_the_model_is_unsure_of() -> None:
    found = sample(TRAFFIC, Design(rows=400, allocation="neyman"), UNSURE)
    shares = {each.spread: each.sampled / each.traffic for each in found.strata}
    spreads = [each.spread for each in found.strata if each.spread is not None]
    assert len(spreads) == 7
    assert shares[max(spreads)] > 1.5 * shares[min(spreads)]
    assert min(spreads) >= 0.1


@pytest.mark.parametrize(
    ("design", "says"),
    [
        (Design(rows=100, random_share=0.0), "a random share of 0 is refused"),
        (Design(rows=100, random_share=0.29), "a random share of 0.29 is refused"),
        (Design(rows=100, random_share=float("nan")), "a random share of nan is refused"),
        (Design(rows=3_000), "3,000 rows cannot be drawn from 2,000"),
        (Design(rows=1), "1 rows cannot be drawn"),
        (Design(rows=100, allocation="neyman"), "needs to know how unsure the model is"),
        (Design(rows=100, columns=("age",)), "no column age to stratify by"),
        (Design(rows=100, columns=("state", "AGE", "SEX")), "96 strata need|strata need"),
    ],
)
def test_designs_that_are_refused(design: Design, says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        sample(TRAFFIC, design)


@pytest.mark.parametrize("method", BIASED)
def test_hard_examples_alone_are_refused_with_the_reason(method: str) -> None:
    with pytest.raises(UnusableInput, match="accuracy on it is biased"):
        check_method(method)


def test_what_may_be_asked_for() -> None:
    check_method("neyman")
    with pytest.raises(UnusableInput, match="has a column weight already"):
        sample(TRAFFIC.with_columns(weight=pl.lit(1)), Design(rows=100))


def test_strata_of_values_quartiles_texts_and_gaps() -> None:
    assert stratified(TRAFFIC, ("SEX",)).names == ("SEX=1", "SEX=2")
    by_age = stratified(TRAFFIC, ("AGE",))
    assert len(by_age.names) == 4
    assert np.bincount(by_age.codes).min() > 400
    by_state = stratified(TRAFFIC, ("state",))
    assert len(by_state.names) == 12
    assert "state=other" in by_state.names
    gaps = pl.DataFrame({"x": [1, None, 2, None], "y": [0.5, float("nan"), 0.5, 0.5]})
    assert stratified(gaps, ("x", "y")).names == (
        "x=1 & y=0.5",
        "x=2 & y=0.5",
        "x=null & y=0.5",
        "x=null & y=null",
    )
    assert stratified(TRAFFIC, ()).names == ("all",)
    with pytest.raises(UnusableInput, match="no strata can be made"):
        stratified(pl.DataFrame({"x": [[1], [2]]}), ("x",))
    with pytest.raises(UnusableInput, match="at most 200"):
        stratified(TRAFFIC, ("state", "AGE", "income", "SEX"))


@pytest.mark.parametrize("values", [[0.5, 1.2], [-0.1, 0.5], [None, 0.5], ["a", "b"], [float("nan"), 0.1]])
def test_what_is_no_probability(values: list[Any]) -> None:
    with pytest.raises(UnusableInput, match="probability"):
        checked_uncertainty(pl.Series("u", values), probability=False)


def test_a_probability_of_two_classes_is_unsure_near_the_middle() -> None:
    found = checked_uncertainty(pl.Series("p", [0.1, 0.5, 0.9, 1.0]), probability=True)
    assert found.to_list() == pytest.approx([0.1, 0.5, 0.1, 0.0])


def test_labelled_rows_stand_for_those_of_their_stratum_without_a_label() -> None:
    found = sample(TRAFFIC, Design(rows=200, columns=("SEX",)))
    labelled = found.rows[::2]
    again = reweighted(labelled, found.strata)
    assert again["weight"].sum() == pytest.approx(2_000)
    with pytest.raises(UnusableInput, match="no row of SEX=2 has a label"):
        reweighted(labelled.filter(pl.col("SEX") == 1), found.strata)
