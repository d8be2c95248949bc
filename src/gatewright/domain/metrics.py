"""The metrics by their names in the field: what kind of number each is, for which task, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "multiclass", "regression", "score"]
"""What a model answers: one of two classes, one of several, a number to hit, or a number that is good in itself."""

MetricName = Literal[
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier",
    "mae", "rmse", "r2", "mean_score",
]  # fmt: skip
FairnessMetric = Literal[
    "demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference",
    "equal_opportunity_difference",
]  # fmt: skip

_CLASSES: tuple[Task, ...] = ("binary", "multiclass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    `kind` says what it is computed from: `count` from the counts of (label, candidate, baseline), `mean` from a number
    per row, `rank` from the order of the scores. A `relative` metric has a unit of its own or no upper end: margins are
    shares of the baseline's value there, and differences of the value itself elsewhere.
    """

    name: MetricName
    kind: Literal["count", "mean", "rank"]
    tasks: tuple[Task, ...]
    higher_is_better: bool = True
    relative: bool = False
    needs_scores: bool = False


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="accuracy", kind="count", tasks=_CLASSES),
        Metric(name="balanced_accuracy", kind="count", tasks=_CLASSES),
        Metric(name="precision", kind="count", tasks=_CLASSES),
        Metric(name="recall", kind="count", tasks=_CLASSES),
        Metric(name="f1", kind="count", tasks=_CLASSES),
        Metric(name="auc", kind="rank", tasks=("binary",), needs_scores=True),
        Metric(name="log_loss", kind="mean", tasks=_CLASSES, higher_is_better=False, relative=True, needs_scores=True),
        Metric(name="brier", kind="mean", tasks=_CLASSES, higher_is_better=False, needs_scores=True),
        Metric(name="mae", kind="mean", tasks=("regression",), higher_is_better=False, relative=True),
        Metric(name="rmse", kind="mean", tasks=("regression",), higher_is_better=False, relative=True),
        Metric(name="r2", kind="mean", tasks=("regression",)),
        Metric(name="mean_score", kind="mean", tasks=("score",), relative=True),
    )
}
PRIMARY: Mapping[Task, MetricName] = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "rmse",
    "score": "mean_score",
}
"""The metric that the gates compare unless `evaluation.metric` names another."""
