"""Slices of live traffic: error rate and speed of their mean, with fixed seeds (-s prints them)."""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np

from gatewright.domain.evidence import Block, History, PastSlice, PastSlices, SliceKey, SliceObservation
from gatewright.domain.rollout import LiveSlice, QualityMargins, Rollout, TrafficState, World
from gatewright.rules import evidence, live_slices
from tests.scenarios.rollout_story import POLICY, rollout
from tests.simulation.test_sequential import limit

HISTORY = History(requests=5000, errors=10, slow=50, slow_after_ms=40.0, labelled=2000, wrong=160)
# Two overlapping declarations: sex, and four regions; every request is in one of each.
SEXES, REGIONS = ("SEX=1", "SEX=2"), ("REGION=1", "REGION=2", "REGION=3", "REGION=4")
CELLS = [(sex, region) for sex in SEXES for region in REGIONS]
SIZES = np.array([0.16, 0.16, 0.13, 0.05, 0.16, 0.16, 0.13, 0.05])
ALPHA = 0.01 * live_slices.SHARE_OF_ALPHA


def begun() -> Rollout:
    wanted = (LiveSlice(columns=("SEX",)), LiveSlice(columns=("REGION",)))
    new = evidence.begin(rollout(policy=replace(POLICY, slices=wanted, quality=QualityMargins())), HISTORY)
    past = PastSlices(answers=5000, slices=tuple(PastSlice(name=name, answers=800) for name in (*SEXES, *REGIONS)))
    return replace(new, slices=live_slices.begin(new, past))


def minute(rng: np.random.Generator, canary: np.ndarray, stable: np.ndarray, weight: float) -> World:
    """Labels of a minute at 200 requests/s; wrong shares by cell."""
    counts = []
    for share, wrong in ((weight, canary), (1 - weight, stable)):
        n = rng.multinomial(round(12_000 * share), SIZES)
        counts.append((n, rng.binomial(n, wrong)))
    blocks = []
    for name in (*SEXES, *REGIONS):
        mine = np.array([name in cell for cell in CELLS])
        (n_c, k_c), (n_s, k_s) = [(int(n[mine].sum()), int(bad[mine].sum())) for n, bad in counts]
        block = Block(canary_n=n_c, canary_bad=k_c, stable_n=n_s, stable_bad=k_s)
        key = SliceKey(name=name, metric="quality")
        blocks.append(SliceObservation(key=key, weight=100 * weight, tick=0, block=block))
    return World(traffic=TrafficState(weight=100 * weight), slices=tuple(blocks))


def minutes_until(seed: int, excess: np.ndarray, minutes: int, base: tuple[float, float] = (0.08, 0.08)) -> int:
    """When slices roll back at 25 %, while the base rate moves from one to the other; more than `minutes`: never."""
    rng, state = np.random.default_rng([53, seed]), begun()
    rates = np.linspace(*base, minutes)
    for number, rate in enumerate(rates, start=1):
        stable = np.full(len(CELLS), rate)
        state = replace(state, slices=live_slices.absorb(state, minute(rng, stable + excess, stable, 0.25)))
        found = live_slices.standing(state)
        assert found is not None
        if found.degraded:
            return number
    return minutes + 1


def test_equal_groups_and_groups_at_the_margin_are_not_rolled_back() -> None:
    rollouts = 80
    for what, excess, base in (("equal", 0.0, (0.08, 0.2)), ("at twice the margin", 0.01, (0.08, 0.08))):
        found = sum(minutes_until(seed, np.full(len(CELLS), excess), 60, base) <= 60 for seed in range(rollouts))
        print(f"slices, {what}: {found / rollouts:.4f} false rollbacks of {rollouts}")
        assert found / rollouts <= limit(ALPHA, rollouts)


def test_one_group_with_ten_points_more_wrong_answers_is_found_within_minutes() -> None:
    excess = np.array([0.1 * ("REGION=4" in cell) for cell in CELLS])
    median = statistics.median(minutes_until(seed, excess, 60) for seed in range(25))
    print(f"slices: 18 instead of 8 % wrong in one tenth of the traffic, at 25 %: median {median:g} min")
    assert median <= 4
