"""Is the evaluation set like the traffic? Column by column (PSI), and all columns at once (a classifier's AUC).

Population stability index: sum of (p - q) ln(p / q) over bins; .10 and .25 are its usual limits (N. Siddiqi, "Credit
Risk Scorecards", 2006). Telling the sets apart by a classifier: D. Lopez-Paz, M. Oquab, "Revisiting classifier
two-sample tests", ICLR 2017; here its AUC is the size of a difference, as p-values call every harmless one real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gatewright.domain.labelling import DESIGN_COLUMNS, Finding
from gatewright.rules.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PSI_WARN, PSI_FAIL = 0.10, 0.25
AUC_WARN, AUC_FAIL = 0.55, 0.65
FEWEST = 200
_BINS = 10
_VALUES = 20
_OFTEN_NEW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on a difference is told, and from where on the set is not fit."""

    psi_warn: float = PSI_WARN
    psi_fail: float = PSI_FAIL
    auc_warn: float = AUC_WARN
    auc_fail: float = AUC_FAIL


def comparable(
    evaluation: pl.DataFrame, traffic: pl.DataFrame, left_out: Sequence[str], schema: Schema | None
) -> list[str]:
    """The columns that both have and that say something of a row: no ids, labels, times, or texts that never repeat."""
    unique = {name for name, column in schema.columns.items() if column.unique} if schema else set[str]()
    hidden = {*left_out, *DESIGN_COLUMNS, *unique}
    found = []
    for name in evaluation.columns:
        if name in hidden or name not in traffic.columns:
            continue
        series = traffic[name]
        if (
            series.dtype.is_nested()
            or series.dtype.is_temporal()
            or series.dtype.is_numeric() != (evaluation[name].dtype.is_numeric())
        ):
            continue
        if not series.dtype.is_numeric() and series.n_unique() > _OFTEN_NEW * series.len():
            continue
        found.append(name)
    return found


def stability(traffic: pl.Series, evaluation: pl.Series, weights: Floats) -> float:
    """PSI of one column: the traffic's rows against the evaluation's by their weights (rows,).

    Numbers with more than twenty values are binned by the traffic's deciles; of texts the most frequent nineteen stay.
    Half a row is added to each bin, so that an empty one is not infinitely strange.
    """
    import numpy as np

    expected, observed = _binned(traffic, evaluation)
    bins = int(max(expected.max(initial=0), observed.max(initial=0))) + 1
    rows = float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
    held = np.bincount(observed, weights=weights, minlength=bins)
    p = (np.bincount(expected, minlength=bins) + 0.5) / (len(expected) + 0.5 * bins)
    q = (held / max(float(held.sum()), 1e-300) * rows + 0.5) / (rows + 0.5 * bins)
    return float(((p - q) * np.log(p / q)).sum())


def judge_stability(found: Mapping[str, float], effective: float, limits: Limits) -> Finding:
    """All columns together: the largest index decides."""
    numbers: dict[str, Any] = {name: round(value, 4) for name, value in found.items()}
    if effective < FEWEST:
        what = f"the evaluation set is worth {effective:,.0f} rows: under {FEWEST} no distribution can be compared"
        return Finding(check="psi", state="unknown", what=what, numbers=numbers)
    if not found:
        return Finding(check="psi", state="unknown", what="no column can be compared with the traffic", numbers={})
    worst = max(found, key=lambda name: found[name])
    state = _state(found[worst], limits.psi_warn, limits.psi_fail)
    beyond = sum(value >= limits.psi_warn for value in found.values())
    what = f"PSI of {worst} is {found[worst]:.3f}, the largest of {len(found)} columns"
    what += f"; {beyond} reach {limits.psi_warn:g}" if beyond else f"; {limits.psi_warn:g} would be told"
    return Finding(check="psi", state=state, what=what, numbers=numbers)


def judge_separation(auc: float, effective: float, limits: Limits) -> Finding:
    """How well evaluation rows and traffic can be told apart: 0.5 is not at all."""
    numbers = {"auc": round(auc, 4), "effective_rows": round(effective, 1)}
    if effective < FEWEST:
        what = f"the evaluation set is worth {effective:,.0f} rows: under {FEWEST} no classifier learns to tell"
        return Finding(check="separation", state="unknown", what=what, numbers=numbers)
    state = _state(auc, limits.auc_warn, limits.auc_fail)
    what = f"a classifier tells its rows from traffic with AUC {auc:.3f} (0.5: not at all; from {limits.auc_warn:g} on "
    return Finding(
        check="separation",
        state=state,
        what=f"{what}it is told, from {limits.auc_fail:g} on it fails)",
        numbers=numbers,
    )


def encoded(frames: Sequence[pl.DataFrame], columns: Sequence[str]) -> list[Floats]:
    """Each frame as numbers (rows, columns): texts as places among all values, what is missing as NaN."""
    import polars as pl

    both = pl.concat(
        [frame.select(_numeric(frame, name) for name in columns) for frame in frames], how="vertical_relaxed"
    )
    texts = [name for name in columns if both[name].dtype == pl.String]
    both = both.with_columns(pl.col(name).rank("dense").alias(name) for name in texts)
    matrix = both.cast(pl.Float64).to_numpy()
    ends = [0]
    for frame in frames:
        ends.append(ends[-1] + frame.height)
    return [matrix[start:end] for start, end in pairwise(ends)]


def _numeric(frame: pl.DataFrame, name: str) -> pl.Expr:
    import polars as pl

    dtype = frame[name].dtype
    return pl.col(name).cast(pl.Float64) if dtype.is_numeric() or dtype == pl.Boolean else pl.col(name).cast(pl.String)


def _binned(traffic: pl.Series, evaluation: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    import numpy as np
    import polars as pl

    if traffic.dtype.is_numeric() and traffic.n_unique() > _VALUES:
        values = traffic.cast(pl.Float64).drop_nulls().drop_nans()
        found: list[Any] = [values.quantile(step / _BINS, "lower") for step in range(1, _BINS)]
        edges = np.array(sorted({float(edge) for edge in found if edge is not None}))

        def place(series: pl.Series) -> NDArray[np.int64]:
            numbers = series.cast(pl.Float64).fill_nan(None)
            codes = np.searchsorted(edges, numbers.fill_null(0.0).to_numpy(), side="left")
            codes[numbers.is_null().to_numpy()] = len(edges) + 1
            return np.asarray(codes, dtype=np.int64)

        return place(traffic), place(evaluation)
    texts = [_text(traffic), _text(evaluation)]
    common = texts[0].value_counts(sort=True).head(_VALUES - 1)[texts[0].name].to_list()
    places = {value: index for index, value in enumerate(common)}
    coded = [np.array([places.get(value, len(common)) for value in text.to_list()], dtype=np.int64) for text in texts]
    return coded[0], coded[1]


def _text(series: pl.Series) -> pl.Series:
    """Values as text: whole numbers alike, whatever type they are stored in."""
    import polars as pl

    if series.dtype.is_numeric():
        series = series.cast(pl.Float64)
    return series.cast(pl.String).fill_null("null")


def _state(value: float, warn: float, fail: float) -> str:
    return "fail" if value >= fail else "warn" if value >= warn else "pass"
