"""Latency of single-row predictions, measured so that two models meet the same machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.evaluation import Latency, LatencyRatio
from gatewright.stats.bootstrap import block_length, block_quantile_upper, block_ratio_upper
from gatewright.stats.intervals import quantile_upper_rank

WARM_UP = 50
_DRAWS = 1000
_CURVE = (*(step / 20 for step in range(1, 20)), 0.975, 0.99, 0.995, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model to measure: how it predicts one row, and the rows (n, its inputs)."""

    predict: Callable[[NDArray[np.float64]], object]
    matrix: NDArray[np.float64]


def measure_interleaved(contenders: Sequence[Contender], *, samples: int, seed: int) -> list[NDArray[np.float64]]:
    """Time `samples` calls of each contender on the same rows, drawn by `seed`, in the order A B B A A B B A …

    Milliseconds (samples,) of each, in the order of time. The mirrored order cancels a steady drift of the machine;
    warm-up calls are dropped.
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
    return [measured / 1e6 for measured in times]


def summarise(milliseconds: NDArray[np.float64], *, seed: int) -> Latency:
    """Quantiles of calls in the order of time: order statistics, the ceil(q n)-th smallest.

    The bound of p99 is the larger of two, for samples on one host are dependent: the order statistic that bounds
    independent ones, and the circular block bootstrap's.
    """
    ordered = np.sort(milliseconds)
    count = len(ordered)

    def quantile(share: float) -> float:
        return round(float(ordered[max(1, int(np.ceil(round(share * count, 9)))) - 1]), 6)

    rng = np.random.default_rng(seed)
    _, block = block_quantile_upper(milliseconds, 0.99, block=block_length(count), draws=_DRAWS, rng=rng)
    rank = quantile_upper_rank(count, 0.99) or count
    return Latency(
        p50_ms=quantile(0.50),
        p99_ms=quantile(0.99),
        p99_upper_ms=round(max(block, float(ordered[rank - 1])), 6),
        samples=count,
        curve=tuple((share, quantile(share)) for share in _CURVE),
    )


def compare(candidate: NDArray[np.float64], baseline: NDArray[np.float64], *, seed: int) -> LatencyRatio:
    """p99 of the candidate over the baseline's, and its 95 % upper bound by the block bootstrap of both together."""
    rng = np.random.default_rng(seed)
    block = block_length(len(candidate))
    value, upper = block_ratio_upper(candidate, baseline, 0.99, block=block, draws=_DRAWS, rng=rng)
    return LatencyRatio(value=round(value, 6), upper=round(max(value, upper), 6))
