"""Evaluation rows in the training data: every planted one is found, and honest doubles are no leak."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gatewright.domain.labelling import Finding
from gatewright.rules.fitness.leakage import Matches, judge_leakage, matches, shared

COLUMNS = ["a", "b", "c", "x"]


def table(count: int, rng: np.random.Generator, *, first: int = 0, coarse: bool = False) -> pl.DataFrame:
    """Rows of small whole numbers and, unless `coarse`, one of many digits."""
    columns: dict[str, Any] = {"id": np.arange(first, first + count)}
    columns |= {name: rng.integers(0, 7, count).astype(np.int16) for name in ("a", "b", "c")}
    columns["x"] = rng.integers(0, 5, count) if coarse else rng.normal(size=count)
    return pl.DataFrame(columns)


def looked_up(evaluation: pl.DataFrame, training: pl.DataFrame, *, id: bool = True) -> tuple[Matches, Finding]:
    found = matches(evaluation, training.lazy(), COLUMNS, "id" if id else None)
    return found, judge_leakage(found, "people-train")


def test_five_hundred_rows_planted_in_a_million_are_all_found() -> None:
    rng = np.random.default_rng(1)
    training, evaluation = table(1_000_000, rng), table(20_000, rng, first=5_000_000)
    places = np.sort(rng.choice(evaluation.height, 500, replace=False))
    leaked = evaluation[places]
    at = rng.choice(training.height, 500, replace=False)
    training = pl.concat([training, leaked.cast(training.schema)]).sample(fraction=1, shuffle=True, seed=len(at))  # type: ignore[arg-type]
    found, finding = looked_up(evaluation, training)
    assert found.places == tuple(places.tolist())
    assert (finding.state, found.same_id, found.same_id_and_row) == ("fail", 500, 500)
    assert finding.what == "500 of 20,000 rows stand in people-train, with their id and their contents"
    # Without ids, by their contents alone.
    without, told = looked_up(evaluation, training, id=False)
    assert (without.places, told.state) == (found.places, "fail")
    assert told.numbers["excess"] == 500


def test_honest_doubles_are_no_leak() -> None:
    """Coarse rows: one in three has a double by chance, in the evaluation set and in training alike."""
    rng = np.random.default_rng(2)
    training, evaluation = table(700, rng, coarse=True), table(2_000, rng, first=9_000, coarse=True)
    found, finding = looked_up(evaluation, training)
    assert 0.2 < len(found.places) / 2_000 < 0.5
    assert (finding.state, found.same_id) == ("pass", 0)
    assert "would by chance" in finding.what


def test_an_excess_over_honest_doubles_is_a_leak() -> None:
    rng = np.random.default_rng(3)
    training, evaluation = table(700, rng, coarse=True), table(2_000, rng, first=9_000, coarse=True)
    leaked = pl.concat([evaluation[500:], training.sample(500, seed=1).with_columns(pl.col("id") + 50_000)])
    found, finding = looked_up(leaked, training)
    assert finding.state == "fail"
    assert found.same_id == 0
    assert 250 < finding.numbers["excess"] < 500


def test_rows_that_nearly_all_have_a_double_identify_nobody() -> None:
    numbers = pl.DataFrame({"id": range(1_000), **{name: [1, 2] * 500 for name in COLUMNS}})
    other = pl.DataFrame({"id": range(5_000, 6_000), **{name: [1] * 1_000 for name in COLUMNS}})
    found, finding = looked_up(other, pl.concat([numbers, numbers[:1].with_columns(a=pl.lit(3, pl.Int64))]))
    assert len(found.places) == 1_000
    assert finding.state != "fail"


def test_numbers_of_lines_are_no_identity() -> None:
    """Both sets count from 0: every id is there twice, and not one row is the same."""
    rng = np.random.default_rng(4)
    found, finding = looked_up(table(1_000, rng), table(5_000, rng))
    assert (found.same_id, found.same_id_and_row, finding.state) == (1_000, 0, "pass")


def test_the_width_of_a_number_and_a_gap_make_no_difference() -> None:
    rows = {"id": [1, 2], "a": [1, None], "b": [0.0, 2.0], "c": ["x", None], "x": [True, False]}
    narrow = pl.DataFrame(rows, schema_overrides={"a": pl.Int8, "b": pl.Float32})
    wide = pl.DataFrame(rows | {"id": [8, 9], "b": [-0.0, 2.0], "x": [1, 0]}, schema_overrides={"a": pl.Float64})
    found, _ = looked_up(narrow, wide)
    assert found.places == (0, 1)


def test_what_is_compared_and_what_is_not() -> None:
    columns = dict.fromkeys(("id", "AGE", "SEX", "weight", "stratum", "random", "employed", "only here"), "int")
    assert shared(columns, dict.fromkeys([*columns][:-1]), ("id", "employed")) == ["AGE", "SEX"]
    none = Matches(rows=10, places=(), compared=10, doubles=0, columns=0)
    assert judge_leakage(none, "t").state == "unknown"
