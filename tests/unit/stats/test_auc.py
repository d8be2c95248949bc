from __future__ import annotations

import numpy as np
import pytest

from gatewright.stats.auc import auc, delong


def test_auc_by_hand() -> None:
    # Pairs: (2 over 1), (2 ties 2), (3 over 1), (3 over 2).
    assert auc([0, 1, 0, 1], [1.0, 2.0, 2.0, 3.0]) == 3.5 / 4


@pytest.mark.parametrize(("scores", "expected"), [([0, 0, 1, 1], 1.0), ([1, 1, 0, 0], 0.0), ([5, 5, 5, 5], 0.5)])
def test_auc_of_perfect_useless_and_constant_scores(scores: list[float], expected: float) -> None:
    assert auc([False, False, True, True], scores) == expected


def test_infinite_scores_have_a_rank() -> None:
    assert auc([0, 1, 1], [-np.inf, np.inf, np.inf]) == 1.0


def test_a_model_and_itself_reversed() -> None:
    labels, scores = np.array([0, 0, 1, 1, 1, 0]), np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.2])
    aucs, covariance = delong(labels, np.stack([scores, -scores]))
    assert aucs.sum() == pytest.approx(1.0)
    assert covariance[0, 0] > 0.0
    assert covariance == pytest.approx(covariance[0, 0] * np.array([[1.0, -1.0], [-1.0, 1.0]]))


def test_one_class_is_refused() -> None:
    for labels in ([0, 0, 0], [1, 1, 1]):
        with pytest.raises(ValueError, match="one class"):
            auc(labels, [1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="one class"):
            delong(labels, [[1.0, 2.0, 3.0]])


def test_one_row_of_a_class_has_no_variance() -> None:
    assert auc([0, 0, 1], [1.0, 2.0, 3.0]) == 1.0
    with pytest.raises(ValueError, match="1 positive and 2 negative"):
        delong([0, 0, 1], [[1.0, 2.0, 3.0]])


def test_unusable_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        auc([0, 1], [1.0, float("nan")])
    with pytest.raises(ValueError, match="0 or 1"):
        auc([0, 2], [1.0, 2.0])
    with pytest.raises(ValueError, match="same rows"):
        auc([0, 1, 1], [1.0, 2.0])
