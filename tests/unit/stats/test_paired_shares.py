from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.domain.evidence import Cells
from gatewright.domain.shadow import PairedCounts
from gatewright.stats import paired_shares
from gatewright.stats.paired_shares import add, count, log_e_value

CLASSES = Cells(classes=True, points=(0.0, 1.0))
THREE = Cells(classes=True, points=(0.0, 1.0, 2.0))
CUTS = Cells(classes=False, points=(1.0, 5.0))


def expectation(pairs: int, more: float, less: float, margin: float, design_effect: float) -> float:
    """E[e] over every outcome of `pairs` pairs, of which one has the event only here with these probabilities."""
    total = 0.0
    for k_more, k_less in product(range(pairs + 1), repeat=2):
        if (rest := pairs - k_more - k_less) < 0:
            continue
        ways = math.comb(pairs, k_more) * math.comb(pairs - k_more, k_less)
        chance = ways * more**k_more * less**k_less * (1 - more - less) ** rest
        counts = (PairedCounts(canary_only=k_more, stable_only=k_less),)
        total += chance * math.exp(log_e_value(counts, pairs, margin, design_effect))
    return total


@given(
    pairs=st.integers(0, 12),
    margin=st.sampled_from((0.0, 0.01, 0.05, 0.2, 0.7)),
    beyond=st.floats(-1.0, 1.0),
    both=st.floats(0.0, 1.0),
    design_effect=st.sampled_from((1.0, 2.5)),
)
def test_on_the_null_the_expectation_is_at_most_one(
    pairs: int, margin: float, beyond: float, both: float, design_effect: float
) -> None:
    difference = margin * beyond
    low = both * (1 - abs(difference)) / 2
    more, less = low + max(difference, 0.0), low + max(-difference, 0.0)
    assert expectation(pairs, more, less, margin, design_effect) <= 1.0 + 1e-9


def test_beyond_the_null_it_grows() -> None:
    assert expectation(12, 0.5, 0.0, 0.05, 1.0) > 2.0
    assert expectation(12, 0.0, 0.5, 0.05, 1.0) > 2.0


def test_three_counts_are_enough_whatever_the_order() -> None:
    halves = [(PairedCounts(canary_only=7, stable_only=1), 60), (PairedCounts(canary_only=2, stable_only=4), 40)]
    whole = add((halves[0][0],), (halves[1][0],))
    assert whole == (PairedCounts(canary_only=9, stable_only=5),)
    assert log_e_value(whole, 100, 0.05) == log_e_value((PairedCounts(canary_only=9, stable_only=5),), 100, 0.05)


def test_both_directions_and_the_design_effect() -> None:
    more, less = (PairedCounts(canary_only=30, stable_only=1),), (PairedCounts(canary_only=1, stable_only=30),)
    assert log_e_value(more, 200, 0.05) == log_e_value(less, 200, 0.05)
    assert 0 < log_e_value(more, 200, 0.05, 3.0) < log_e_value(more, 200, 0.05)
    assert log_e_value(more, 200, 0.05, 0.2) == log_e_value(more, 200, 0.05)


def test_equal_answers_are_no_evidence() -> None:
    assert log_e_value((), 0, 0.05) == 0.0
    assert log_e_value((PairedCounts(),), 0, 0.05) == pytest.approx(0.0)
    assert log_e_value((PairedCounts(),), 10_000, 0.05) < 0


def test_twelve_points_in_one_direction_pass_the_limit_of_a_pause_but_not_of_a_rollback() -> None:
    counts = (PairedCounts(canary_only=180, stable_only=0),)
    assert log_e_value(counts, 1500, 0.05) > math.log(1000)
    assert log_e_value(counts, 1500, 0.2) < 0


@pytest.mark.parametrize(
    ("cells", "pairs", "expected"),
    [
        (CLASSES, [(1, 0, 5), (0, 1, 2), (0, 0, 9)], [(5, 2), (0, 0)]),
        (CLASSES, [(2, 1, 3)], [(0, 3), (3, 0)]),
        (THREE, [(0, 2, 4)], [(4, 0), (0, 0), (0, 4), (0, 0)]),
        (CUTS, [(2, 0, 4), (1, 0, 1)], [(5, 0), (4, 0)]),
    ],
)
def test_pairs_are_counted_by_event(
    cells: Cells, pairs: list[tuple[int, int, int]], expected: list[tuple[int, int]]
) -> None:
    assert [(each.canary_only, each.stable_only) for each in count(cells, pairs)] == expected


def test_nothing_is_added_to_nothing() -> None:
    some = (PairedCounts(canary_only=1),)
    assert (add((), some), add(some, ()), add((), ())) == (some, some, ())


@pytest.mark.parametrize(("counts", "pairs", "margin"), [((3, 2), 4, 0.1), ((-1, 2), 4, 0.1), ((1, 1), 4, 1.0)])
def test_impossible_counts_are_refused(counts: tuple[int, int], pairs: int, margin: float) -> None:
    with pytest.raises(ValueError, match="impossible"):
        paired_shares.log_e_value((PairedCounts(canary_only=counts[0], stable_only=counts[1]),), pairs, margin)
