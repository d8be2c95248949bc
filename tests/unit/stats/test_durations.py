"""Durations in cells: what is kept of them, and what can be read from it."""

from __future__ import annotations

import pytest

from gatewright.domain.evidence import Durations
from gatewright.stats import durations


@pytest.mark.parametrize("ms", [0.0, 0.05, 0.1, 0.11, 1.0, 12.34, 5000.0])
def test_a_duration_is_known_within_five_per_cent(ms: float) -> None:
    ((number, many),) = durations.count([ms])
    assert many == 1
    end = 0.1 * 1.05**number
    assert ms <= end * (1 + 1e-12)
    assert end / 1.05 <= max(ms, 0.1) * (1 + 1e-12)


def test_counts_of_looks_are_added_cell_by_cell() -> None:
    first = Durations(canary=durations.count([5.0, 5.0]), stable=durations.count([5.0]))
    second = Durations(canary=durations.count([5.0, 90.0]), stable=())
    both = durations.added(durations.added(None, first), second)
    assert both == Durations(canary=durations.count([5.0, 90.0, 5.0, 5.0]), stable=first.stable)
    assert [number for number, _ in both.canary] == sorted(number for number, _ in both.canary)


def test_the_99th_percentile_is_read_from_the_cells() -> None:
    found = durations.p99(durations.count([10.0] * 9900 + [50.0] * 100))
    assert found is not None
    assert found.low == pytest.approx(10.0, rel=0.05)
    assert found.high == pytest.approx(50.0, rel=0.05)
    assert durations.p99(()) is None
