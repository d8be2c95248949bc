"""The pipelines the team trains. Each takes a float64 matrix in which a missing value is NaN."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

Step = tuple[str, BaseEstimator]

BOOSTING: Mapping[str, object] = {
    "n_estimators": 60,
    "max_depth": 6,
    "min_samples_leaf": 20,
    "learning_rate": 0.2,
    "subsample": 0.3,
    "max_features": 12,
    "init": "zero",  # the labels are balanced, and a prior model would cost time in every prediction
}


def logistic(hyperparameters: Mapping[str, object], seed: int) -> Pipeline:
    classifier = LogisticRegression(**{"max_iter": 500, "random_state": seed, **hyperparameters})
    return Pipeline([scale(), impute(), ("classify", classifier)])


def boosting(hyperparameters: Mapping[str, object], seed: int) -> Pipeline:
    classifier = GradientBoostingClassifier(**{**BOOSTING, "random_state": seed, **hyperparameters})
    return Pipeline([scale(), impute(), ("classify", classifier)])


def boosting_no_imputer(hyperparameters: Mapping[str, object], seed: int) -> Pipeline:
    """Refuses a row with NaN: fine on complete tables, wrong for live data."""
    complete = boosting(hyperparameters, seed)
    return Pipeline([step for step in complete.steps if step[0] != "impute"])


def scale() -> Step:
    """Mean 0, deviation 1; NaN stays NaN."""
    return "scale", StandardScaler()


def impute() -> Step:
    """On scaled columns 0 is the mean: what SimpleImputer gives, at a tenth of its cost for one row."""
    return "impute", FunctionTransformer(np.nan_to_num)


RECIPES = {"logistic": logistic, "boosting": boosting, "boosting-no-imputer": boosting_no_imputer}
