"""Slices nobody declared in which the candidate is worse than elsewhere: found on one half, confirmed on the other.

Values and pairs of values of the columns at hand are looked through on the first half of a sample. What stands out
there is tested once on the second half, one-sided against the other rows, with Holm's correction over all that were
found: so looking through many slices costs no false alarm. The result advises; no gate rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from gatewright.domain.evaluation import WeakSlice
from gatewright.domain.metrics import Task
from gatewright.rules.factors import Factor
from gatewright.rules.prediction_rows import CANDIDATE, LABEL, numbers, whole_numbers
from gatewright.rules.slices import Key

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

SAMPLE = 100_000
_MOST_COLUMNS = 12
_MOST_VALUES = 20
_LEAST_ROWS = 50
_STANDS_OUT = 2.5
_MOST_FOUND = 20
_MOST_TOLD = 10
_LEVEL = 0.05
_QUANTILES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Halves:
    """The codes of one column's values on the first and on the second half of the sample."""

    factor: Factor
    first: Codes
    second: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suspect:
    """A slice by the codes of one column or of two, and how far it lies from all rows on the first half."""

    name: str
    parts: tuple[tuple[_Halves, int], ...]
    z: float

    def second(self) -> NDArray[np.bool_]:
        """Which rows of the second half are in it."""
        (halves, code), *others = self.parts
        inside: NDArray[np.bool_] = halves.second == code
        for halves, code in others:
            inside = inside & (halves.second == code)
        return inside


def sample(predictions: pl.DataFrame | pl.LazyFrame, columns: Sequence[str], rows: int) -> pl.DataFrame:
    """Every k-th of `rows` rows, so that at most 100,000 are left."""
    return predictions.lazy().select(columns).gather_every(math.ceil(rows / SAMPLE)).collect()


def weak_slices(
    rows: pl.DataFrame, task: Task, columns: Sequence[str], declared: Sequence[str] = ()
) -> tuple[WeakSlice, ...]:
    """At most 10 slices by `columns` in which the candidate is worse (p < .05 after Holm), the surest first.

    Measured by accuracy, squared error (told as RMSE) or score. Slices that are `declared` are left out: the gates
    look at them.
    """
    import numpy as np

    from gatewright.stats.multiplicity import holm
    from gatewright.stats.paired import paired_z

    good = _goodness(rows, task)
    first = _first_half(rows.height)
    found = [known for known in _suspects(rows, good[first], first, columns) if known.name not in declared]
    second = good[~first]
    tested: list[tuple[str, Floats, float]] = []
    for suspect in sorted(found, key=lambda known: known.z)[:_MOST_FOUND]:
        chosen = suspect.second()
        inside, outside = second[chosen], second[~chosen]
        if min(len(inside), len(outside)) >= _LEAST_ROWS:
            error = math.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
            tested.append((suspect.name, inside, float(paired_z(outside.mean() - inside.mean(), error))))
    adjusted = holm(np.array([p for _, _, p in tested])).tolist()
    overall = _value(second, task) if len(second) else 0.0
    told = []
    for (name, inside, _), p in zip(tested, adjusted, strict=True):
        if p < _LEVEL:
            value = _value(inside, task)
            told.append(WeakSlice(name=name, rows=len(inside), value=value, difference=value - overall, p=p))
    return tuple(sorted(told, key=lambda weak: weak.p)[:_MOST_TOLD])


def _goodness(rows: pl.DataFrame, task: Task) -> Floats:
    """How well each row went (rows,): higher is better."""
    import numpy as np

    if task == "score":
        return numbers(rows[CANDIDATE])
    if task == "regression":
        return -np.square(numbers(rows[CANDIDATE]) - numbers(rows[LABEL]))
    return np.asarray(whole_numbers(rows[CANDIDATE]) == whole_numbers(rows[LABEL]), dtype=np.float64)


def _value(good: Floats, task: Task) -> float:
    mean = float(good.mean())
    return math.sqrt(max(-mean, 0.0)) if task == "regression" else mean


def _first_half(count: int) -> NDArray[np.bool_]:
    """Which rows belong to the first half: a hash of the position, the same at every run (splitmix64, Vigna 2015)."""
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) & np.uint64(1)).astype(bool)


def _suspects(rows: pl.DataFrame, good: Floats, first: NDArray[np.bool_], columns: Sequence[str]) -> Iterator[_Suspect]:
    """What is clearly worse than the rest of the first half; a pair only if it is worse than both of its values.

    `good`: of the first half only.
    """
    halves: dict[Key, _Halves] = {}
    for column in columns[:_MOST_COLUMNS]:
        if key := _coarse(rows[column]):
            factor = key.factor(rows)
            halves[key] = _Halves(factor=factor, first=factor.codes[first], second=factor.codes[~first])
    alone: dict[Key, list[float]] = {}
    for key, half in halves.items():
        values = half.factor.values
        alone[key], scores = _compared(half.first, len(values), good)
        for code, z in enumerate(scores):
            if z <= -_STANDS_OUT:
                yield _Suspect(name=key.named(values[code]), parts=((half, code),), z=z)
    for one, other in combinations(halves, 2):
        a, b = halves[one], halves[other]
        width = len(b.factor.values)
        means, scores = _compared(a.first * width + b.first, len(a.factor.values) * width, good)
        for code, z in enumerate(scores):
            left, right = divmod(code, width)
            if z <= -_STANDS_OUT and means[code] < min(alone[one][left], alone[other][right]):
                name = f"{one.named(a.factor.values[left])} & {other.named(b.factor.values[right])}"
                yield _Suspect(name=name, parts=((a, left), (b, right)), z=z)


def _compared(codes: NDArray[np.int64], size: int, good: Floats) -> tuple[list[float], list[float]]:
    """Mean of each code's rows, and how many standard errors it lies from all rows; 0 where there are too few."""
    import numpy as np

    rows = np.bincount(codes, minlength=size)
    mean = np.divide(np.bincount(codes, weights=good, minlength=size), rows, out=np.zeros(size), where=rows > 0)
    spread = float(good.std())
    enough = (rows >= _LEAST_ROWS) & (spread > 0.0)
    z = np.divide((mean - good.mean()) * np.sqrt(rows), spread, out=np.zeros(size), where=enough)
    return mean.tolist(), z.tolist()


def _coarse(series: pl.Series) -> Key | None:
    """How `series` is cut: by its few values, by quantiles of many numbers, or not at all."""
    import polars as pl

    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        return None
    if series.n_unique() <= _MOST_VALUES:
        return Key(column=series.name)
    if not series.dtype.is_numeric():
        return None
    quantiles: list[Any] = [
        series.cast(pl.Float64).drop_nulls().drop_nans().quantile(share, "lower") for share in _QUANTILES
    ]
    edges = tuple(sorted({float(edge) for edge in quantiles if edge is not None}))
    return Key(column=series.name, bins=edges) if edges else None
