"""Can a classifier tell evaluation rows from traffic? Cross-fitted, so that it cannot learn rows by heart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.domain.errors import UnusableInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_ROWS = 20_000
_FOLDS = 5
_SEED = 0


def separation(traffic: Floats, evaluation: Floats, weights: Floats) -> float:
    """AUC of gradient-boosted trees that tell evaluation rows (m, columns), weighing (m,), from traffic (n, columns).

    Each row is scored by trees that have not seen it. UnusableInput when scikit-learn is not installed.
    """
    import numpy as np

    from gatewright.stats.auc import weighted_auc

    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise UnusableInput(
            "the classifier of evalset check needs scikit-learn, which is not installed",
            fix="pip install 'gatewright[serve]', or leave it out: --skip separation",
        ) from error
    rows = np.concatenate([traffic, evaluation])
    label = np.repeat([0, 1], [len(traffic), len(evaluation)])
    weight = np.concatenate([np.ones(len(traffic)), weights])
    for one in (0, 1):  # both sides weigh as much
        weight[label == one] /= weight[label == one].sum()
    fold = np.random.default_rng(_SEED).permutation(len(rows)) % _FOLDS
    score = np.zeros(len(rows))
    for number in range(_FOLDS):
        left_out = fold == number
        trees = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=8, learning_rate=0.1, min_samples_leaf=40, random_state=_SEED
        )
        # One thread: on a busy machine several wait for each other longer than one works.
        with threadpool_limits(1):
            trees.fit(rows[~left_out], label[~left_out], sample_weight=weight[~left_out] * len(rows))
            score[left_out] = trees.predict_proba(rows[left_out])[:, 1]
    # Scores of two folds are not on one scale: each fold is judged by itself.
    found = [weighted_auc(label[fold == k], score[fold == k], weight[fold == k]) for k in range(_FOLDS)]
    return float(np.mean(found))
