"""What no sum can hold: AUC, which needs the order of all rows, and rows that belong together in clusters.

These need the whole set in memory, slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import PairedEstimate
from gatewright.rules.measuring.cells import Values, cubes
from gatewright.rules.measuring.prediction_rows import LABEL, numbers, whole_numbers
from gatewright.rules.measuring.scores import RowScores, paired, positives, transformed
from gatewright.rules.measuring.slices import Partition

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

Found = dict[tuple[Partition, Values], PairedEstimate]


def aucs(rows: pl.DataFrame, partitions: Sequence[Partition], models: Sequence[str], positive: int) -> Found:
    """AUC with DeLong's covariance for every slice with two rows of either class; the others are left out."""
    import numpy as np

    from gatewright.stats.auc import delong

    label = positives(rows, positive)
    scores = np.stack([numbers(rows[f"{model}_score"]) for model in models])

    def auc(chosen: Rows) -> PairedEstimate | None:
        ones = int(label[chosen].sum())
        if min(ones, len(chosen) - ones) < 2:
            return None
        values, covariance = delong(label[chosen], scores[:, chosen])
        return paired(len(chosen), values.tolist(), np.eye(len(models)), covariance)

    return _each(rows, partitions, auc)


def clustered(rows: pl.DataFrame, partitions: Sequence[Partition], source: RowScores, codes: Rows) -> Found:
    """One metric with cluster-robust covariance (`stats.paired`); slices within a single cluster are left out."""
    import numpy as np

    from gatewright.stats.paired import cluster_covariance

    if source.metric == "accuracy":
        label = whole_numbers(rows[LABEL])
        values = [(whole_numbers(rows[model]) == label).astype(np.float64) for model in source.models]
    else:
        values = source.values(rows)

    def estimate(chosen: Rows) -> PairedEstimate | None:
        _, places = np.unique(codes[chosen], return_inverse=True)
        if places.max() < 1:
            return None
        first, last = values[0][chosen], values[-1][chosen]
        one, two, both = cluster_covariance(first, last, places)
        count = len(values)
        covariance = np.array([[one, both], [both, two]])[:count, :count]
        means = np.array([value[chosen].mean() for value in values])
        found = transformed(source.metric, means, count, 0.0)
        return None if found is None else paired(len(chosen), *found, covariance)

    return _each(rows, partitions, estimate)


def cluster_codes(rows: pl.DataFrame, column: str) -> Rows:
    """The cluster of each row as a whole number from 0; UnusableInput for rows without one."""
    if gaps := rows[column].null_count():
        raise UnusableInput(f"{gaps:,} rows have no {column}", fix="each row needs its evaluation.cluster")
    codes: Rows = rows[column].rank("dense").to_numpy().astype("int64") - 1
    return codes


def _each(
    rows: pl.DataFrame, partitions: Sequence[Partition], measure: Callable[[Rows], PairedEstimate | None]
) -> Found:
    found: Found = {}
    for partition in partitions:
        for values, chosen in members(rows, partition):
            estimate = measure(chosen)
            if estimate is not None:
                found[partition, values] = estimate
    return found


def members(rows: pl.DataFrame, partition: Partition) -> Iterator[tuple[Values, Rows]]:
    """Each slice's values and the positions of its rows."""
    import numpy as np

    (cube,) = cubes(rows, [partition], 1)
    if cube.codes is None:
        yield (), np.arange(rows.height)
        return
    order = np.argsort(cube.codes, kind="stable")
    codes = cube.codes[order]
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    present = codes[starts]
    ends = np.append(starts[1:], len(codes))
    place = {values: index for index, values in enumerate(cube.values(present))}
    for values, index in place.items():
        if partition.wanted(values):
            yield values, order[starts[index] : ends[index]]
