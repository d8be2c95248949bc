from __future__ import annotations

import numpy as np
import pytest

from gatewright.stats.paired import (
    cluster_covariance,
    difference_se,
    mcnemar_midp,
    paired_z,
)


def test_mcnemar_by_hand() -> None:
    # 3 of 4 discordant rows worse: one of the 16 outcomes is worse, 4 are exactly so and count half.
    assert mcnemar_midp([3, 1, 4, 0], [1, 3, 0, 4]) == pytest.approx([3 / 16, 13 / 16, 1 / 32, 31 / 32], rel=1e-14)


def test_no_discordant_pairs_are_no_evidence() -> None:
    assert float(mcnemar_midp(0, 0)) == 0.5


def test_a_tie_is_a_half_however_large() -> None:
    ties = np.array([1, 7, 1000, 10**9])
    assert mcnemar_midp(ties, ties) == pytest.approx(np.full(4, 0.5), rel=1e-12)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="worse contains -1"):
        mcnemar_midp(-1, 3)
    with pytest.raises(ValueError, match="better contains nan"):
        mcnemar_midp(1, [2, float("nan")])


def test_z() -> None:
    assert float(paired_z(1.6448536269514722, 1.0)) == pytest.approx(0.05, rel=1e-12)


def test_rows_without_any_spread_decide_by_their_sign() -> None:
    assert paired_z([0.1, 0.0, -0.1], 0.0).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(("difference", "error"), [(float("nan"), 1.0), (float("inf"), 1.0), (0.1, -1.0)])
def test_impossible_estimates_are_refused(difference: float, error: float) -> None:
    with pytest.raises(ValueError, match="contains"):
        paired_z(difference, error)


def test_standard_error_of_a_difference() -> None:
    assert float(difference_se(4.0, 9.0, 2.0)) == pytest.approx(3.0)
    assert float(difference_se(4.0, 9.0, 2.0, baseline_weight=2.0)) == pytest.approx(np.sqrt(32.0))
    assert float(difference_se(0.1, 0.1, 0.1 + 1e-17)) == 0.0


def test_clusters_by_hand() -> None:
    # Sums of the centred rows: -3, 3; 2/(2-1) * (9 + 9) / 16. Code 1 is not used.
    values = [1.0, 2.0, 3.0, 4.0 + 2.0]
    assert cluster_covariance(values, values, [0, 0, 2, 2]) == pytest.approx((2 * (9 + 9) / 16,) * 3)


def test_one_row_a_cluster_is_the_usual_variance() -> None:
    first, second = np.array([1.0, 5.0, 2.0, 8.0, 4.0]), np.array([2.0, 3.0, 9.0, 1.0, 1.0])
    expected = np.cov(first, second) / 5
    measured = cluster_covariance(first, second, np.array([4, 1, 3, 0, 2]))
    assert measured == pytest.approx((expected[0, 0], expected[1, 1], expected[0, 1]), rel=1e-12)


def test_unusable_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="one cluster"):
        cluster_covariance([1.0, 2.0], [1.0, 2.0], [3, 3])
    with pytest.raises(ValueError, match="integers from 0"):
        cluster_covariance([1.0, 2.0], [1.0, 2.0], [0, -1])
    with pytest.raises(ValueError, match="one code for each"):
        cluster_covariance([1.0, 2.0], [1.0, 2.0], [0, 1, 1])
    with pytest.raises(ValueError, match="at least one value"):
        cluster_covariance([], [], [])
