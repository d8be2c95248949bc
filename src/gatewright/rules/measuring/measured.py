"""Which metrics an evaluation measures: what the task has by itself, and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.domain.errors import UnusableInput
from gatewright.domain.metrics import METRICS, PRIMARY, Task
from gatewright.domain.project import EvaluationSection

CLUSTERED = ("accuracy", "log_loss", "brier", "mae", "rmse", "mean_score")
"""What can be measured with rows that belong together: means over rows, and the root of one."""
_USUAL: Mapping[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "balanced_accuracy", "precision", "recall", "f1"),
    "multiclass": ("accuracy", "balanced_accuracy", "precision", "recall", "f1"),
    "regression": ("rmse", "mae", "r2"),
    "score": ("mean_score",),
}
_WITH_SCORES = ("log_loss", "brier")


def primary(evaluation: EvaluationSection, task: Task) -> str:
    """The metric that the gates compare."""
    return evaluation.metric or PRIMARY[task]


def measured(evaluation: EvaluationSection, task: Task, *, has_scores: bool) -> tuple[str, ...]:
    """The primary metric first, then what is asked for, then the usual ones of the task.

    UnusableInput for a metric that the task does not have, that needs probabilities nobody predicted, or that cannot
    be measured by cluster.
    """
    asked = tuple(dict.fromkeys((primary(evaluation, task), *evaluation.metrics)))
    for name in asked:
        if task not in METRICS[name].tasks:
            allowed = ", ".join(metric.name for metric in METRICS.values() if task in metric.tasks)
            raise UnusableInput(
                f"evaluation.metric: {name} is no metric of a {task} task", fix=f"metrics of {task}: {allowed}"
            )
        if METRICS[name].needs_scores and not has_scores:
            raise UnusableInput(
                f"{name} needs the model's probabilities, and there are none",
                fix="let the model have predict_proba, write a score with the predictions, or choose another metric",
            )
        if evaluation.cluster is not None and name not in CLUSTERED:
            raise UnusableInput(
                f"{name} cannot be measured with rows that belong together (evaluation.cluster)",
                fix=f"with a cluster: {', '.join(CLUSTERED)}",
            )
        if evaluation.weight is not None and METRICS[name].kind == "rank":
            raise UnusableInput(
                f"{name} cannot be measured with rows that carry weights (evaluation.weight)",
                fix="leave it out of evaluation.metrics and gates, or evaluate on a purely random sample",
            )
    if evaluation.weight is not None and evaluation.cluster is not None:
        raise UnusableInput(
            "evaluation.weight and evaluation.cluster cannot be used together", fix="leave one of them out"
        )
    usual = (*_USUAL[task], *(_WITH_SCORES if has_scores and task in METRICS["log_loss"].tasks else ()))
    if evaluation.cluster is not None:
        usual = tuple(name for name in usual if name in CLUSTERED)
    return tuple(dict.fromkeys((*asked, *usual)))
