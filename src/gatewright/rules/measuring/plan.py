"""What an evaluation measures, on which slices, from which columns: decided once, before any row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import ALL
from gatewright.domain.metrics import METRICS, Task
from gatewright.domain.project import EvaluationSection, FairnessSection, SliceSpec
from gatewright.rules.measuring.measured import measured
from gatewright.rules.measuring.prediction_rows import BASELINE, CANDIDATE, ID, LABEL, check_columns
from gatewright.rules.measuring.scores import RowScores
from gatewright.rules.measuring.slices import Partition, columns, partition

if TYPE_CHECKING:
    import polars as pl

OVERALL = Partition(keys=(), only=ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, by which columns.

    `pairs`: the candidate with each model beside it, by the names of their columns; `filled` may have no gaps.
    """

    task: Task
    metrics: tuple[str, ...]
    positive: int
    pairs: tuple[tuple[str, ...], ...]
    slices: tuple[Partition, ...]
    groups: Mapping[str, Partition]
    columns: tuple[str, ...]
    filled: tuple[str, ...]
    probabilities: tuple[str, ...]
    cluster: str | None
    own: tuple[str, ...]
    weight: str | None = None
    stratum: str | None = None

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All rows, the slices and the groups, each once."""
        return tuple(dict.fromkeys((OVERALL, *self.slices, *self.groups.values())))

    @property
    def explored(self) -> tuple[str, ...]:
        """The columns by which weak slices are looked for, and those that say how well a row went."""
        return (CANDIDATE, *(() if self.task == "score" else (LABEL,)), *self.own)

    @property
    def has_classes(self) -> bool:
        """Whether rows are counted by label and answers."""
        return self.task in ("binary", "multiclass")

    @property
    def counted(self) -> tuple[str, ...]:
        """The metrics that follow from counts."""
        return tuple(name for name in self.metrics if METRICS[name].kind == "count")

    def sources(self, pair: tuple[str, ...]) -> list[RowScores]:
        """The metrics that are sums over rows."""
        summed = [name for name in self.metrics if METRICS[name].kind == "mean"]
        return [RowScores(metric=name, task=self.task, models=pair, positive=self.positive) for name in summed]


def planned(
    predictions: pl.DataFrame | pl.LazyFrame,
    evaluation: EvaluationSection,
    fairness: FairnessSection,
    task: Task,
    others: Sequence[str],
) -> Plan:
    """What to measure on these predictions of the candidate and `others`; UnusableInput for what cannot be."""
    names = predictions.lazy().collect_schema().names()
    if BASELINE in names and BASELINE not in others:
        raise UnusableInput("there are predictions of a baseline but no baseline", fix="name the baseline's digest")
    models = (CANDIDATE, *others)
    scores = {"binary": ("score",), "multiclass": ("log_loss", "brier")}.get(task, ())
    scored = [f"{model}_{kind}" for model in models for kind in scores]
    has_scores = bool(scored) and all(name in names for name in scored)
    slices = tuple(partition(spec) for spec in evaluation.slices)
    _check_names(slices)
    own = list(dict.fromkeys((*columns(evaluation.slices), *fairness.attributes)))
    sliced = tuple(own)
    main = (CANDIDATE, BASELINE) if BASELINE in others else (CANDIDATE,)
    more = (evaluation.cluster, evaluation.weight, evaluation.stratum)
    own += [name for name in dict.fromkeys(more) if name and name not in own]
    needed = [ID, *([] if task == "score" else [LABEL]), *models, *(scored if has_scores else [])]
    check_columns(names, needed, own)
    return Plan(
        task=task,
        metrics=measured(evaluation, task, has_scores=has_scores),
        positive=fairness.positive,
        pairs=(main, *((CANDIDATE, other) for other in others if other != BASELINE)),
        slices=slices,
        groups={name: partition(SliceSpec(columns=(name,))) for name in fairness.attributes},
        columns=(*needed, *own),
        filled=tuple(needed),
        probabilities=tuple(scored) if has_scores and task == "binary" else (),
        cluster=evaluation.cluster,
        own=sliced,
        weight=evaluation.weight,
        stratum=evaluation.stratum,
    )


def _check_names(slices: Sequence[Partition]) -> None:
    titles = [served.title for served in slices if served.only]
    for title in titles:
        if titles.count(title) > 1 or title == ALL:
            raise UnusableInput(f"two slices are called {title!r}", fix="give each condition a name of its own")
