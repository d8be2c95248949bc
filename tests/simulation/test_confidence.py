"""Do the intervals hold at every look? Coverage over all looks together, with fixed seeds (-s prints it)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gatewright.domain.evidence import Difference, Losses
from gatewright.stats import betting, confidence, sequential
from tests.simulation.test_sequential import DEMO_LADDER, climb, history, limit

MISSES = 1.0 - confidence.LEVEL


def outside(known: Difference, truth: float) -> bool:
    """Whether the interval misses the truth: by the bets whose limit its ends are, which takes less time."""
    return max(confidence.log_wealth(known, truth, sign) for sign in (1.0, -1.0)) >= math.log(2 / MISSES)


def test_the_ends_are_where_the_bets_reach_their_limit() -> None:
    known = Difference(size=900.0, total=20.0, variance=35.0)
    found = confidence.difference(known)
    assert found is not None
    for end, inwards in ((found.low, 1e-6), (found.high, -1e-6)):
        assert outside(known, end - inwards)
        assert not outside(known, end + inwards)


@pytest.mark.parametrize(("rates", "excess"), [([0.01, 0.02, 0.03], 0.0), ([0.01, 0.02, 0.03], 0.02), ([0.3] * 3, 0.1)])
def test_the_difference_is_within_at_every_look_while_the_base_rate_moves(rates: list[float], excess: float) -> None:
    missed, runs = 0, 150
    for seed in range(runs):
        rng = np.random.default_rng([73, seed])
        past, known, out = sequential.start("worse", 0.0025, *history(rng, rates[0])), Difference(), False
        for block in climb(rng, DEMO_LADDER, [rate + excess for rate in rates], rates):
            known, past = confidence.update(known, past, block), sequential.update(past, block)
            out |= outside(known, excess)
        missed += out
    print(f"difference {excess:g} at rates {rates}: {missed / runs:.4f} of {runs} missed at any look")
    assert missed / runs <= limit(MISSES, runs)


def test_the_difference_of_losses_is_within_at_every_look() -> None:
    missed, runs = 0, 100
    for seed in range(runs):
        rng = np.random.default_rng([79, seed])
        past, known, out = betting.start("worse", 0.01, 500, 150.0, 60.0), Difference(), False
        for mean in np.linspace(0.3, 0.5, 30):
            canary, stable = rng.beta(3 * (mean + 0.05), 3 * (0.95 - mean), 20), rng.beta(3 * mean, 3 * (1 - mean), 180)
            block = Losses(canary=betting.spread(canary.tolist()), stable=betting.spread(stable.tolist()))
            known, past = confidence.update(known, past, block), betting.update(past, block)
            out |= outside(known, 0.05)
        missed += out
    print(f"difference of losses: {missed / runs:.4f} of {runs} missed at any look")
    assert missed / runs <= limit(MISSES, runs)


def test_the_99th_percentile_is_within_at_every_look() -> None:
    missed, widths, runs = 0, [], 100
    ends = np.exp(np.arange(0, 10, 0.02))
    truth = float(np.exp(2.3263 * 0.6 + 3))
    for seed in range(runs):
        rng = np.random.default_rng([83, seed])
        counts, out = np.zeros(len(ends), dtype=int), False
        for _ in range(20):
            counts += np.bincount(np.searchsorted(ends, rng.lognormal(3, 0.6, 200)), minlength=len(ends))
            found = confidence.quantile(list(zip(ends.tolist(), counts.tolist(), strict=True)), 0.99)
            # The cell of the truth ends at most 2 % above it.
            out |= found is None or not found.low / 1.02 <= truth <= found.high
        missed += out
        assert found is not None
        widths.append(found.high / found.low)
    print(
        f"p99: {missed / runs:.4f} of {runs} missed at any look; after 4,000 its ends differ {np.median(widths):.2f}x"
    )
    assert missed / runs <= limit(MISSES, runs)
    assert np.median(widths) < 2.0
