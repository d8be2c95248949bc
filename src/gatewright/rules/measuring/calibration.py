"""Predicted probabilities in equal intervals: how many rows each holds, and how many of them are positive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.domain.evaluation import CalibrationBins
from gatewright.rules.measuring.scores import positives

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

BINS = 10


class Calibration:
    """Counts of both models' probabilities, added piece by piece."""

    def __init__(self, models: tuple[str, ...], positive: int) -> None:
        import numpy as np

        self._models = models
        self._positive = positive
        shape = (BINS, BINS if len(models) > 1 else 1)
        self._rows, self._positives = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self._sums = [np.zeros(BINS) for _ in models]

    def add(self, rows: pl.DataFrame) -> None:
        """Count `rows`; a probability of 1 belongs to the last interval."""
        import numpy as np

        scores = [rows[f"{model}_score"].to_numpy() for model in self._models]
        bins = [np.minimum((score * BINS).astype(np.int64), BINS - 1) for score in scores]
        joint = bins[0] * BINS + bins[1] if len(bins) > 1 else bins[0]
        label = positives(rows, self._positive)
        self._rows += self._counted(joint)
        self._positives += self._counted(joint[label])
        for sums, score, place in zip(self._sums, scores, bins, strict=True):
            sums += np.bincount(place, weights=score, minlength=BINS)

    def bins(self) -> CalibrationBins:
        """What was counted."""
        means = [
            self._means(sums, self._rows.sum(axis=1 - axis if len(self._models) > 1 else 1))
            for axis, sums in enumerate(self._sums)
        ]
        return CalibrationBins(
            cells=tuple(map(tuple, self._rows.tolist())),
            positives=tuple(map(tuple, self._positives.tolist())),
            candidate_mean=means[0],
            baseline_mean=means[1] if len(means) > 1 else (),
        )

    def _counted(self, joint: NDArray[np.int64]) -> NDArray[np.int64]:
        import numpy as np

        return np.bincount(joint, minlength=self._rows.size).reshape(self._rows.shape)

    def _means(self, sums: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, ...]:
        import numpy as np

        middles = (np.arange(BINS) + 0.5) / BINS
        return tuple(np.divide(sums, counts, out=middles, where=counts > 0).tolist())
