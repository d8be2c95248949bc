"""Intervals for people: what they estimate, and what makes them wide."""

from __future__ import annotations

import math

import pytest

from gatewright.domain.evidence import Block, BlockEvidence, Difference, Losses
from gatewright.stats import betting, confidence, sequential

PAST = sequential.start("worse", 0.0025, 20, 2000)


def block(canary: tuple[int, int], stable: tuple[int, int]) -> Block:
    return Block(canary_n=canary[0], canary_bad=canary[1], stable_n=stable[0], stable_bad=stable[1])


def after(*blocks: Block | Losses, past: BlockEvidence = PAST, design_effect: float = 1.0) -> Difference:
    known = Difference()
    for each in blocks:
        known = confidence.update(known, past, each, design_effect)
    return known


def interval(known: Difference) -> confidence.Interval:
    found = confidence.difference(known)
    assert found is not None
    return found


def test_the_estimate_is_the_mean_of_differences_within_blocks() -> None:
    found = interval(after(block((100, 10), (900, 45)), block((500, 100), (500, 75))))
    sizes = 90, 250
    assert found.value == pytest.approx((sizes[0] * 0.05 + sizes[1] * 0.05) / sum(sizes))
    assert found.low < found.value < found.high


def test_a_base_rate_that_moves_with_the_weight_moves_nothing() -> None:
    found = interval(after(block((100, 1), (900, 9)), block((500, 50), (500, 50))))
    assert found.value == pytest.approx(0.0)


def test_nothing_is_known_without_both_arms() -> None:
    assert confidence.difference(after(block((100, 10), (0, 0)), block((0, 0), (5, 1)))) is None


def test_more_requests_make_it_narrower_and_alike_users_wider() -> None:
    many = [block((50, 1), (950, 10))] * 100
    few, all_of_them = interval(after(*many[:10])), interval(after(*many))
    assert all_of_them.high - all_of_them.low < 0.5 * (few.high - few.low)
    alike = interval(after(*many, design_effect=4.0))
    assert alike.value == pytest.approx(all_of_them.value)
    assert alike.high - alike.low == pytest.approx(2 * (all_of_them.high - all_of_them.low), rel=0.2)


def test_it_is_about_twice_as_wide_as_one_for_a_single_look() -> None:
    found = interval(after(*[block((100, 2), (900, 18))] * 200))
    fixed = 2 * 1.96 * math.sqrt(0.02 * 0.98 / (200 * 90))
    assert 1.5 * fixed < found.high - found.low < 2.5 * fixed


def test_ends_stay_between_all_and_nothing() -> None:
    found = interval(after(block((1, 1), (1, 0))))
    assert (found.low >= -1.0, found.high) == (True, 1.0)


def test_losses_are_compared_like_events_and_vary_less() -> None:
    past = betting.start("worse", 0.01, 1000, 200.0, 42.0)
    alike = Losses(canary=betting.spread([0.25] * 100), stable=betting.spread([0.2] * 900))
    numbers = interval(after(*[alike] * 20, past=past))
    assert numbers.value == pytest.approx(0.05)
    events = interval(after(*[block((100, 25), (900, 180))] * 20, past=past))
    assert events.value == pytest.approx(0.05)
    assert numbers.high - numbers.low < 0.5 * (events.high - events.low)


def test_the_99th_percentile_lies_between_ends_that_need_enough_durations() -> None:
    few = confidence.quantile([(10.0, 95), (20.0, 5)], 0.99)
    assert few is not None
    assert (few.value, few.high) == (20.0, math.inf)
    cells = [(float(ms), 1000) for ms in range(1, 101)]
    found = confidence.quantile(cells, 0.99)
    assert found is not None
    assert (found.low, found.value, found.high) == (99.0, 99.0, 100.0)
    assert confidence.quantile([], 0.99) is None
    assert confidence.quantile([(1.0, 0)], 0.99) is None
