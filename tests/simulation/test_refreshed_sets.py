"""An evaluation set sampled by the refresh estimates accuracy within its interval: 500 seeded trials on census data.

The traffic is 40,000 rows of the ACS year 2018, the model a logistic regression fitted on 2015. Figures are printed
(`pytest -s`), and stand in docs/evaluation-sets.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from gatewright.rules.labelling.sampling import Allocation, Design, checked_uncertainty, drawn
from gatewright.rules.labelling.strata import Strata, stratified
from gatewright.stats.intervals import wilson
from gatewright.stats.sampling import weights
from gatewright.stats.weighted import Strata as SampleStrata
from gatewright.stats.weighted import effective_rows, share_interval

ACS = Path(__file__).resolve().parents[2] / "examples" / "employment" / "data" / "acs"
TRIALS, ROWS, PROMISE = 500, 1_000, 0.93
INPUTS = ["AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIL", "SEX"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A year of traffic: whether the model is right on each row, and how unsure it was."""

    rows: pl.DataFrame
    right: np.ndarray[Any, Any]
    unsure: pl.Series


@cache
def traffic() -> Traffic:
    train = pl.read_parquet(ACS / "2015.parquet").sample(12_000, seed=1)
    rows = pl.read_parquet(ACS / "2018.parquet").sample(40_000, seed=2)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=200, C=0.1))
    model.fit(train.select(INPUTS).to_numpy(), train["employed"].to_numpy())
    probability = model.predict_proba(rows.select(INPUTS).to_numpy())[:, 1]
    right = (probability > 0.5) == (rows["employed"].to_numpy() == 1)
    unsure = checked_uncertainty(pl.Series("p", probability), probability=True)
    return Traffic(rows=rows, right=right.astype(float), unsure=unsure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What 500 samples told: how often the interval held the truth, and how far off they were."""

    covered: float
    bias: float
    deviation: float
    length: float


@cache
def tried(allocation: Allocation) -> Trials:
    """`TRIALS` samples by the product's own drawing, each estimated by its weights within its strata."""
    world = traffic()
    unsure = world.unsure if allocation == "neyman" else None
    strata = stratified(world.rows, ("SEX",), unsure)
    truth = world.right.mean()
    found = np.array(
        [_one(strata, world, Design(rows=ROWS, allocation=allocation, seed=seed)) for seed in range(TRIALS)]
    )
    share, low, high = found.T
    return Trials(
        covered=float(((low <= truth) & (truth <= high)).mean()),
        bias=float((share - truth).mean()),
        deviation=float(share.std()),
        length=float((high - low).mean()),
    )


def _one(strata: Strata, world: Traffic, design: Design) -> tuple[float, float, float]:
    chosen, _, _ = drawn(strata, design, world.unsure.to_numpy())
    weight = weights(strata.codes, chosen, len(strata.names))
    return share_interval(world.right[chosen], weight, SampleStrata.of(strata.codes[chosen]))


@pytest.mark.parametrize("allocation", ["proportional", "neyman"])
def test_accuracy_lies_within_the_interval_of_a_refreshed_set(allocation: Allocation) -> None:
    found = tried(allocation)
    print(f"\n{allocation}:", found)
    assert found.covered >= PROMISE
    assert abs(found.bias) < 4 * found.deviation / np.sqrt(TRIALS)


def test_neyman_is_worth_more_labels_than_chance() -> None:
    """The variance beside that of as many purely random rows: how many of these one is worth."""
    truth = traffic().right.mean()
    random = truth * (1 - truth) / ROWS
    worth = {name: random / tried(name).deviation ** 2 for name in ("proportional", "neyman")}
    print(f"\nworth in labels: {worth}")
    assert worth["neyman"] > 1.1
    assert worth["neyman"] > worth["proportional"]


def test_samples_without_weights_are_biased() -> None:
    """What is refused: the rows of which the model is least sure, and a set of its errors; no interval helps them."""
    world = traffic()
    truth, unsure = world.right.mean(), world.unsure.to_numpy()
    rng = np.random.default_rng(0)
    least_sure = rng.choice(len(unsure), 20_000, p=unsure / unsure.sum())
    chance = np.where(world.right > 0, 1.0, 3.0)
    hard = rng.choice(len(unsure), 20_000, p=chance / chance.sum())
    found = {"by uncertainty": least_sure, "hard examples": hard}
    biases = {name: float(world.right[chosen].mean() - truth) for name, chosen in found.items()}
    print(f"\nbias without weights: {biases}")
    assert max(biases.values()) < -0.05
    for chosen in found.values():
        low, high = (float(end) for end in wilson(world.right[chosen][:ROWS].sum(), ROWS))
        assert not low <= truth <= high
    weight = (1 / unsure)[least_sure[:ROWS]]
    assert effective_rows(weight) < ROWS
