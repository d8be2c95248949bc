"""Error rates and speed of the block e-process, simulated with fixed seeds (-s prints the figures)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from gatewright.domain.evidence import Block, BlockEvidence
from gatewright.stats import sequential

ALPHA_ERRORS = 0.01 * 0.3
HISTORY = 5000
# (canary requests, stable requests, blocks): 300 requests/s in blocks of one second, the holds of the demo.
DEMO_LADDER = ((15, 285, 15), (75, 225, 10), (150, 150, 10))
# The same steps in blocks of ten seconds at 200 requests/s.
LADDER = ((100, 1900, 20), (500, 1500, 20), (1000, 1000, 20))
# 30 minutes, 4 hours, 24 hours in blocks of one minute at 200 requests/s.
FULL_LADDER = ((600, 11_400, 30), (3000, 9000, 240), (6000, 6000, 1440))

Ladder = tuple[tuple[int, int, int], ...]


def history(rng: np.random.Generator, rate: float) -> tuple[int, int]:
    return int(rng.binomial(HISTORY, rate)), HISTORY


def climb(rng: np.random.Generator, ladder: Ladder, canary: list[float], stable: list[float]) -> list[Block]:
    """One rollout; canary and stable hold the true bad rate of each step."""
    blocks = []
    for (n_c, n_s, count), p_c, p_s in zip(ladder, canary, stable, strict=True):
        bad = zip(rng.binomial(n_c, p_c, count).tolist(), rng.binomial(n_s, p_s, count).tolist(), strict=True)
        blocks += [Block(canary_n=n_c, canary_bad=k_c, stable_n=n_s, stable_bad=k_s) for k_c, k_s in bad]
    return blocks


def after(state: BlockEvidence, blocks: list[Block]) -> BlockEvidence:
    for block in blocks:
        state = sequential.update(state, block)
    return state


def false_rollbacks(ladder: Ladder, rates: list[float], excess: float, alpha: float, rollouts: int) -> float:
    """Share of alarms; the canary is worse by `excess` margins (0: A/A, 1: on the boundary of the null)."""
    alarms = 0
    for seed in range(rollouts):
        rng = np.random.default_rng([7, seed])
        bad, n = history(rng, rates[0])
        margin = sequential.rollback_margin(bad / n, 0.0025)
        canary = [rate + excess * margin for rate in rates]
        blocks = climb(rng, ladder, canary, rates)
        alarms += sequential.alarmed(after(sequential.start("worse", margin, bad, n), blocks), alpha)
    return alarms / rollouts


def pooled(blocks: list[Block]) -> Block:
    return Block(
        canary_n=sum(b.canary_n for b in blocks),
        canary_bad=sum(b.canary_bad for b in blocks),
        stable_n=sum(b.stable_n for b in blocks),
        stable_bad=sum(b.stable_bad for b in blocks),
    )


def limit(alpha: float, rollouts: int) -> float:
    """alpha and three standard errors of the simulation."""
    return alpha + 3 * math.sqrt(alpha * (1 - alpha) / rollouts)


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05])
def test_same_model_in_both_arms_is_not_rolled_back(rate: float) -> None:
    share = false_rollbacks(DEMO_LADDER, [rate] * 3, 0.0, ALPHA_ERRORS, rollouts=300)
    print(f"A/A, rate {rate}: {share:.4f} false rollbacks")
    assert share <= limit(ALPHA_ERRORS, 300)


def test_a_canary_exactly_at_the_margin_alarms_at_most_alpha() -> None:
    share = false_rollbacks(DEMO_LADDER, [0.01] * 3, 1.0, 0.05, rollouts=400)
    print(f"at the margin, alpha .05: {share:.4f} rollbacks")
    assert share <= limit(0.05, 400)


def test_an_error_rate_that_drifts_in_both_arms_is_not_blamed_on_the_canary() -> None:
    rates, rollouts = [0.01, 0.02, 0.03], 150
    share = false_rollbacks(LADDER, rates, 0.0, ALPHA_ERRORS, rollouts)
    print(f"drift 1 -> 3 % in both arms: {share:.4f} false rollbacks")
    assert share <= limit(ALPHA_ERRORS, rollouts)


def test_pooling_the_blocks_of_that_drift_would_blame_the_canary() -> None:
    rng = np.random.default_rng(11)
    rates = [0.01, 0.02, 0.03]
    before = sequential.start("worse", 0.0025, 20, 2000)
    states = [sequential.update(before, pooled(climb(rng, LADDER, rates, rates))) for _ in range(30)]
    assert sum(sequential.alarmed(state, ALPHA_ERRORS) for state in states) >= 25


def stream(rng: np.random.Generator, p_c: float, p_s: float) -> Iterator[Block]:
    """Seconds at 300 requests/s and a weight of 5 %."""
    while True:
        bad_c, bad_s = int(rng.binomial(15, p_c)), int(rng.binomial(285, p_s))
        yield Block(canary_n=15, canary_bad=bad_c, stable_n=285, stable_bad=bad_s)


def seconds_until(state: BlockEvidence, blocks: Iterator[Block], alpha: float, at_most: int = 600) -> int:
    for second, block in zip(range(1, at_most + 1), blocks, strict=False):
        state = sequential.update(state, block)
        if sequential.alarmed(state, alpha):
            return second
    return at_most


def test_a_canary_that_fails_one_request_in_ten_is_found_in_seconds() -> None:
    found = []
    for seed in range(200):
        rng = np.random.default_rng([13, seed])
        bad, n = history(rng, 0.002)
        state = sequential.start("worse", sequential.rollback_margin(bad / n, 0.0025), bad, n)
        found.append(seconds_until(state, stream(rng, 0.1, 0.002), ALPHA_ERRORS))
    print(f"10 % against 0.2 %: median {statistics.median(found)} s, 95 % {np.quantile(found, 0.95):.0f} s")
    assert statistics.median(found) <= 4
    assert np.quantile(found, 0.95) <= 8


def seconds_to_find_a_late_fault(seed: int, healthy_s: int, canary: float, stable: float, cash: bool = True) -> int:
    """At 25 % of 300 requests/s in blocks of one second, from the moment the healthy canary turns bad."""
    rng = np.random.default_rng([23, seed])
    bad, n = history(rng, stable)
    state = sequential.start("worse", sequential.rollback_margin(bad / n, 0.0025), bad, n)
    if not cash:
        state = replace(state, cash=0.0, log_e=(0.0,) * len(state.log_e))
    state = after(state, climb(rng, ((75, 225, healthy_s),), [stable], [stable]))
    assert not sequential.alarmed(state, ALPHA_ERRORS)
    return seconds_until(state, iter(climb(rng, ((75, 225, 6000),), [canary], [stable])), ALPHA_ERRORS, 6000)


@pytest.mark.parametrize(("canary", "limit"), [(0.1, 4), (0.02, 30)])
def test_a_fault_after_ten_healthy_minutes_is_found_in_seconds(canary: float, limit: int) -> None:
    found = statistics.median(seconds_to_find_a_late_fault(seed, 600, canary, 0.002) for seed in range(5))
    print(f"{canary:.0%} after 10 min: median {found} s")
    assert found <= limit


@pytest.mark.slow
@pytest.mark.parametrize(("canary", "limit"), [(0.1, 8), (0.02, 60)])
def test_a_fault_after_four_healthy_hours_is_found_in_seconds(canary: float, limit: int) -> None:
    found = [seconds_to_find_a_late_fault(seed, 4 * 3600, canary, 0.002) for seed in range(9)]
    without = seconds_to_find_a_late_fault(0, 4 * 3600, canary, 0.002, cash=False)
    print(f"{canary:.0%} after 4 h: median {statistics.median(found)} s, without cash {without} s")
    assert statistics.median(found) <= limit
    assert without >= 20 * limit


@pytest.mark.parametrize(
    ("metric", "rate", "margin", "median_limit", "most_limit"),
    [("errors", 0.0, 0.01, 330, 330), ("errors", 0.002, 0.01, 600, 1200), ("latency", 0.01, 0.02, 400, 1000)],
)
def test_an_equal_canary_is_shown_acceptable(
    metric: str, rate: float, margin: float, median_limit: int, most_limit: int
) -> None:
    needed = []
    for seed in range(100):
        rng = np.random.default_rng([17, seed])
        state = sequential.start("acceptable", margin, *history(rng, rate))
        needed.append(15 * seconds_until(state, stream(rng, rate, rate), 0.05))
    median, most = statistics.median(needed), float(np.quantile(needed, 0.9))
    print(f"{metric} {rate}, margin {margin}: median {median} canary requests, 90 % {most:.0f}")
    assert median <= median_limit
    assert most <= most_limit


@pytest.mark.parametrize(("rate", "margin"), [(0.002, 0.01), (0.01, 0.02)])
def test_a_canary_worse_by_the_margin_is_seldom_shown_acceptable(rate: float, margin: float) -> None:
    shown, rollouts = 0, 300
    for seed in range(rollouts):
        rng = np.random.default_rng([19, seed])
        state = sequential.start("acceptable", margin, *history(rng, rate))
        blocks = climb(rng, DEMO_LADDER, [rate + margin] * 3, [rate] * 3)
        shown += sequential.alarmed(after(state, blocks), 0.05)
    print(f"worse by the margin {margin}: {shown / rollouts:.4f} shown acceptable")
    assert shown / rollouts <= limit(0.05, rollouts)


@pytest.mark.slow
@pytest.mark.parametrize("rates", [[0.01, 0.01, 0.01], [0.01, 0.02, 0.03]], ids=["level", "drift"])
@pytest.mark.parametrize("excess", [0.0, 1.0], ids=["same", "at the margin"])
def test_the_full_ladder_of_a_day_and_more(rates: list[float], excess: float) -> None:
    share = false_rollbacks(FULL_LADDER, rates, excess, 0.05, rollouts=100)
    print(f"full ladder, rates {rates}, {excess} margins worse: {share:.4f} rollbacks")
    assert share <= limit(0.05, 100)
