"""Is the evaluation set like the traffic: PSI by column, the limits, and what is left out."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from gatewright.engine.evalsets.separation import separation
from gatewright.rules.fitness.likeness import (
    Limits,
    comparable,
    encoded,
    judge_separation,
    judge_stability,
    stability,
)
from gatewright.rules.schema import Column, Schema
from gatewright.stats.auc import auc, weighted_auc

RNG = np.random.default_rng(1)


def test_psi_of_two_classes_is_its_formula() -> None:
    traffic, evaluation = pl.Series("x", ["a"] * 6_000 + ["b"] * 4_000), pl.Series("x", ["a"] * 5_000 + ["b"] * 5_000)
    expected = (0.6 - 0.5) * math.log(0.6 / 0.5) + (0.4 - 0.5) * math.log(0.4 / 0.5)
    assert stability(traffic, evaluation, np.ones(10_000)) == pytest.approx(expected, rel=1e-3)


def test_numbers_are_binned_and_weights_bring_a_biased_sample_back() -> None:
    traffic = pl.Series("x", RNG.normal(size=20_000))
    values = RNG.normal(size=20_000)
    kept = values[RNG.random(20_000) < np.where(values > 0, 0.5, 0.1)]
    biased = pl.Series("x", kept)
    weights = np.where(kept > 0, 2.0, 10.0)
    assert stability(traffic, biased, np.ones(len(kept))) > 0.25
    assert stability(traffic, biased, weights) < 0.02
    assert stability(traffic, traffic, np.ones(20_000)) < 1e-9


def test_what_is_missing_is_a_bin_of_its_own_and_widths_do_not_matter() -> None:
    traffic = pl.Series("x", [1, 2, None, 4] * 500, dtype=pl.Int16)
    same = pl.Series("x", [1.0, 2.0, float("nan"), 4.0] * 500).fill_nan(None)
    assert stability(traffic, same, np.ones(2_000)) == pytest.approx(0.0, abs=1e-9)
    assert stability(traffic, pl.Series("x", [None] * 2_000, dtype=pl.Int16), np.ones(2_000)) > 1
    many = pl.Series("y", [*np.arange(1_000.0), *[None] * 1_000])
    assert stability(many, pl.Series("y", np.arange(1_000.0)), np.ones(1_000)) > 0.25


@pytest.mark.parametrize(("value", "state"), [(0.09, "pass"), (0.10, "warn"), (0.24, "warn"), (0.25, "fail")])
def test_the_largest_index_decides(value: float, state: str) -> None:
    found = judge_stability({"a": 0.01, "b": value}, 500, Limits())
    assert (found.state, found.numbers["b"]) == (state, value)
    assert "PSI of b" in found.what
    assert judge_stability({"a": 0.9}, 199, Limits()).state == "unknown"
    assert judge_stability({}, 500, Limits()).state == "unknown"


@pytest.mark.parametrize(("value", "state"), [(0.4, "pass"), (0.549, "pass"), (0.55, "warn"), (0.65, "fail")])
def test_how_well_the_sets_can_be_told_apart(value: float, state: str) -> None:
    assert judge_separation(value, 500, Limits()).state == state
    assert judge_separation(value, 10, Limits()).state == "unknown"


def test_a_classifier_sees_what_no_column_shows_alone() -> None:
    """The traffic's two columns go together, the evaluation set's do not; each column alone is the same."""
    first = RNG.normal(size=3_000)
    traffic = np.stack([first, first + 0.3 * RNG.normal(size=3_000)], axis=1)
    apart = np.stack([RNG.normal(size=1_000), RNG.normal(scale=1.044, size=1_000)], axis=1)
    again = RNG.normal(size=1_000)
    like = np.stack([again, again + 0.3 * RNG.normal(size=1_000)], axis=1)
    assert separation(traffic, apart, np.ones(1_000)) > 0.65
    assert abs(separation(traffic, like, np.ones(1_000)) - 0.5) < 0.05


def test_a_weighted_auc_is_that_of_repeated_rows() -> None:
    labels, scores, weights = RNG.integers(0, 2, 60), RNG.integers(0, 8, 60).astype(float), RNG.integers(1, 4, 60)
    repeated = auc(np.repeat(labels, weights), np.repeat(scores, weights))
    assert weighted_auc(labels, scores, weights) == pytest.approx(repeated)
    assert math.isnan(weighted_auc([1, 1], [0.1, 0.2], [1, 1]))


def test_columns_that_say_something_of_a_row() -> None:
    traffic = pl.DataFrame(
        {
            "id": range(6),
            "key": range(6),
            "text": list("abcdef"),
            "kind": ["a", "b"] * 3,
            "AGE": range(6),
            "when": pl.Series([0] * 6).cast(pl.Datetime("us")),
            "other": ["1"] * 6,
        }
    )
    evaluation = traffic.with_columns(pl.col("other").cast(pl.Int64), weight=pl.lit(1.0), extra=pl.lit(1))
    schema = Schema(columns={"key": Column(type="int", unique=True)})
    assert comparable(evaluation, traffic, ("id", "employed"), schema) == ["kind", "AGE"]


def test_texts_become_places_and_gaps_stay_gaps() -> None:
    one, two = pl.DataFrame({"k": ["b", None], "x": [1, 2]}), pl.DataFrame({"k": ["a"], "x": [2.5]})
    first, second = encoded([one, two], ["k", "x"])
    assert first.tolist()[0] == [2.0, 1.0]
    assert math.isnan(first[1, 0])
    assert second.tolist() == [[1.0, 2.5]]
