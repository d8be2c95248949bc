"""Counts → metrics: every number that follows from how often each (label, candidate, baseline) occurs.

Definitions and edge cases are scikit-learn's (with `zero_division=0`) and Fairlearn's. All functions work over leading
axes, so that slices and bootstrap replicates cost one call. A number is NaN where there is nothing to divide by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from gatewright.domain.evaluation import Arm, EvaluationReport, Outcome
from gatewright.domain.metrics import FairnessMetric, MetricName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Rate = Literal["selection_rate", "true_positive_rate", "false_positive_rate"]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """The meaning of the last axis of counts: (…, outcomes) whole numbers → (…) metrics.

    `positive` is the class that counts as selected, and whose precision, recall and F1 a `binary` task has; those of
    several classes are the mean over the classes that occur as label or answer ("macro").
    """

    outcomes: tuple[Outcome, ...]
    positive: int = 1
    binary: bool = True

    @classmethod
    def of(cls, report: EvaluationReport) -> Outcomes:
        """The outcomes of a report's cells."""
        return cls(outcomes=report.outcomes, positive=report.positive, binary=report.task == "binary")

    def metric(self, name: MetricName | str, counts: Any, arm: Arm) -> Floats:
        """accuracy, balanced_accuracy, precision, recall or f1 of `arm`; NaN without rows."""
        import numpy as np

        cells = np.asarray(counts, dtype=np.float64)
        match name:
            case "accuracy":
                values = _ratio(cells @ self.correct(arm), cells.sum(axis=-1))
            case "balanced_accuracy":
                values = self._balanced(cells, arm)
            case "precision" | "recall" | "f1" if self.binary:
                values = _of_one(name, *(cells @ mask for mask in self._positives(arm)))
            case "precision" | "recall" | "f1":
                values = self._macro(name, cells, arm)
            case _:
                raise ValueError(f"{name} does not follow from counts")
        return np.where(cells.sum(axis=-1) > 0, values, np.nan)

    def rate(self, name: Rate, counts: Any, arm: Arm) -> Floats:
        """P(answer = positive), given nothing, a positive label, or a negative one; NaN without such rows."""
        import numpy as np

        cells = np.asarray(counts, dtype=np.float64)
        label, answer = self.labels == self.positive, self.answers(arm) == self.positive
        given = {"selection_rate": np.ones_like(label), "true_positive_rate": label, "false_positive_rate": ~label}
        among = given[name]
        return _ratio(cells @ (answer & among).astype(np.float64), cells @ among.astype(np.float64))

    def gap(self, name: FairnessMetric | str, counts: Any, arm: Arm) -> Floats:
        """The gap between groups: (…, groups, outcomes) → (…), 0 for equal treatment.

        Largest minus smallest rate (Agarwal et al., "A Reductions Approach to Fair Classification", 2018; Hardt et al.,
        "Equality of Opportunity in Supervised Learning", 2016); of the ratio, 1 − smallest / largest. A group in which
        a rate is undefined has no part in that gap (Fairlearn counts it as 0). NaN when no group has the rate.
        """
        import numpy as np

        def difference(rate: Rate) -> Floats:
            low, high = _extremes(self.rate(rate, counts, arm))
            return high - low

        match name:
            case "demographic_parity_difference":
                return difference("selection_rate")
            case "demographic_parity_ratio":
                low, high = _extremes(self.rate("selection_rate", counts, arm))
                return 1.0 - _ratio(low, high)
            case "equal_opportunity_difference":
                return difference("true_positive_rate")
            case "equalized_odds_difference":
                return np.fmax(difference("true_positive_rate"), difference("false_positive_rate"))
            case _:
                raise ValueError(f"{name} is no gap between groups")

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The true class of each outcome, (outcomes,)."""
        import numpy as np

        return np.array([outcome.label for outcome in self.outcomes], dtype=np.int64)

    def answers(self, arm: Arm) -> NDArray[np.int64]:
        """What `arm` answered in each outcome, (outcomes,); ValueError for a baseline that is not there."""
        import numpy as np

        answers = [outcome.candidate if arm == "candidate" else outcome.baseline for outcome in self.outcomes]
        if None in answers:
            raise ValueError("the report has no baseline")
        return np.array(answers, dtype=np.int64)

    def correct(self, arm: Arm) -> Floats:
        """1 for each outcome in which `arm` is right, else 0, (outcomes,)."""
        import numpy as np

        return np.asarray(self.labels == self.answers(arm), dtype=np.float64)

    def concerns_positive(self, name: MetricName | str) -> NDArray[np.int64]:
        """1 for each outcome that the metric `name` looks at: of precision, recall and F1 of two classes, those with a
        positive label or answer; of every other metric, all."""
        import numpy as np

        if not self.binary or name not in ("precision", "recall", "f1"):
            return np.ones(len(self.outcomes), dtype=np.int64)
        answers = [self.answers(arm) == self.positive for arm in ("candidate", "baseline")]
        concerned = (self.labels == self.positive) | answers[0] | answers[1]
        return np.asarray(concerned, dtype=np.int64)

    def _positives(self, arm: Arm) -> tuple[Floats, Floats, Floats]:
        """Masks of the outcomes with a true positive, with a positive answer, and with a positive label."""
        import numpy as np

        label, answer = self.labels == self.positive, self.answers(arm) == self.positive
        return ((label & answer).astype(np.float64), answer.astype(np.float64), label.astype(np.float64))

    def _per_class(self, cells: Floats, arm: Arm) -> tuple[Floats, Floats, Floats]:
        """Rows right, answered and labelled with each class: three times (…, classes)."""
        import numpy as np

        answers = self.answers(arm)
        classes = np.unique(np.concatenate([self.labels, answers]))
        label = (self.labels[:, None] == classes).astype(np.float64)
        answer = (answers[:, None] == classes).astype(np.float64)
        return cells @ (label * answer), cells @ answer, cells @ label

    def _balanced(self, cells: Floats, arm: Arm) -> Floats:
        import numpy as np

        right, _, labelled = self._per_class(cells, arm)
        recalls = _ratio(right, labelled)
        return _ratio(np.nansum(recalls, axis=-1), (labelled > 0).sum(axis=-1))

    def _macro(self, name: str, cells: Floats, arm: Arm) -> Floats:
        import numpy as np

        right, answered, labelled = self._per_class(cells, arm)
        occurs = (answered + labelled) > 0
        scores = np.where(occurs, _of_one(name, right, answered, labelled), 0.0)
        return _ratio(scores.sum(axis=-1), occurs.sum(axis=-1))


def _of_one(name: str, right: Floats, answered: Floats, labelled: Floats) -> Floats:
    """Precision, recall or F1 of one class; 0 where there is nothing to divide by."""
    import numpy as np

    match name:
        case "precision":
            values = _ratio(right, answered)
        case "recall":
            values = _ratio(right, labelled)
        case _:
            values = _ratio(2.0 * right, answered + labelled)
    return np.nan_to_num(values, nan=0.0)


def _extremes(rates: Floats) -> tuple[Floats, Floats]:
    """The smallest and the largest defined rate along the last axis; NaN when none is defined."""
    import numpy as np

    return np.fmin.reduce(rates, axis=-1), np.fmax.reduce(rates, axis=-1)


def _ratio(part: Any, whole: Any) -> Floats:
    import numpy as np

    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))
