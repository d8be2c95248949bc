from __future__ import annotations

import math

import numpy as np
import pytest

from gatewright.stats import crowd

GROUPS = 64


def drawn(rng: np.random.Generator, spread: float, requests: int = 3000, rate: float = 0.1) -> list[tuple[int, int]]:
    """Groups whose own rates are normal around `rate`."""
    rates = np.clip(rng.normal(rate, spread, GROUPS), 0.0, 1.0)
    return [(requests, int(bad)) for bad in rng.binomial(requests, rates)]


def test_requests_that_are_independent_are_seldom_luck() -> None:
    rng = np.random.default_rng(1)
    found = [crowd.luck(drawn(rng, 0.0), 0.05) for _ in range(400)]
    assert sum(luck > 0 for luck in found) <= 400 * 0.06
    assert max(found) <= 0.004


@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_it_is_the_deviation_of_an_arm_drawn_from_such_groups(weight: float) -> None:
    """Of users whose groups of 1/64 of stable deviate by .02, an arm of a share w by .02 sqrt((1-w)/64/w)."""
    rng = np.random.default_rng(2)
    found = [crowd.luck(drawn(rng, 0.02), weight) for _ in range(50)]
    canary, stable = 0.02 * math.sqrt((1 - weight) / (GROUPS * weight)), 0.02 / math.sqrt(GROUPS)
    assert np.mean(found) == pytest.approx(math.hypot(canary, stable), rel=0.05)


def test_what_the_design_effect_explains_is_no_luck() -> None:
    rng = np.random.default_rng(3)
    visits = [(3000, 10 * int(bad)) for bad in rng.binomial(300, 0.1, GROUPS)]
    assert crowd.luck(visits, 0.05) > 0
    assert crowd.luck(visits, 0.05, 10.0) == 0.0


@pytest.mark.parametrize(
    ("groups", "weight"),
    [((), 0.05), (((900, 90),), 0.05), (((0, 0),) * 64, 0.05), (((10, 10), (9, 9)), 0.05), (((10, 0), (9, 0)), 0.05)]
    + [(((100, 90), (100, 1)), weight) for weight in (0.0, 1.0)],
)
def test_where_nothing_can_be_told_there_is_none(groups: tuple[tuple[int, int], ...], weight: float) -> None:
    assert crowd.luck(groups, weight) == 0.0


def test_groups_add_up_and_unknown_users_add_nothing() -> None:
    assert crowd.added((), ((1, 0), (2, 1))) == ((1, 0), (2, 1))
    assert crowd.added(((1, 0), (2, 1)), ((3, 3), (0, 0))) == ((4, 3), (2, 1))
    assert crowd.added(((1, 0), (2, 1)), ()) == ((1, 0), (2, 1))
