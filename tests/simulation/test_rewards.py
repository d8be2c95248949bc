"""Rewards by betting: error rate and speed, with fixed seeds (-s prints them)."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from gatewright.domain.evidence import Block, BlockEvidence, Direction, Losses
from gatewright.domain.rollout import QualityMargins
from gatewright.stats import betting, sequential
from tests.simulation.test_sequential import limit

ALPHA = 0.01 * 0.3
MARGINS = QualityMargins()
# How much the losses of one mean differ: all or nothing, as stars of five, or hardly.
KINDS = ("events", "stars", "narrow")


def draw(rng: np.random.Generator, kind: str, mean: float, n: int) -> np.ndarray:
    if kind == "events":
        return rng.binomial(1, mean, n)
    return rng.binomial(4, mean, n) / 4 if kind == "stars" else rng.beta(50 * mean, 50 * (1 - mean), n)


def begun(rng: np.random.Generator, kind: str, mean: float, direction: Direction, margin: float) -> BlockEvidence:
    past = draw(rng, kind, mean, 2000)
    return betting.start(direction, margin, len(past), float(past.sum()), float((past**2).sum()))


def block(rng: np.random.Generator, kind: str, means: tuple[float, float], sizes: tuple[int, int]) -> Losses:
    canary, stable = (draw(rng, kind, mean, n) for mean, n in zip(means, sizes, strict=True))
    return Losses(canary=betting.spread(canary.tolist()), stable=betting.spread(stable.tolist()))


def false_alarms(kind: str, excess: float, rates: list[float], direction: Direction, alpha: float, runs: int) -> float:
    """At the edge of the null (excess: of the margin) or within it, while the common mean and the weight move."""
    margin = MARGINS.rollback_margin if direction == "worse" else MARGINS.promote_margin
    weights, alarms = np.linspace(0.05, 0.5, len(rates)), 0
    for seed in range(runs):
        rng = np.random.default_rng([67, seed])
        state = begun(rng, kind, rates[0], direction, margin)
        for rate, weight in zip(rates, weights, strict=True):
            sizes = round(200 * weight), round(200 * (1 - weight))
            state = betting.update(state, block(rng, kind, (rate + excess * margin, rate), sizes))
        alarms += sequential.alarmed(state, alpha)
    return alarms / runs


@pytest.mark.parametrize("kind", KINDS)
def test_equal_rewards_and_rewards_at_the_margin_are_not_rolled_back(kind: str) -> None:
    runs, moving = 150, np.linspace(0.2, 0.5, 40).tolist()
    same = false_alarms(kind, 0.0, moving, "worse", ALPHA, runs)
    edge = false_alarms(kind, 1.0, moving, "worse", 0.05, runs)
    print(f"rewards, {kind}: {same:.4f} false rollbacks of {runs} equal, {edge:.4f} at the margin (alpha .05)")
    assert same <= limit(ALPHA, runs)
    assert edge <= limit(0.05, runs)


@pytest.mark.parametrize("kind", KINDS)
def test_rewards_less_by_the_margin_are_seldom_shown_acceptable(kind: str) -> None:
    runs = 150
    shown = false_alarms(kind, 1.0, np.linspace(0.2, 0.3, 40).tolist(), "acceptable", 0.05, runs)
    print(f"rewards, {kind}: {shown:.4f} of {runs} shown acceptable at the margin")
    assert shown <= limit(0.05, runs)


def minutes_until(
    kind: str, seed: int, means: tuple[float, float], direction: Direction, alpha: float, at_most: int
) -> int:
    """At 40 rewards/s and 5 %, in blocks of a minute; more than `at_most`: not at all."""
    rng = np.random.default_rng([71, seed])
    margin = MARGINS.rollback_margin if direction == "worse" else MARGINS.promote_margin
    state = begun(rng, kind, means[1], direction, margin)
    for minute in range(1, at_most + 1):
        state = betting.update(state, block(rng, kind, means, (120, 2280)))
        if sequential.alarmed(state, alpha):
            return minute
    return at_most + 1


@pytest.mark.parametrize(("kind", "limit_minutes"), [("events", 40), ("stars", 14), ("narrow", 4)])
def test_a_lower_reward_is_found_the_sooner_the_less_rewards_differ(kind: str, limit_minutes: int) -> None:
    found = statistics.median(minutes_until(kind, seed, (0.24, 0.20), "worse", ALPHA, 60) for seed in range(15))
    print(f"rewards, {kind}: mean .76 instead of .80: median {found:g} min at 120 a minute of the canary")
    assert found <= limit_minutes


@pytest.mark.parametrize(("kind", "limit_minutes"), [("events", 60), ("stars", 20), ("narrow", 4)])
def test_an_equal_reward_is_shown_acceptable(kind: str, limit_minutes: int) -> None:
    found = statistics.median(minutes_until(kind, seed, (0.20, 0.20), "acceptable", 0.05, 90) for seed in range(15))
    print(f"rewards, {kind}: equal: shown acceptable after median {found:g} min")
    assert found <= limit_minutes


def test_rewards_of_all_or_nothing_are_judged_as_fast_as_right_and_wrong_answers() -> None:
    apart = []
    for seed in range(12):
        rng = np.random.default_rng([89, seed])
        numbers = betting.start("worse", MARGINS.rollback_margin, 2000, 160.0, 160.0)
        events = sequential.start("worse", MARGINS.rollback_margin, 160, 2000)
        found: dict[str, int] = {}
        for minute in range(1, 61):
            bad = int(rng.binomial(600, 0.10)), int(rng.binomial(11_400, 0.08))
            levels = [(n - k, *[0.0] * 19, k) for n, k in zip((600, 11_400), bad, strict=True)]
            numbers = betting.update(numbers, Losses(canary=levels[0], stable=levels[1]))
            counted = Block(canary_n=600, canary_bad=bad[0], stable_n=11_400, stable_bad=bad[1])
            events = sequential.update(events, counted)
            for name, state in (("numbers", numbers), ("events", events)):
                if sequential.alarmed(state, ALPHA):
                    found.setdefault(name, minute)
        apart.append(abs(found.get("numbers", 61) - found.get("events", 61)))
    print(f"rewards of 0 and 1 beside events: minutes apart {sorted(apart)}")
    assert statistics.median(apart) == 0
    assert max(apart) <= 3
