"""Numbers per row → a metric of both models per slice, with the variances and the covariance of these two values.

Sums of the row's numbers and of their products are all that is kept, so rows can stream by. A smooth function g of
means has the variance ∇gᵀ Σ ∇g / n with the sample covariance Σ of a row's numbers (the delta method; van der Vaart,
"Asymptotic Statistics", 1998, theorem 3.1):

    mean               g = m
    RMSE               g = √m                with m the mean squared error; ∂g/∂m = 1 / (2 √m)
    R²                 g = 1 − m / v         with v = mean(y²) − mean(y)²; ∂g/∂m = −1/v, ∂g/∂mean(y²) = m/v²,
                                             ∂g/∂mean(y) = −2 mean(y) m/v²
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import PairedEstimate
from gatewright.domain.metrics import METRICS, Task
from gatewright.rules.measuring.prediction_rows import LABEL, numbers, whole_numbers

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowScores:
    """How a metric's numbers per row are found: for each of `models`, and after them, for R², the label."""

    metric: str
    task: Task
    models: tuple[str, ...]
    positive: int

    def columns(self) -> list[str]:
        """The columns of the predictions that hold what is needed."""
        labels = [] if self.task == "score" else [LABEL]
        return labels + [self._column(model) for model in self.models]

    def values(self, rows: pl.DataFrame) -> list[Floats]:
        """One array (rows,) per model: the number from whose mean the metric follows."""
        return [self._of(rows, model) for model in self.models]

    def _column(self, model: str) -> str:
        if not METRICS[self.metric].needs_scores:
            return model
        return f"{model}_score" if self.task == "binary" else f"{model}_{self.metric}"

    def _of(self, rows: pl.DataFrame, model: str) -> Floats:
        import numpy as np

        found = numbers(rows[self._column(model)])
        match self.metric:
            case "log_loss" | "brier" if self.task == "multiclass":
                return found
            case "log_loss":
                # Clipped as scikit-learn does, so that one certain error is not infinite.
                tiny = float(np.finfo(np.float64).eps)
                of_label = np.where(positives(rows, self.positive), found, 1.0 - found)
                return np.asarray(-np.log(np.clip(of_label, tiny, 1.0 - tiny)))
            case "brier":
                return np.asarray(np.square(found - positives(rows, self.positive)))
            case "mae":
                return np.abs(found - numbers(rows[LABEL]))
            case "rmse" | "r2":
                return np.square(found - numbers(rows[LABEL]))
            case _:
                return found


class ScoreSums:
    """Sums of one metric's numbers per row: what is added piece by piece, and the estimates that follow.

    Everything is counted from `centre`, the mean of the first piece, so that large numbers lose no digits.
    """

    def __init__(self, source: RowScores) -> None:
        self.source = source
        self._centre: float | None = None

    def weights(self, rows: pl.DataFrame) -> list[Floats]:
        """The numbers to sum per slice: each variable, then the product of each pair of variables."""
        variables = self._variables(rows)
        pairs = [(i, j) for i in range(len(variables)) for j in range(i, len(variables))]
        return variables + [variables[i] * variables[j] for i, j in pairs]

    def estimate(self, rows: int, sums: Floats) -> PairedEstimate | None:
        """The metric on `rows` rows with these sums; None where it is undefined, or has no variance yet."""
        import numpy as np

        count = len(self.source.models) + (2 if self.source.metric == "r2" else 0)
        if rows < 2:
            return None
        means = sums[:count] / rows
        products = np.empty((count, count))
        products[np.triu_indices(count)] = sums[count:]
        products.T[np.triu_indices(count)] = sums[count:]
        covariance = (products / rows - np.outer(means, means)) / (rows - 1)
        found = transformed(self.source.metric, means, len(self.source.models), self._centre or 0.0)
        return None if found is None else paired(rows, *found, covariance)

    def _variables(self, rows: pl.DataFrame) -> list[Floats]:
        import numpy as np

        variables = self.source.values(rows)
        moved = self.source.metric not in ("rmse", "r2")
        label = numbers(rows[LABEL]) if self.source.metric == "r2" else None
        if self._centre is None:
            self._centre = float(variables[0].mean()) if moved else 0.0 if label is None else float(label.mean())
        if label is not None:
            centred = label - self._centre
            return [*variables, centred, np.square(centred)]
        return [variable - self._centre for variable in variables] if moved else variables


def transformed(metric: str, means: Floats, models: int, centre: float) -> tuple[list[float], Floats] | None:
    """The metric of each model and its gradient by the means (models, means); None where it is undefined."""
    import numpy as np

    gradient = np.zeros((models, len(means)))
    which = np.arange(models)
    errors = means[:models]
    if metric == "rmse":
        roots = np.sqrt(np.maximum(errors, 0.0))
        gradient[which, which] = np.divide(0.5, roots, out=np.zeros(models), where=roots > 0)
        return roots.tolist(), gradient
    if metric == "r2":
        first, second = means[models:]
        spread = second - first**2
        if spread <= 1e-14 * second:
            return None
        gradient[which, which] = -1.0 / spread
        gradient[:, models] = -2.0 * first * errors / spread**2
        gradient[:, models + 1] = errors / spread**2
        return (1.0 - errors / spread).tolist(), gradient
    gradient[which, which] = 1.0
    return (errors + centre).tolist(), gradient


def paired(rows: int, values: Sequence[float], gradient: Floats, covariance: Floats) -> PairedEstimate:
    """The estimate from each model's value, its gradient, and the covariance of the means."""
    import numpy as np

    spread = gradient @ covariance @ gradient.T
    variances = np.maximum(np.diag(spread), 0.0).tolist()
    if len(values) == 1:
        return PairedEstimate(rows=rows, candidate=values[0], candidate_var=variances[0])
    most = math.sqrt(variances[0] * variances[1])  # what rounding left beyond is none
    return PairedEstimate(
        rows=rows,
        candidate=values[0],
        candidate_var=variances[0],
        baseline=values[1],
        baseline_var=variances[1],
        covariance=min(max(float(spread[0, 1]), -most), most),
    )


def positives(rows: pl.DataFrame, positive: int) -> NDArray[np.bool_]:
    """Which labels are positive (rows,)."""
    found: NDArray[np.bool_] = whole_numbers(rows[LABEL]) == positive
    return found


def check_probabilities(rows: pl.DataFrame, columns: Sequence[str]) -> None:
    """UnusableInput for a probability outside of 0 to 1."""
    for name in columns:
        values = numbers(rows[name])
        if values.min() < 0.0 or values.max() > 1.0:
            strange = float(values[(values < 0.0) | (values > 1.0)][0])
            raise UnusableInput(
                f"{name} holds {strange!r}; a probability is 0 to 1",
                fix="write the probability of the positive class",
            )
