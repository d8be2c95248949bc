"""Agreement between annotators: statsmodels' kappas, and Krippendorff's own example."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from gatewright.stats.agreement import cohen, fleiss, krippendorff, percent

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: four observers, twelve units, gaps.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
UNITS = [[int(mark) for mark in unit if mark != "."] for unit in zip(*(row.split() for row in OBSERVERS), strict=True)]


def test_krippendorff_s_example() -> None:
    assert krippendorff(UNITS) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff(UNITS, interval=True) == pytest.approx(0.849, abs=5e-4)


@pytest.mark.parametrize("seed", range(4))
def test_kappas_are_statsmodels_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 80)
    rows = np.stack([np.where(rng.random(80) < 0.7, truth, rng.integers(0, 3, 80)) for _ in range(3)], axis=1)
    table = np.zeros((3, 3))
    np.add.at(table, (rows[:, 0], rows[:, 1]), 1)
    with warnings.catch_warnings(action="ignore"):
        assert cohen([(a, b) for a, b, _ in rows.tolist()]) == pytest.approx(cohens_kappa(table, return_results=False))
    assert fleiss(rows.tolist()) == pytest.approx(fleiss_kappa(aggregate_raters(rows)[0]))


def test_what_is_undefined() -> None:
    assert percent([[1]]) is None
    assert cohen([]) is None
    assert cohen([(1, 1), (1, 1)]) is None
    assert fleiss([[1], [2]]) is None
    assert krippendorff([[1], [2]]) is None
    assert krippendorff([[1, 1], [1, 1]]) is None
    assert percent([[1, 1], [1, 2]]) == 0.5
    with pytest.raises(ValueError, match="equally many"):
        fleiss([[1, 2], [1, 2, 3]])
