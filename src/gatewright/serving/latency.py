"""Latency of single-row predictions, measured so that two models meet the same machine."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.accuracy_counts import Latency

WARM_UP = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model to measure: how it predicts one row, and the rows (n, its inputs)."""

    predict: Callable[[NDArray[np.float64]], object]
    matrix: NDArray[np.float64]


def measure_interleaved(contenders: Sequence[Contender], *, samples: int, seed: int) -> list[Latency]:
    """Time `samples` calls of each contender on the same rows, drawn by `seed`, in the order A B B A A B B A …

    The mirrored order cancels a steady drift of the machine; warm-up calls are dropped.
    Quantiles are order statistics: the ceil(q n)-th smallest.
    """
    rows = np.random.default_rng(seed).integers(len(contenders[0].matrix), size=samples)
    for contender in contenders:
        for row in rows[:WARM_UP].tolist():
            contender.predict(contender.matrix[row : row + 1])
    times = [np.empty(samples) for _ in contenders]
    gc.collect()
    gc.freeze()  # as the model server does
    for turn, row in enumerate(rows.tolist()):
        order = range(len(contenders)) if turn % 2 == 0 else reversed(range(len(contenders)))
        for which in order:
            contender = contenders[which]
            started = time.perf_counter_ns()
            contender.predict(contender.matrix[row : row + 1])
            times[which][turn] = time.perf_counter_ns() - started
    gc.unfreeze()
    return [_summary(measured / 1e6) for measured in times]


def _summary(milliseconds: NDArray[np.float64]) -> Latency:
    ordered = np.sort(milliseconds)

    def quantile(share: float) -> float:
        return round(float(ordered[math.ceil(share * len(ordered)) - 1]), 6)

    return Latency(p50_ms=quantile(0.50), p99_ms=quantile(0.99), samples=len(ordered))
