"""Area under the ROC curve, and its covariance between models scored on the same rows.

The midrank differences of X. Sun, W. Xu, "Fast implementation of DeLong's algorithm for comparing the areas under
correlated receiver operating characteristic curves", IEEE Signal Processing Letters 21 (2014) 1389-1393, read off one
sort for each model: O(n log n). Covariance: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988)
837-845.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatewright.stats.arrays import Floats, at_least_zero, finite


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """P(score of a positive row > score of a negative one) + P(equal)/2, for labels (n,) of 0 and 1, scores (n,).

    ValueError if only one class is there, shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    positive, columns = _checked(labels, np.asarray(scores, dtype=np.float64)[np.newaxis])
    return float(_placements(positive, columns[0])[positive].mean())


def delong(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """AUCs (k,) of k models and their covariance (k, k), for labels (n,) of 0 and 1, scores (k, n) on the same rows.

    S10/m + S01/n over m positive and n negative rows, S the sample covariances of the rows' placements. ValueError as
    in `auc`, and with fewer than two rows of either class: one row has no variance.
    """
    positive, columns = _checked(labels, np.asarray(scores, dtype=np.float64))
    ones = int(np.count_nonzero(positive))
    zeros = positive.size - ones
    if min(ones, zeros) < 2:
        raise ValueError(f"{ones} positive and {zeros} negative rows; two of each are needed for a variance")
    placements = np.stack([_placements(positive, column) for column in columns])
    above, below = placements[:, positive], placements[:, ~positive]
    return above.mean(axis=1), _scatter(above) + _scatter(below)


def _placements(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Of each row: the share of the other class that it is ranked rightly against, ties counting half; shape (n,)."""
    order = np.argsort(scores, kind="stable")
    ordered, classes = scores[order], positive[order]
    group = np.concatenate(([0], np.cumsum(ordered[1:] != ordered[:-1])))
    ones = np.bincount(group, weights=classes)
    zeros = np.bincount(group) - ones
    # Rows of the other class in lower groups and half of those in the same one: a difference of midranks.
    zeros_below = (np.cumsum(zeros) - 0.5 * zeros)[group]
    ones_above = (ones.sum() - np.cumsum(ones) + 0.5 * ones)[group]
    placements = np.empty(scores.size)
    placements[order] = np.where(classes, zeros_below / zeros.sum(), ones_above / ones.sum())
    return placements


def _scatter(placements: Floats) -> Floats:
    """Sample covariance of the rows (k, m) of `placements`, over m: the covariance of their means."""
    centred = placements - placements.mean(axis=1, keepdims=True)
    rows = placements.shape[1]
    return np.asarray(centred @ centred.T / (rows - 1) / rows)


def _checked(labels: ArrayLike, scores: Floats) -> tuple[NDArray[np.bool_], Floats]:
    values = np.asarray(labels)
    if values.ndim != 1 or scores.ndim != 2 or scores.shape[1] != values.size:
        raise ValueError(f"labels {values.shape} and scores {scores.shape} must speak of the same rows")
    positive = values == 1
    if not (positive | (values == 0)).all():
        raise ValueError("labels must be 0 or 1")
    if np.isnan(scores).any():
        raise ValueError("scores contains NaN; a number for each row is needed")
    if positive.all() or not positive.any():
        raise ValueError(f"all {values.size} rows are of one class; AUC needs rows of both")
    return positive, scores


def weighted_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike) -> float:
    """P(score of a positive > of a negative) + P(equal)/2, rows drawn by their `weights`; (n,) each. NaN of one class.

    ValueError for weights below 0, NaN and infinity.
    """
    positive = np.asarray(labels, dtype=bool)
    values, weight = finite("scores", scores), at_least_zero("weights", weights)
    _, place = np.unique(values, return_inverse=True)
    ones = np.bincount(place, weights=weight * positive)
    zeros = np.bincount(place, weights=weight * ~positive)
    below = np.cumsum(zeros) - zeros
    pairs = float(ones.sum() * zeros.sum())
    return float((ones * (below + 0.5 * zeros)).sum()) / pairs if pairs else float("nan")
