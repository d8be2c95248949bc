"""Weak slices: found on one half, confirmed on the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.fixtures.predictions import by, measured


def people(seed: int, *, weak: bool, rows: int = 20_000) -> dict[str, Any]:
    """Right in nine of ten rows; with `weak` only in seven of ten where a = 2 and b > 80."""
    rng = np.random.default_rng(seed)
    a, b, label = rng.integers(0, 4, rows), rng.integers(0, 100, rows), rng.integers(0, 2, rows)
    wrong = rng.random(rows) < np.where(weak & (a == 2) & (b > 80), 0.3, 0.1)
    return {"id": range(rows), "label": label, "candidate": np.where(wrong, 1 - label, label), "a": a, "b": b}


def test_a_weak_corner_is_found_with_its_numbers() -> None:
    found = measured(people(0, weak=True), by("a"), by("b", bins=(50,))).weak_slices
    worst = found[0]
    assert worst.name.startswith("a=2 & b")
    assert worst.p < 0.001
    assert worst.value == pytest.approx(0.7, abs=0.06)
    assert worst.difference == pytest.approx(-0.19, abs=0.06)
    assert worst.rows == pytest.approx(20_000 / 4 / 5 / 2, rel=0.3)
    assert len(found) <= 10


def test_a_slice_that_was_declared_is_not_told_again() -> None:
    rows = people(0, weak=True)
    rows["candidate"] = np.where((rows["a"] == 3) & (rows["b"] % 3 == 0), 1 - rows["label"], rows["candidate"])
    assert "a=3" in {weak.name for weak in measured(rows, by("b", bins=(50,)), fairness=("a",)).weak_slices}
    assert "a=3" not in {weak.name for weak in measured(rows, by("a")).weak_slices}


def test_it_is_not_looked_for_when_nobody_wants_it() -> None:
    assert measured(people(0, weak=True), by("a"), by("b", bins=(50,)), weak_slices=False).weak_slices == ()


def test_where_nothing_is_weak_false_alarms_are_rare() -> None:
    told = [
        bool(measured(people(seed, weak=False, rows=4000), by("a"), by("b", bins=(50,))).weak_slices)
        for seed in range(100)
    ]
    assert sum(told) <= 12  # 5 expected at most; P(more than 12 | 0.05) is 0.0015


def test_large_errors_and_low_scores_are_weak_too() -> None:
    rng = np.random.default_rng(1)
    group = rng.integers(0, 4, 4000)
    error = rng.normal(size=4000) * np.where(group == 1, 3.0, 1.0)
    rows = {"id": range(4000), "label": np.zeros(4000), "candidate": error, "g": group}
    (weak,) = measured(rows, by("g", bins=(9,)), task="regression").weak_slices
    assert (weak.name, weak.value > 2.5, weak.difference > 1.0) == ("g=1", True, True)
    scores = {"id": range(4000), "candidate": np.where(group == 2, 0.4, 0.6) + 0.1 * error, "g": group}
    assert measured(scores, by("g", bins=(9,)), task="score").weak_slices[0].name == "g=2"
