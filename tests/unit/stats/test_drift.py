"""Drift of predictions: cells, events, and an e-value whose expectation never exceeds 1 on the null."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from gatewright.domain.evidence import Cells, MixedEvidence
from gatewright.stats import drift

BINARY = Cells(classes=True, points=(0.0, 1.0))
THREE = Cells(classes=True, points=(0.0, 1.0, 2.0))
CUTS = Cells(classes=False, points=(0.3, 0.6))


def test_few_values_are_classes_and_many_are_cut_at_their_deciles() -> None:
    assert drift.choose_cells([1.0, 0.0, 1.0]) == BINARY
    cells = drift.choose_cells([number / 100 for number in range(100)])
    assert (cells.classes, len(cells.points)) == (False, 9)
    counts = drift.count(cells, [number / 100 for number in range(100)])
    assert all(9 <= count <= 11 for count in counts)


def test_cuts_of_outputs_that_are_mostly_alike_leave_something_on_both_sides() -> None:
    cells = drift.choose_cells([0.0] * 80 + [float(number) for number in range(20)])
    assert cells.points[0] == 0.0
    assert all(drift.events(cells, drift.count(cells, [0.0] * 80 + [float(number) for number in range(20)])))


def test_outputs_are_counted_in_their_cells_and_strange_classes_in_the_last() -> None:
    assert drift.count(BINARY, [0, 1, 1, 0.5, -1, 9]) == (1, 2, 3)
    assert drift.count(CUTS, [0.1, 0.3, 0.31, 0.6, 0.7, 5]) == (2, 2, 2)


def test_events_are_classes_or_what_lies_above_a_cut() -> None:
    assert drift.events(BINARY, (5, 3, 1)) == (3, 1)
    assert drift.events(THREE, (5, 3, 1, 2)) == (5, 3, 1, 2)
    assert drift.events(CUTS, (5, 3, 1)) == (4, 1)
    assert [drift.event_name(BINARY, 0), drift.event_name(BINARY, 1)] == [
        "prediction 1",
        "predictions that stable never made",
    ]
    assert drift.event_name(THREE, 1) == "prediction 1"
    assert drift.event_name(CUTS, 1) == "predictions above 0.6"


def test_the_largest_difference_is_named_with_its_shares() -> None:
    assert drift.largest_difference(CUTS, (5, 5, 0), (5, 0, 5)) == (1, 0.0, 0.5)


def draws(n: int, cells: int) -> Iterator[tuple[int, ...]]:
    """Every way to put n predictions into this many cells."""
    for cuts in itertools.combinations(range(n + cells - 1), cells - 1):
        edges = (-1, *cuts, n + cells - 1)
        yield tuple(after - before - 1 for before, after in itertools.pairwise(edges))


def probabilities(counts: list[tuple[int, ...]], shares: np.ndarray) -> np.ndarray:
    """(distributions, outcomes) from outcomes and (distributions, cells)."""
    ways = [math.factorial(sum(each)) / math.prod(map(math.factorial, each)) for each in counts]
    return np.array(ways) * (shares[:, None, :] ** np.array(counts)[None, :, :]).prod(axis=2)


def wealth(evidence: MixedEvidence) -> float:
    return math.exp(drift.log_e_value(evidence))


@pytest.mark.parametrize("cells", [THREE, CUTS], ids=["classes", "cuts"])
@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2])
@pytest.mark.parametrize(("n_c", "n_s"), [(1, 1), (2, 4), (4, 2)])
def test_the_expected_e_value_is_at_most_one_on_the_whole_null(cells: Cells, margin: float, n_c: int, n_s: int) -> None:
    """Exact: every outcome of one block, over a grid of pairs of distributions that differ by at most the margin."""
    width = len(cells.points) + 1
    history = tuple(range(40, 40 + 10 * width, 10))
    before = drift.start(cells, margin, history)
    canary, stable = list(draws(n_c, width)), list(draws(n_s, width))
    e_values = np.array([[wealth(drift.update(before, cells, c, s)) for s in stable] for c in canary])
    grid = np.array(list(draws(8, width))) / 8
    p_stable = probabilities(stable, grid)
    worst = 0.0
    for p_s, outcomes in zip(grid, p_stable, strict=True):
        # On the way from stable's shares to any others: as far as the margin allows.
        gaps = np.abs(shares_of(cells, grid) - shares_of(cells, p_s[None, :])).max(axis=1)
        steps = np.minimum(1.0, margin / np.where(gaps > 0, gaps, 1.0))
        p_c = p_s + steps[:, None] * (grid - p_s)
        worst = max(worst, float((probabilities(canary, p_c) @ e_values @ outcomes).max()))
    assert 0.85 < worst <= 1.0 + 1e-9


def shares_of(cells: Cells, shares: np.ndarray) -> np.ndarray:
    """The probabilities of the events, (distributions, events)."""
    above = shares[:, ::-1].cumsum(axis=1)[:, ::-1]
    return shares if cells.classes else above[:, 1:]


def after(margin: float, p_c: list[float], p_s: list[float], blocks: int, seed: int) -> MixedEvidence:
    rng = np.random.default_rng(seed)
    evidence = drift.start(CUTS, margin, (1000, 600, 400))
    for _ in range(blocks):
        canary, stable = rng.multinomial(100, p_c).tolist(), rng.multinomial(1900, p_s).tolist()
        evidence = drift.update(evidence, CUTS, canary, stable)
    return evidence


def test_a_distribution_that_moved_is_found_and_one_within_the_margin_is_not() -> None:
    moved = after(0.05, [0.35, 0.3, 0.35], [0.5, 0.3, 0.2], blocks=20, seed=1)
    assert drift.alarmed(moved, 0.001)
    assert not drift.alarmed(after(0.2, [0.35, 0.3, 0.35], [0.5, 0.3, 0.2], blocks=20, seed=1), 0.001)


def test_less_of_something_is_found_as_well_as_more() -> None:
    fewer = after(0.05, [0.65, 0.3, 0.05], [0.5, 0.3, 0.2], blocks=20, seed=2)
    assert drift.alarmed(fewer, 0.001)


def test_an_alarm_stays() -> None:
    evidence = after(0.05, [0.2, 0.3, 0.5], [0.5, 0.3, 0.2], blocks=20, seed=3)
    for _ in range(200):
        evidence = drift.update(evidence, CUTS, (50, 30, 20), (950, 570, 380))
    assert drift.alarmed(evidence, 0.001)


def test_users_who_ask_the_same_again_and_again_count_less() -> None:
    outputs, users = [float(number % 2) for number in range(40)], [f"user {number % 8}" for number in range(40)]
    assert drift.design_effect(BINARY, outputs, users) > 4
    assert drift.design_effect(BINARY, outputs, [f"user {number}" for number in range(40)]) == pytest.approx(
        1, rel=0.05
    )
    assert drift.design_effect(BINARY, outputs, []) == 1.0
    before = drift.start(BINARY, 0.05, (10, 10, 0))
    alone, together = (drift.update(before, BINARY, (20, 80, 0), (500, 500, 0), effect) for effect in (1.0, 5.0))
    assert wealth(alone) > wealth(together) > 1.0


def test_a_block_without_one_arm_is_no_evidence() -> None:
    before = drift.start(CUTS, 0.05, (10, 10, 10))
    after_one = drift.update(before, CUTS, (0, 0, 0), (5, 5, 5))
    assert drift.log_e_value(after_one) == pytest.approx(drift.log_e_value(before))
