"""Many rollouts by the product's own rules: `rules.evidence` and `rules.canary`, a column a rollout.

tests/simulation/test_climbs.py holds them against the real rules, look by look. Left out is what a simulation has no
need of: people, broken servers, traffic that cannot be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.rollout import DriftMargins, RolloutPolicy
from gatewright.rules import drift as drift_rules
from gatewright.rules.evidence import _WIDEST, BREAKER_ALPHA, LUCK, PROMOTE_ALPHA, SHARE_OF_ALPHA
from tests.simulation.block_processes import BlockProcesses, Blocks, Breakers, Counts, Crowds, DriftProcesses, Floats
from tests.simulation.streams import ERRORS, LATENCY, METRICS, QUALITY, Past

CLIMBING, PROMOTED, ROLLED_BACK, PAUSED = range(4)
DRIFT, BREAKER = 3, 4
Chosen = NDArray[np.bool_]


class Climbs:
    """The state of all rollouts; `phase` and `because` are of the words above (-1: no alarm)."""

    def __init__(
        self,
        policy: RolloutPolicy,
        past: Past,
        *,
        patient: bool = False,
        design_effects: Sequence[Floats | float] = (1.0, 1.0, 1.0),
        drift_history: Counts | None = None,
        rollback_margin: float | None = None,
        guarded: bool = True,
    ) -> None:
        """`patient`: somebody resumes every inconclusive rollout at once. `rollback_margin`: of every metric, instead
        of the policy's. Not `guarded`: no alarm ends a rollout, so that its traffic is looked at to the end.
        """
        self.policy, self.patient, self.guarded = policy, patient, guarded
        self.rollouts = past.slow.shape[0]
        watched = range(3) if policy.quality else range(2)
        self.effects = [np.maximum(1.0, effect) * np.ones(self.rollouts) for effect in design_effects]
        self.worse, self.acceptable = [], []
        for metric in watched:
            worse, acceptable = margins_of(policy, metric, past)
            worse = worse if rollback_margin is None else np.full_like(worse, rollback_margin)
            self.worse.append(BlockProcesses("worse", worse, past.bad[metric], past.n))
            self.acceptable.append(BlockProcesses("acceptable", acceptable, past.bad[metric], past.n))
        self.frozen, self.crowds = [process.margin for process in self.worse], [Crowds() for _ in watched]
        self.breaker = Breakers(self.rollouts, policy.breaker.max_error_share)
        self.pause_drift = self.back_drift = None
        if policy.drift and drift_history is not None:
            self.pause_drift, self.back_drift = _drifts(policy.drift, drift_history)
        self.predictions = np.zeros(self.rollouts)
        whole = np.zeros(self.rollouts, dtype=np.int64)
        self.step, self.phase, self.because = whole.copy(), whole.copy(), np.full(self.rollouts, -1)
        self.requests = whole.copy()
        self.held_s, self.waited_s = np.zeros(self.rollouts), np.zeros(self.rollouts)
        self.ended_s = np.full(self.rollouts, math.inf)
        self.extended = np.zeros(self.rollouts, dtype=bool)

    def look(
        self,
        at_s: float,
        seconds: float,
        errors: Blocks,
        latency: Blocks,
        quality: Sequence[Blocks] = (),
        predictions: tuple[Counts, Counts] | None = None,
    ) -> None:
        """One look at `at_s`, the end of a span: absorb, then decide."""
        for metric, blocks in ((ERRORS, (errors,)), (LATENCY, (latency,)), (QUALITY, quality)):
            for block in blocks:
                luck = LUCK * self.crowds[metric].luck(block.weight, self.effects[metric])
                self.worse[metric].margin = np.minimum(self.frozen[metric] + luck, _WIDEST)
                self.worse[metric].update(block, self.effects[metric])
                self.crowds[metric].add(block)
                if not self.shown(metric).all():
                    self.acceptable[metric].update(block, self.effects[metric])
        self.breaker.update(errors.canary_n, errors.canary_bad, self.effects[ERRORS])
        if predictions is not None and self.pause_drift and self.back_drift:
            self.pause_drift.update(*predictions)
            self.back_drift.update(*predictions)
            both = (predictions[0][-1] > 0) & (predictions[1][-1] > 0)
            self.predictions += predictions[0][-1] * both
        climbing = self.phase == CLIMBING
        self.requests += errors.canary_n * climbing
        fresh = (errors.canary_n > 0) & (errors.stable_n > 0)
        self.held_s += seconds * (climbing & fresh)
        self.waited_s += seconds * climbing
        if self.guarded:
            self._roll_back(at_s)
        self._pause_by_drift(at_s)
        self._go_on(at_s, fresh)

    def shown(self, metric: int) -> Chosen:
        """For which of the rollouts this metric has been shown acceptable."""
        return self.acceptable[metric].alarmed(PROMOTE_ALPHA)

    def degraded(self, metric: int) -> Chosen:
        """For which of the rollouts this metric has been shown worse."""
        return self.worse[metric].alarmed(SHARE_OF_ALPHA[METRICS[metric]] * self.policy.alpha)  # type: ignore[index]

    def _roll_back(self, at_s: float) -> None:
        alarms = {metric: self.degraded(metric) for metric in range(len(self.worse))}
        if self.back_drift:
            alarms[DRIFT] = self.back_drift.peak >= -math.log(drift_rules.SHARE_OF_ALPHA * self.policy.alpha)
        alarms[BREAKER] = self.breaker.peak >= -math.log(BREAKER_ALPHA)
        for number, alarmed in alarms.items():
            self._end(alarmed & np.isin(self.phase, (CLIMBING, PAUSED)), ROLLED_BACK, at_s, number)

    def _pause_by_drift(self, at_s: float) -> None:
        if self.pause_drift:
            drifted = self.pause_drift.peak >= -math.log(drift_rules.SHARE_OF_ALPHA * self.policy.alpha)
            self._end(drifted & (self.phase == CLIMBING), PAUSED, at_s, DRIFT)

    def _go_on(self, at_s: float, fresh: Chosen) -> None:
        steps = self.policy.steps
        climbing = self.phase == CLIMBING
        holds = np.array([step.hold.seconds for step in steps])[self.step]
        limits = np.array([step.hold.seconds + self.policy.extension_s(step) for step in steps])[self.step]
        last = self.step + 1 == len(steps)
        lacking = (self.held_s < holds) | (self.requests < self._needed()) | ~self.shown(ERRORS) | ~self.shown(LATENCY)
        if self.policy.quality:
            labels = np.round(self.worse[QUALITY].canary_n * self.effects[QUALITY])
            lacking |= last & (~self.shown(QUALITY) | (labels < self._enough(QUALITY)))
        if self.policy.drift:
            lacking |= self.predictions < self.policy.min_requests
        done = climbing & ~lacking & fresh
        self.extended |= climbing & ~done & (self.held_s >= holds)
        self._end(done & last, PROMOTED, at_s, -1)
        stuck = climbing & ~done & (self.waited_s > limits)
        if self.patient:
            self.waited_s[stuck] = 0.0
        else:
            self._end(stuck, PAUSED, at_s, -1)
        onward = done & ~last
        self.step[onward] += 1
        self.requests[onward] = 0
        self.held_s[onward] = self.waited_s[onward] = 0.0

    def _needed(self) -> Floats:
        return np.maximum(self._enough(ERRORS), self._enough(LATENCY))

    def _enough(self, metric: int) -> Floats:
        # Where all were shown acceptable the acceptable process is no longer updated; its stable counts are those of
        # the other one.
        rate, margin = self.worse[metric].stable_rate(), self.acceptable[metric].margin
        return np.maximum(self.policy.min_requests, np.ceil(np.round(9.0 * rate * (1.0 - rate) / margin**2, 6)))

    def _end(self, which: Chosen, phase: int, at_s: float, because: int) -> None:
        if which.any():
            self.phase[which], self.ended_s[which], self.because[which] = phase, at_s, because


def margins_of(policy: RolloutPolicy, metric: int, past: Past) -> tuple[Floats, Floats]:
    """For a rollback and for a promotion, as `rules.evidence` freezes them: (rollouts,) each."""
    rate = past.bad[metric] / past.n
    if metric == ERRORS:
        margins = policy.errors
        return np.maximum(margins.rollback_margin, 0.25 * rate), np.maximum(margins.promote_margin, 0.5 * rate)
    found = policy.latency if metric == LATENCY or policy.quality is None else policy.quality
    return np.full_like(rate, found.rollback_margin), np.full_like(rate, found.promote_margin)


def _drifts(margins: DriftMargins, history: Counts) -> tuple[DriftProcesses, DriftProcesses]:
    return DriftProcesses(margins.pause_margin, history), DriftProcesses(margins.rollback_margin, history)
