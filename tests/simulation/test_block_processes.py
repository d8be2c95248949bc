"""What the simulations compute for many rollouts at once is what a rollout computes: the same blocks, the same e."""

from __future__ import annotations

import numpy as np
import pytest

from gatewright.domain.evidence import USER_GROUPS, Block, BlockEvidence, Cells, Direction
from gatewright.stats import breaker, crowd, drift, sequential
from tests.simulation.block_processes import BlockProcesses, Blocks, Breakers, Crowds, DriftProcesses

ROLLOUTS, BLOCKS = 24, 40


def random_blocks(rng: np.random.Generator) -> Blocks:
    """From none to thousands of requests, at rates from none to nearly all."""
    sizes = rng.choice([0, 1, 7, 60, 600, 6000], (2, ROLLOUTS))
    rates = rng.choice([0.0, 0.002, 0.01, 0.1, 0.5, 0.97, 1.0], (2, ROLLOUTS), p=[0.1, 0.2, 0.3, 0.2, 0.1, 0.05, 0.05])
    n_c, n_s = rng.poisson(sizes)
    k_c, k_s = rng.binomial(n_c, rates[0]), rng.binomial(n_s, rates[1])
    return Blocks(n_c, k_c, n_s, k_s)


def of(blocks: Blocks, index: int) -> Block:
    return Block(
        canary_n=int(blocks.canary_n[index]),
        canary_bad=int(blocks.canary_bad[index]),
        stable_n=int(blocks.stable_n[index]),
        stable_bad=int(blocks.stable_bad[index]),
    )


def close(found: object, expected: object) -> bool:
    return bool(np.allclose(found, expected, rtol=1e-9, atol=1e-9))


@pytest.mark.parametrize("direction", ["worse", "acceptable"])
@pytest.mark.parametrize("margins", [(0.0025, 0.02), (0.05, 0.2), (0.0, 0.0)])
@pytest.mark.parametrize("divisor", [1.0, 1.7])
def test_many_block_processes_are_each_what_one_is(
    direction: Direction, margins: tuple[float, float], divisor: float
) -> None:
    rng = np.random.default_rng([5, int(1e4 * margins[1]), int(divisor)])
    margin = rng.uniform(*margins, ROLLOUTS)
    n = rng.choice([0, 300, 5000], ROLLOUTS)
    bad = rng.binomial(n, 0.02)
    many = BlockProcesses(direction, margin, bad, n)
    each: list[BlockEvidence] = [
        sequential.start(direction, float(margin[i]), int(bad[i]), int(n[i])) for i in range(ROLLOUTS)
    ]
    for _ in range(BLOCKS):
        blocks = random_blocks(rng)
        many.update(blocks, divisor)
        each = [sequential.update(state, of(blocks, i), divisor) for i, state in enumerate(each)]
        assert close(many.log_e, np.transpose([state.log_e for state in each]))
    assert close(many.cash, [state.cash for state in each])
    assert close(many.peak, [state.peak_log_e for state in each])
    assert close(many.log_wealth(), [sequential.log_e_value(state) for state in each])
    assert close(many.canary_n, [state.canary_n for state in each])
    assert close(many.stable_bad, [state.stable_bad for state in each])


def test_the_luck_of_many_crowds_is_each_that_of_one() -> None:
    rng = np.random.default_rng(8)
    many, each = Crowds(), [()] * ROLLOUTS
    weight = rng.choice([0.05, 0.25, 0.5], ROLLOUTS)
    spread = rng.choice([0.0, 0.02, 0.1], ROLLOUTS)
    found = set()
    for _ in range(5):
        n = rng.poisson(50, (USER_GROUPS, ROLLOUTS))
        bad = rng.binomial(n, np.clip(rng.normal(0.1, spread, n.shape), 0, 1))
        many.add(Blocks(*[n.sum(axis=0)] * 4, weight, np.stack([n, bad])))
        each = [
            crowd.added(before, tuple(zip(n[:, i].tolist(), bad[:, i].tolist(), strict=True)))
            for i, before in enumerate(each)
        ]
        lucks = [crowd.luck(each[i], weight[i], 1.2) for i in range(ROLLOUTS)]
        assert close(many.luck(weight, 1.2), lucks)
        found |= {luck > 0 for luck in lucks}
    assert found == {True, False}


def test_many_breakers_are_each_what_one_is() -> None:
    rng = np.random.default_rng(6)
    many, each = Breakers(ROLLOUTS, 0.05), [()] * ROLLOUTS
    peaks = np.zeros(ROLLOUTS)
    for _ in range(BLOCKS):
        blocks = random_blocks(rng)
        many.update(blocks.canary_n, blocks.canary_bad, 1.4)
        pairs = zip(each, blocks.canary_n.tolist(), blocks.canary_bad.tolist(), strict=True)
        each = [breaker.update(state, n, bad, 0.05, 1.4) for state, n, bad in pairs]
        peaks = np.maximum(peaks, [breaker.log_e_value(state) for state in each])
    assert close(many.log_wealth(), [breaker.log_e_value(state) for state in each])
    assert close(many.peak, peaks)


@pytest.mark.parametrize(
    "cells", [Cells(classes=True, points=(0.0, 1.0)), Cells(classes=False, points=(1.0, 2.0, 3.0))]
)
def test_many_drifts_are_each_what_one_is(cells: Cells) -> None:
    rng = np.random.default_rng(7)
    rollouts, number = 6, len(cells.points) + 1

    def predictions(n: int) -> np.ndarray:
        return np.array([rng.multinomial(n, rng.dirichlet([5.0] * number)) for _ in range(rollouts)])

    def events(counts: np.ndarray) -> np.ndarray:
        return np.array([[*drift.events(cells, row.tolist()), row.sum()] for row in counts]).T

    history = predictions(2000)
    many = DriftProcesses(0.05, events(history))
    each = [drift.start(cells, 0.05, row.tolist()) for row in history]
    for _ in range(12):
        canary, stable = predictions(60), predictions(900)
        many.update(events(canary), events(stable), 1.3)
        each = [drift.update(each[i], cells, canary[i].tolist(), stable[i].tolist(), 1.3) for i in range(rollouts)]
    assert close(many.log_wealth(), [drift.log_e_value(state) for state in each])
    assert close(many.peak, [state.peak_log_e for state in each])
