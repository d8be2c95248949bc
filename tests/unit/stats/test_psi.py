from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.stats.psi import psi, psi_of_values, rebinned

counts = st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any)


def test_two_cells_by_hand() -> None:
    assert psi([50, 50], [60, 40]) == pytest.approx(0.1 * math.log(0.6 / 0.5) - 0.1 * math.log(0.4 / 0.5))


def test_an_empty_cell_is_no_infinity() -> None:
    assert psi([100, 0], [50, 50]) == pytest.approx((0.5 - 1) * math.log(0.5) + (0.5 - 1e-4) * math.log(0.5 / 1e-4))
    assert psi_of_values({"a": 100}, {"b": 100}) > 10
    assert math.isnan(psi([0, 0], [1, 2]))


@given(counts, counts, st.integers(1, 9))
def test_it_is_no_less_than_zero_and_blind_to_size(before: list[int], now: list[int], times: int) -> None:
    assert psi(before, now) >= 0
    assert psi(before, [times * count for count in before]) == pytest.approx(0, abs=1e-9)
    assert psi([times * count for count in before], now) == pytest.approx(psi(before, now))


@given(counts, st.floats(-5, 5), st.floats(0.5, 9))
def test_rebinning_keeps_every_row(numbers: list[int], low: float, width: float) -> None:
    cells = rebinned(low, low + width, numbers, [0.0, 1.0, 2.0])
    assert len(cells) == 4
    assert sum(cells) == pytest.approx(sum(numbers))


def test_rebinning_by_hand() -> None:
    assert rebinned(0, 4, [4, 4, 0, 8], [0, 2, 4]) == [0, 8, 8, 0]
    assert rebinned(0, 4, [4, 4, 0, 8], [1, 2.5]) == pytest.approx([4, 4, 8])
    assert rebinned(2, 2, [5], [0, 2, 4]) == [0, 0, 5, 0]
    assert rebinned(4, 4, [5], [0, 2, 4]) == [0, 0, 5, 0]
    assert rebinned(9, 9, [5], [0, 2, 4]) == [0, 0, 0, 5]
