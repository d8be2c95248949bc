"""Above how many milliseconds an answer is slow: frozen when a rollout begins."""

from __future__ import annotations

from gatewright.domain.rollout import LatencyMargins, Rollout

_FEWEST_FOR_P99 = 300
_WITHOUT_HISTORY_MS = 1000.0


def of_stable_ms(latency: LatencyMargins, *, timed: int, p99_ms: float | None) -> float:
    """The configured limit; else stable's p99 of so many `timed` answers, but at least the floor; of few one second."""
    if latency.limit is not None:
        return 1000 * latency.limit.seconds
    if p99_ms is None or timed < _FEWEST_FOR_P99:
        return _WITHOUT_HISTORY_MS
    return max(p99_ms, 1000 * latency.floor.seconds)


def frozen_ms(rollout: Rollout) -> float:
    """The limit that `rollout` began with; one second without any."""
    return _WITHOUT_HISTORY_MS if rollout.slow_after_ms is None else rollout.slow_after_ms
