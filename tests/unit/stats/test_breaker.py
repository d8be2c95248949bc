from __future__ import annotations

import math

import numpy as np
import pytest

from gatewright.stats import breaker

LIMIT = 0.05


def after(blocks: list[tuple[int, int]], limit: float = LIMIT) -> tuple[float, ...]:
    state: tuple[float, ...] = ()
    for n, bad in blocks:
        state = breaker.update(state, n, bad, limit)
    return state


@pytest.mark.parametrize("limit", [0.001, 0.05, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("past", [[], [(50, 1)], [(20, 9)], [(400, 2)] * 30])
@pytest.mark.parametrize("n", [1, 3, 12])
def test_no_share_within_the_limit_is_expected_to_gain(limit: float, past: list[tuple[int, int]], n: int) -> None:
    state = after(past, limit)
    before = math.exp(breaker.log_e_value(state))
    values = np.array([math.exp(breaker.log_e_value(breaker.update(state, n, k, limit))) for k in range(n + 1)])
    for share in limit * np.linspace(0.0, 1.0, 21):
        chances = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
        assert values @ chances <= before * (1 + 1e-9)


@pytest.mark.parametrize("effect", [1.0, 1.7, 10.0])
def test_a_design_effect_makes_less_of_the_same_requests_and_expects_no_gain(effect: float) -> None:
    values = np.array([math.exp(breaker.log_e_value(breaker.update((), 12, k, LIMIT, effect))) for k in range(13)])
    chances = [math.comb(12, k) * LIMIT**k * (1 - LIMIT) ** (12 - k) for k in range(13)]
    assert values @ chances <= 1 + 1e-9
    assert breaker.update((), 30, 9, LIMIT, 3.0) == pytest.approx(breaker.update((), 10, 3, LIMIT))
    assert breaker.update((), 30, 9, LIMIT, 0.3) == breaker.update((), 30, 9, LIMIT)


def test_nothing_seen_is_no_evidence() -> None:
    assert breaker.log_e_value(()) == 0.0
    assert breaker.update((), 0, 0, LIMIT) == ()
    assert breaker.log_e_value(breaker.update((), 1, 0, LIMIT)) <= 0.0


def test_twice_the_limit_is_found_within_a_thousand_requests() -> None:
    assert breaker.log_e_value(after([(100, 10)] * 9)) >= math.log(1000)


def test_exactly_the_limit_is_no_alarm() -> None:
    assert breaker.log_e_value(after([(100, 5)] * 1000)) < math.log(1000)


def test_a_long_healthy_past_does_not_hide_a_late_fault() -> None:
    healthy = after([(750, 1)] * 1440)
    found, state = 0, healthy
    while breaker.log_e_value(state) < math.log(1000):
        state = breaker.update(state, 750, 150, LIMIT)
        found += 1
    assert found <= 2
