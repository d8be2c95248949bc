from __future__ import annotations

import math

import pytest

from gatewright.stats.wealth import CASH, log_wealth, spend


@pytest.mark.parametrize(
    "log_e",
    [(0.0,) * 6, (-0.7, 3.0, -40.0), (900.0, -900.0, 0.0), (-1e6, -2e6), (1e6, -1e6), (-690.0, -745.0, -600.0)],
)
@pytest.mark.parametrize("cash", [CASH, 0.01, 1e-9, 1e-150])
def test_moving_cash_keeps_the_wealth(log_e: tuple[float, ...], cash: float) -> None:
    moved, left = spend(log_e, cash)
    assert left <= cash
    assert log_wealth(moved, left) == pytest.approx(log_wealth(log_e, cash), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("cash", [0.0, 5e-324, 1e-200])
def test_too_little_cash_to_move_stays_where_it_is(cash: float) -> None:
    assert spend((-1000.0, 2.0), cash) == ((-1000.0, 2.0), cash)


def test_no_alternative_falls_below_what_was_moved_last() -> None:
    moved, _ = spend((-1e9, -1e9), CASH)
    assert moved == pytest.approx((math.log(CASH / 1000),) * 2)


def test_some_cash_is_left_after_a_month_of_ten_second_blocks() -> None:
    cash, blocks = CASH, 6 * 60 * 24 * 30
    for _ in range(blocks):
        _, cash = spend((0.0,), cash)
    assert cash == pytest.approx(CASH / (1 + blocks / 1000), rel=0.05)


def test_wealth_without_cash_is_the_mean() -> None:
    assert log_wealth((math.log(1.0), math.log(3.0)), 0.0) == pytest.approx(math.log(2.0))
    assert log_wealth((-2000.0, -3000.0), 0.0) == pytest.approx(-2000.0 - math.log(2.0))
