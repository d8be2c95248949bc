"""The climbs of the simulations are those of the real rules: the same looks, the same phase, step and evidence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import USER_GROUPS, Block, DriftObservation, History, Observation
from gatewright.domain.rollout import (
    ArmState,
    DriftMargins,
    PauseReason,
    Phase,
    QualityMargins,
    Rollout,
    RolloutPolicy,
    Step,
    TrafficState,
    World,
)
from gatewright.rules import canary, evidence
from tests.scenarios.rollout_story import CANARY, STABLE, rollout
from tests.simulation.block_processes import Blocks
from tests.simulation.climbs import CLIMBING, DRIFT, PAUSED, PROMOTED, ROLLED_BACK, Climbs
from tests.simulation.streams import HISTORY, METRICS, Past

GROUPS = USER_GROUPS
ROLLOUTS, LOOKS, TICK_S = 30, 50, 10.0
POLICY = RolloutPolicy(
    steps=(
        Step(weight=5, hold=Duration(60)),
        Step(weight=25, hold=Duration(100)),
        Step(weight=50, hold=Duration(60)),
    ),
    tick=Duration(TICK_S),
    max_extension=1.5,
    quality=QualityMargins(),
    drift=DriftMargins(),
)
PHASES = {CLIMBING: Phase.PROGRESSING, PROMOTED: Phase.PROMOTING, ROLLED_BACK: Phase.ROLLING_BACK, PAUSED: Phase.PAUSED}
OUTPUTS = (0.0,) * 1200 + (1.0,) * 800


@dataclass
class Real:
    """One rollout by the real rules, at whose looks the traffic always shows what was asked."""

    rollout: Rollout
    ended: bool = False
    now: datetime = field(default=datetime(2025, 1, 1, tzinfo=UTC))

    def look(self, observations: tuple[Observation, ...], drift: tuple[DriftObservation, ...]) -> None:
        self.now += timedelta(seconds=TICK_S)
        arms = [ArmState(digest=digest, ready=True) for digest in (CANARY, STABLE)]
        world = World(
            traffic=TrafficState(weight=self.rollout.weight, canary=arms[0], stable=arms[1]),
            observations=observations,
            drift=drift,
            stable_outputs=OUTPUTS,
            serving=STABLE,
        )
        informed = evidence.absorb(self.rollout, world, "", self.now)
        self.rollout = canary.apply(informed, canary.decide(informed, world))
        self.ended = self.rollout.phase is not Phase.PROGRESSING


def begun(past: Past, index: int) -> Real:
    errors, slow, wrong = past.bad[:, index].tolist()
    history = History(
        requests=HISTORY, errors=errors, slow=slow, slow_after_ms=40, labelled=HISTORY, wrong=wrong,
        design_effects={"errors": 1.2, "quality": 1.5},
    )  # fmt: skip
    real = Real(evidence.begin(rollout(policy=POLICY), history))
    real.look((), ())
    assert (real.rollout.phase, real.rollout.weight) == (Phase.PROGRESSING, 5)
    real.ended = False
    return real


def drawn(rng: np.random.Generator, step: np.ndarray, rates: np.ndarray, per_tick: np.ndarray) -> list[Blocks]:
    """A block of every rollout for each metric, at its own rates of (3 metrics, 2 arms)."""
    share = np.array([0.05, 0.25, 0.5])[step]
    n_c, groups = rng.poisson(per_tick * share), rng.poisson(per_tick * (1 - share) / GROUPS, (GROUPS, step.size))
    # In every third rollout the users of one group in eight get bad answers more often.
    unlike = 1.0 + 3.0 * (np.arange(GROUPS) % 8 == 0)[:, None] * (np.arange(step.size) % 3 == 0)
    blocks = []
    for of_canary, of_stable in rates:
        bad = rng.binomial(groups, np.minimum(of_stable * unlike, 1.0))
        k_c = rng.binomial(n_c, of_canary)
        stable = groups.sum(axis=0), bad.sum(axis=0)
        blocks.append(Blocks(n_c, k_c, *stable, share, np.stack([groups, bad])))
    return blocks


def at(blocks: Blocks, index: int) -> Block:
    return Block(
        canary_n=int(blocks.canary_n[index]),
        canary_bad=int(blocks.canary_bad[index]),
        stable_n=int(blocks.stable_n[index]),
        stable_bad=int(blocks.stable_bad[index]),
    )


def grouped(blocks: Blocks, index: int) -> tuple[tuple[int, int], ...]:
    assert blocks.groups is not None
    return tuple(zip(*blocks.groups[:, :, index].tolist(), strict=True))


def cells(blocks: Blocks, arm: str, index: int) -> tuple[int, int, int]:
    n, bad = int(getattr(blocks, f"{arm}_n")[index]), int(getattr(blocks, f"{arm}_bad")[index])
    return (n - bad, bad, 0)


def counted(blocks: Blocks, arm: str) -> np.ndarray:
    """Events of two classes: the second one, and what is neither."""
    n, bad = getattr(blocks, f"{arm}_n"), getattr(blocks, f"{arm}_bad")
    return np.stack([bad, np.zeros_like(n), n])


@pytest.mark.parametrize("seed", range(2))
def test_every_look_decides_what_the_real_rules_decide(seed: int) -> None:
    rng = np.random.default_rng([29, seed])
    rates = np.array([[[0.01]], [[0.01]], [[0.08]]]) * np.ones((3, 2, ROLLOUTS))
    healthy = rng.random(ROLLOUTS) < 0.4
    rates[:, 0] += np.where(healthy, 0.0, rng.choice([0.0, 0.0, 0.004, 0.05], (3, ROLLOUTS)))
    more = np.where(healthy, 0.0, rng.choice([0.0, 0.02, 0.15, 0.4], ROLLOUTS))
    ones = np.array([0.4 + more, np.full(ROLLOUTS, 0.4)])
    past = Past.draw(rng, (0.01, 0.01, 0.08), ROLLOUTS)
    per_tick = rng.choice([20.0, 4000.0, 4000.0], ROLLOUTS)
    history = np.array([[800], [0], [2000]]) * np.ones((3, ROLLOUTS), dtype=np.int64)
    climbs = Climbs(POLICY, past, design_effects=(1.2, 1.0, 1.5), drift_history=history)
    reals = [begun(past, index) for index in range(ROLLOUTS)]
    # The first look of a rollout only chooses the cells of its drift.
    for look in range(1, LOOKS + 1):
        blocks = drawn(rng, climbs.step, rates, per_tick)
        outputs = drawn(rng, climbs.step, np.broadcast_to(ones, (3, 2, ROLLOUTS)), per_tick)[0]
        predictions = counted(outputs, "canary"), counted(outputs, "stable")
        climbs.look(look * TICK_S, TICK_S, blocks[0], blocks[1], blocks[2:], predictions)
        for index, real in enumerate(reals):
            if real.ended:
                continue
            weight = real.rollout.weight
            observations = [
                Observation(
                    metric=metric,
                    weight=weight,
                    tick=look,
                    block=at(blocks[number], index),
                    groups=grouped(blocks[number], index),
                )
                for number, metric in enumerate(METRICS)
            ]
            canary_cells, stable_cells = cells(outputs, "canary", index), cells(outputs, "stable", index)
            seen = DriftObservation(weight=weight, tick=look, canary=canary_cells, stable=stable_cells)
            real.look(tuple(observations), (seen,))
            assert real.rollout.phase is PHASES[int(climbs.phase[index])], (look, index, real.rollout.why)
            assert real.rollout.step == climbs.step[index]
            assert real.rollout.held_s == climbs.held_s[index]
            for number, metric in enumerate(METRICS):
                known = real.rollout.evidence[metric]
                assert known.worse.peak_log_e == pytest.approx(climbs.worse[number].peak[index], rel=1e-9, abs=1e-9)
    ends = [real.rollout.phase for real in reals]
    paused = [real.rollout.pause for real in reals if real.rollout.phase is Phase.PAUSED]
    assert {Phase.PROMOTING, Phase.ROLLING_BACK, Phase.PAUSED} <= set(ends)
    assert PauseReason.INCONCLUSIVE in paused
    assert PauseReason.DRIFT in paused
    assert (climbs.because[climbs.phase == PAUSED] == DRIFT).any()


def test_a_patient_person_lets_inconclusive_rollouts_go_on() -> None:
    rng = np.random.default_rng(31)
    past = Past.draw(rng, (0.01, 0.01, 0.08), 4)
    ends = []
    for patient in (False, True):
        climbs = Climbs(replace(POLICY, drift=None), past, patient=patient)
        for look in range(40):
            blocks = drawn(rng, climbs.step, np.full((3, 2, 4), 0.01), np.full(4, 20.0))
            climbs.look(look * TICK_S, TICK_S, blocks[0], blocks[1], blocks[2:])
        ends.append(set(climbs.phase.tolist()))
    assert ends == [{PAUSED}, {CLIMBING}]
