"""How much each kind of row moves a metric that follows from counts: its value, and its derivative by every cell.

Each of these metrics is a mean of ratios N/D of sums of cells: of one (accuracy; precision, recall and F1 of two
classes), of the recalls of all classes (balanced accuracy), or of the classes that occur (the "macro" ones). A ratio's
derivative by the share of a cell, at a total of 1, is (n - r d) / D (J.-C. Deville, "Variance estimation for complex
statistics and estimators: linearization and residual techniques", Survey Methodology 25 (1999) 193-203).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatewright.domain.evaluation import Arm
from gatewright.rules.measuring.metrics import Outcomes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def influence(outcomes: Outcomes, name: str, cells: Floats, arm: Arm) -> tuple[float, Floats]:
    """The metric on weighted counts (outcomes,), and the linearised value of a row in each cell (outcomes,).

    The values weighted by the cells sum to 0. ValueError for a metric that does not follow from counts.
    """
    import numpy as np

    total = float(cells.sum())
    value, moved, terms = 0.0, np.zeros(len(cells)), 0
    for numerator, denominator, occurs in _ratios(outcomes, name, arm):
        terms += bool(cells @ occurs > 0.0)
        among = float(cells @ denominator)
        if among > 0.0:  # else a class that only one side names: its precision or recall is 0
            ratio = float(cells @ numerator) / among
            value += ratio
            moved += (numerator - ratio * denominator) * (total / among)
    return value / max(terms, 1), moved / max(terms, 1)


def _ratios(outcomes: Outcomes, name: str, arm: Arm) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Masks (outcomes,) of each ratio's numerator and denominator, and of the rows for which it counts in the mean."""
    import numpy as np

    labels, answers = outcomes.labels, outcomes.answers(arm)
    everywhere = np.ones(len(labels))
    if name == "accuracy":
        yield outcomes.correct(arm), everywhere, everywhere
        return
    one_class = outcomes.binary and name != "balanced_accuracy"
    classes = [outcomes.positive] if one_class else np.unique(np.concatenate([labels, answers])).tolist()
    for one in classes:
        label, answer = (labels == one).astype(np.float64), (answers == one).astype(np.float64)
        occurs = everywhere if one_class else label if name == "balanced_accuracy" else label + answer
        match name:
            case "balanced_accuracy" | "recall":
                yield label * answer, label, occurs
            case "precision":
                yield label * answer, answer, occurs
            case "f1":
                yield 2.0 * label * answer, label + answer, occurs
            case _:
                raise ValueError(f"{name} does not follow from counts")
