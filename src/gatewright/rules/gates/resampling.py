"""Resamples of counted rows: multinomial where each row counts once, by the sums of the weights where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.evaluation import SliceEvidence
from gatewright.stats.bootstrap import multinomial
from gatewright.stats.weighted import gamma_draws

Numbers = NDArray[np.float64] | NDArray[np.int64]


def counts_of(groups: Mapping[str, SliceEvidence], names: Sequence[str], cells: int) -> Numbers:
    """The cells of these groups, (groups, cells): rows, or the sums of their weights."""
    table = np.array([groups[name].counts for name in names]).reshape(len(names), cells)
    if any(groups[name].weights for name in names):
        return table.astype(np.float64)
    return table.astype(np.int64)


def drawn(
    groups: Mapping[str, SliceEvidence], names: Sequence[str], counts: Numbers, draws: int, rng: np.random.Generator
) -> Numbers:
    """`draws` resamples (draws, groups, cells) of `counts`, those of the groups `names`."""
    if counts.dtype == np.int64:
        return multinomial(counts, draws, rng)
    squares = np.array([groups[name].squares for name in names]).reshape(counts.shape)
    return gamma_draws(counts, squares, draws, rng)


def large_enough(evidence: SliceEvidence, min_rows: int) -> bool:
    """Whether there are `min_rows` rows, and where they carry weights, as many of equal weight."""
    return evidence.rows >= min_rows and evidence.effective_rows >= min_rows - 1e-9
