"""Whole rollouts: traffic, the product's climbs and, on the same requests, the minutes that the peers look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.rollout import DriftMargins, QualityMargins, RolloutPolicy
from tests.simulation.block_processes import Blocks, Counts, Floats
from tests.simulation.climbs import CLIMBING, Climbs, margins_of
from tests.simulation.peers import MINUTE_S, Minutes
from tests.simulation.streams import (
    ERRORS,
    LATENCY,
    QUALITY,
    SCHEDULE_S,
    Past,
    Requests,
    Streams,
    Traffic,
    scheduled_step,
)

POLICY = RolloutPolicy(quality=QualityMargins())
WATCHING_DRIFT = replace(POLICY, drift=DriftMargins())
LABEL_MINUTES = 10
SECOND_CLASS = 0.4
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """What became of every rollout, and what the peers saw of it."""

    climbs: Climbs
    minutes: Minutes | None

    def share(self, phase: int) -> float:
        return float((self.climbs.phase == phase).mean())


class Labels:
    """Blocks of quality: the answers of one minute under one weight, told when all their labels have come."""

    def __init__(self, rollouts: int, minutes_late: int) -> None:
        self._none = Blocks.none(rollouts)
        self._waiting: deque[tuple[Blocks, Blocks]] = deque([(self._none, self._none)] * minutes_late)
        self._before, self._now = self._none, self._none
        self._step: NDArray[np.int64] | None = None

    def add(self, requests: Requests, step: NDArray[np.int64]) -> None:
        if self._step is not None and (changed := step != self._step).any():
            self._before = self._before + self._now.where(changed)
            self._now = self._now.where(~changed)
        self._step = step.copy()
        self._now = self._now + requests.split(QUALITY, step)

    def told(self) -> Iterator[Blocks]:
        """At the end of a minute: the blocks of the minute whose labels have all come by now."""
        self._waiting.append((self._before, self._now))
        self._before, self._now = self._none, self._none
        for blocks in self._waiting.popleft():
            if blocks.canary_n.any() or blocks.stable_n.any():
                yield blocks


def roll_out(
    traffic: Traffic,
    rollouts: int,
    seed: tuple[int, ...],
    *,
    policy: RolloutPolicy = POLICY,
    tick_s: float = 10.0,
    label_minutes: int = LABEL_MINUTES,
    until_s: float = SCHEDULE_S,
    peers: bool = False,
    patient: bool = False,
    design_effects: tuple[Floats | float, ...] = (1.0, 1.0, 1.0),
    past: Past | None = None,
    streams: Streams | None = None,
    labels: Labels | None = None,
    at_margin: Sequence[int] = (),
    rollback_margin: float | None = None,
    guarded: bool = True,
) -> Result:
    """`rollouts` climbs until all have ended, or until `until_s`; the last are left CLIMBING.

    A look every `tick_s` seconds (a divisor of a minute). With `peers` the scheduled climb is recorded to its end.
    The canary is worse by the promote margin in the metrics `at_margin`.
    With a policy of drift the answers are of two classes, two in five the second one, by both models.
    """
    rng = np.random.default_rng(seed)
    past = past or Past.draw(rng, traffic.rates, rollouts)
    if at_margin:
        excess = [margins_of(policy, metric, past)[1] * (metric in at_margin) for metric in range(3)]
        traffic = replace(traffic, excess=tuple(excess))
    streams = streams or Streams(traffic, past, rng)
    climbs = Climbs(
        policy,
        past,
        patient=patient,
        design_effects=design_effects,
        drift_history=_classes(rng, rollouts),
        rollback_margin=rollback_margin,
        guarded=guarded,
    )
    labels = labels or Labels(rollouts, label_minutes)
    recorded = min(SCHEDULE_S, until_s)
    minutes = Minutes(int(recorded / MINUTE_S), rollouts) if peers else None
    ticks = int(MINUTE_S / tick_s)
    for minute in range(int(until_s / MINUTE_S)):
        at_s = minute * MINUTE_S
        recording = minutes is not None and at_s < recorded
        if not recording and not (climbs.phase == CLIMBING).any():
            break
        whole: Requests | None = None
        for tick in range(ticks):
            requests = streams.draw(at_s + tick * tick_s, tick_s)
            whole = requests if whole is None else whole + requests
            if not (climbs.phase == CLIMBING).any():
                continue
            labels.add(requests, climbs.step)
            climbs.look(
                at_s + (tick + 1) * tick_s,
                tick_s,
                requests.split(ERRORS, climbs.step),
                requests.split(LATENCY, climbs.step),
                list(labels.told()) if policy.quality and tick == ticks - 1 else (),
                _predictions(rng, requests.split(ERRORS, climbs.step)) if policy.drift else None,
            )
        if minutes is not None and recording and whole is not None:
            _record(minutes, minute, whole, scheduled_step(at_s))
    return Result(climbs, minutes)


def batches(traffic: Traffic, rollouts: int, seed: tuple[int, ...], **options: object) -> Iterator[Result]:
    """The same in batches that fit into the processor's caches, each with a seed of its own."""
    for number in range(0, rollouts, BATCH):
        size = min(BATCH, rollouts - number)
        yield roll_out(traffic, size, (*seed, number), **options)  # type: ignore[arg-type]


def _classes(rng: np.random.Generator, rollouts: int) -> Counts:
    """Stable's past answers by event: the second class, neither, and all 2,000."""
    n = np.full(rollouts, 2000)
    return np.stack([rng.binomial(n, SECOND_CLASS), np.zeros_like(n), n])


def _predictions(rng: np.random.Generator, blocks: Blocks) -> tuple[Counts, Counts]:
    canary, stable = (
        np.stack([rng.binomial(n, SECOND_CLASS), np.zeros_like(n), n]) for n in (blocks.canary_n, blocks.stable_n)
    )
    return canary, stable


def _record(minutes: Minutes, minute: int, requests: Requests, step: int) -> None:
    at = np.full(requests.n.shape[1], step)
    for metric in (ERRORS, LATENCY, QUALITY):
        blocks = requests.split(metric, at)
        minutes.counts[metric, minute] = (blocks.canary_n, blocks.canary_bad, blocks.stable_n, blocks.stable_bad)
