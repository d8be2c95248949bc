"""Predicted probabilities in equal intervals: how many rows each holds, and how many of them are positive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.domain.evaluation import CalibrationBins
from gatewright.rules.measuring.scores import positives
from gatewright.rules.measuring.weighted import weights_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

BINS = 10


class Calibration:
    """Counts of both models' probabilities, added piece by piece."""

    def __init__(self, models: tuple[str, ...], positive: int, weight: str | None = None) -> None:
        import numpy as np

        self._weight = weight

        self._models = models
        self._positive = positive
        shape = (BINS, BINS if len(models) > 1 else 1)
        self._rows, self._positives = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self._sums = [np.zeros(BINS) for _ in models]
        # Sums of the weights and of their squares, of all rows and of the positive ones.
        self._weighed = [np.zeros(shape) for _ in range(4)] if weight else []

    def add(self, rows: pl.DataFrame) -> None:
        """Count `rows`; a probability of 1 belongs to the last interval."""
        import numpy as np

        scores = [rows[f"{model}_score"].to_numpy() for model in self._models]
        bins = [np.minimum((score * BINS).astype(np.int64), BINS - 1) for score in scores]
        joint = bins[0] * BINS + bins[1] if len(bins) > 1 else bins[0]
        label = positives(rows, self._positive)
        self._rows += self._counted(joint)
        self._positives += self._counted(joint[label])
        weights = weights_of(rows, self._weight) if self._weight else None
        if weights is not None:
            added = (weights, weights * label, weights**2, weights**2 * label)
            for table, column in zip(self._weighed, added, strict=True):
                table += np.bincount(joint, weights=column, minlength=table.size).reshape(table.shape)
        for sums, score, place in zip(self._sums, scores, bins, strict=True):
            heavy = score if weights is None else score * weights
            sums += np.bincount(place, weights=heavy, minlength=BINS)

    def bins(self) -> CalibrationBins:
        """What was counted."""
        counts = self._weighed[0] if self._weighed else self._rows
        means = [
            self._means(sums, counts.sum(axis=1 - axis if len(self._models) > 1 else 1))
            for axis, sums in enumerate(self._sums)
        ]
        names = ("weights", "positive_weights", "squares", "positive_squares")
        heavy = {name: tuple(map(tuple, sums.tolist())) for name, sums in zip(names, self._weighed, strict=False)}
        return CalibrationBins(
            cells=tuple(map(tuple, self._rows.tolist())),
            positives=tuple(map(tuple, self._positives.tolist())),
            candidate_mean=means[0],
            baseline_mean=means[1] if len(means) > 1 else (),
            **heavy,
        )

    def _counted(self, joint: NDArray[np.int64]) -> NDArray[np.int64]:
        import numpy as np

        return np.bincount(joint, minlength=self._rows.size).reshape(self._rows.shape)

    def _means(self, sums: NDArray[np.float64], counts: NDArray[np.number[Any]]) -> tuple[float, ...]:
        import numpy as np

        middles = (np.arange(BINS) + 0.5) / BINS
        return tuple(np.divide(sums, counts, out=middles, where=counts > 0).clip(0.0, 1.0).tolist())
