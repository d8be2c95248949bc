"""Allocation of rows over strata, and drawing them: totals, ends, weights that add up, the purely random part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.stats.sampling import allocate, draw, weights

SHARE = st.floats(0.3, 1)
STRATA = st.lists(st.tuples(st.integers(2, 400), st.floats(0, 5)), min_size=1, max_size=12)


@given(STRATA, st.floats(0, 1))
def test_an_allocation_has_exactly_the_rows_and_stays_within_each_stratum(
    strata: list[tuple[int, float]], share: float
) -> None:
    sizes = np.array([size for size, _ in strata])
    spreads = np.array([spread for _, spread in strata])
    rows = int(2 * len(sizes) + share * (sizes.sum() - 2 * len(sizes)))
    found = allocate(sizes, spreads, rows)
    assert found.sum() == rows
    assert (found >= 2).all()
    assert (found <= sizes).all()


def test_proportional_and_neyman() -> None:
    assert allocate([100, 300], [1, 1], 40).tolist() == [10, 30]
    assert allocate([100, 300], [3, 1], 40).tolist() == [20, 20]
    assert allocate([10, 300], [100, 1], 40).tolist() == [10, 30], "a stratum that is used up leaves the rest"
    assert allocate([100, 100], [0, 0], 40).tolist() == [20, 20]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("spreads", "expected"),
    [
        ([1.0, 2e-313, 4e-313], [2, 6, 12]),
        ([1.0, 5e-324, 5e-324], [2, 9, 9]),
        ([1e308, 1e308, 1e308], [2, 9, 9]),
        ([1e308, 1e-10, 0.0], [2, 16, 2]),
    ],
)
def test_spreads_at_the_ends_of_what_a_float_holds_are_shared_as_all_others(
    spreads: list[float], expected: list[int]
) -> None:
    assert allocate([2, 1000, 1000], spreads, rows=sum(expected)).tolist() == expected


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_empty_stratum_of_a_huge_spread_takes_nothing_from_the_others() -> None:
    assert allocate([0, 100, 100], [1e308, 1e-10, 3e-10], rows=40).tolist() == [0, 10, 30]


@pytest.mark.parametrize("rows", [3, 401])
def test_rows_that_cannot_be_drawn(rows: int) -> None:
    with pytest.raises(ValueError, match=f"{rows} rows cannot be drawn: from 4 to 400"):
        allocate([100, 300], [1, 1], rows)


@given(
    st.integers(0, 2**32), st.lists(st.integers(2, 60), min_size=1, max_size=6), st.floats(0.05, 1), st.floats(0.3, 1)
)
def test_a_draw_repeats_no_row_and_its_weights_add_up(
    seed: int, sizes: list[int], share: float, random_share: float
) -> None:
    codes = np.repeat(np.arange(len(sizes)), sizes)
    rows = max(2 * len(sizes), int(share * len(codes)))
    targets = allocate(sizes, np.ones(len(sizes)), rows)
    random = int(random_share * rows)
    chosen, first = draw(codes, targets, random, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == len(chosen)
    assert len(first) == random
    assert set(first.tolist()) <= set(chosen.tolist())
    got = np.bincount(codes[chosen], minlength=len(sizes))
    assert (got >= 2).all()
    assert rows <= len(chosen) <= rows + 2 * len(sizes)
    assert weights(codes, chosen, len(sizes)).sum() == pytest.approx(len(codes))


def test_the_same_seed_draws_the_same_rows_and_another_one_others() -> None:
    codes = np.repeat([0, 1], 500)
    drawn = [draw(codes, [20, 20], 12, np.random.default_rng(seed))[0].tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_random_part_is_random_over_all_rows() -> None:
    """A thousand draws of 12 of 40 rows: each row of the small stratum is in the random part 30 % of the time."""
    codes = np.repeat([0, 1], [10, 90])
    hits = np.zeros(100)
    for seed in range(1000):
        hits[draw(codes, [20, 20], 12, np.random.default_rng(seed))[1]] += 1
    assert hits / 1000 == pytest.approx(np.full(100, 0.12), abs=0.045)
    with pytest.raises(ValueError, match="random rows are more"):
        draw(codes, [5, 5], 11, np.random.default_rng(0))
