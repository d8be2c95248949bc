"""Metrics of rows that carry weights: every one as a paired estimate, with the linearised covariance of both models.

Weighted sets have been labelled by hand, so they fit into memory and are measured slice by slice. Within a slice the
rows outside count as zeros of the same sample (W. G. Cochran, "Sampling Techniques", 1977, section 5A.14).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import Arm, Outcome, PairedEstimate
from gatewright.rules.measuring.cells import Triple, Values, outcome_codes
from gatewright.rules.measuring.influence import influence
from gatewright.rules.measuring.metrics import Outcomes
from gatewright.rules.measuring.prediction_rows import LABEL, numbers, whole_numbers
from gatewright.rules.measuring.scores import RowScores, paired, transformed
from gatewright.rules.measuring.slices import Partition
from gatewright.rules.measuring.whole_sets import members

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from gatewright.rules.measuring.plan import Plan
    from gatewright.stats.weighted import Strata

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

_NOTHING = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What one slice weighs: sum of the weights and of their squares for each outcome that occurs."""

    cells: Mapping[Triple, tuple[float, float]]
    scores: Mapping[str, PairedEstimate]

    def sums(self, outcomes: Sequence[Triple]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The weights, and the squares, in the order of `outcomes`."""
        found = [self.cells.get(outcome, _NOTHING) for outcome in outcomes]
        return tuple(weight for weight, _ in found), tuple(square for _, square in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """All rows of the evaluation set beside one other model."""

    weights: Floats
    strata: Strata
    codes: Rows
    triples: tuple[Triple, ...]


def weighed(rows: pl.DataFrame, plan: Plan, models: tuple[str, ...]) -> dict[tuple[Partition, Values], Weighed]:
    """Every slice of the plan; UnusableInput for weights or strata that cannot be meant."""
    from gatewright.stats.weighted import Strata

    weights = weights_of(rows, plan.weight or "")
    strata = Strata.of(_strata(rows, plan.stratum)) if plan.stratum else Strata.single(rows.height)
    codes, triples = _outcomes(rows, plan, models)
    sample = _Sample(weights=weights, strata=strata, codes=codes, triples=tuple(triples))
    sources = [(source, _variables(rows, source)) for source in plan.sources(models)]
    found = {}
    for partition in plan.partitions:
        for values, chosen in members(rows, partition):
            scores = {source.metric: _of_mean(sample, chosen, source, columns) for source, columns in sources}
            if plan.has_classes:
                scores |= {name: _of_counts(sample, chosen, plan, name, models) for name in plan.counted}
            found[partition, values] = Weighed(
                cells=_cells(sample, chosen), scores={name: one for name, one in scores.items() if one is not None}
            )
    return found


def weights_of(rows: pl.DataFrame, column: str) -> Floats:
    """The weights (rows,); UnusableInput unless they are finite numbers above 0."""
    if gaps := rows[column].null_count():
        raise UnusableInput(f"{gaps:,} rows have no {column}", fix="each row needs its evaluation.weight")
    weights = numbers(rows[column])
    if len(weights) and not weights.min() > 0.0:
        raise UnusableInput(
            f"{column} holds {float(weights.min())!r}; a weight is above 0", fix="leave out rows that stand for nobody"
        )
    return weights


def _strata(rows: pl.DataFrame, column: str) -> Rows:
    if gaps := rows[column].null_count():
        raise UnusableInput(f"{gaps:,} rows have no {column}", fix="each row needs its evaluation.stratum")
    codes: Rows = rows[column].rank("dense").to_numpy().astype("int64") - 1
    return codes


def _outcomes(rows: pl.DataFrame, plan: Plan, models: tuple[str, ...]) -> tuple[Rows, list[Any]]:
    import numpy as np

    if not plan.has_classes:
        return np.zeros(rows.height, dtype=np.int64), [(0,)]
    return outcome_codes([whole_numbers(rows[name]) for name in (LABEL, *models)])


def _cells(sample: _Sample, chosen: Rows) -> dict[Triple, tuple[float, float]]:
    import numpy as np

    codes, weights = sample.codes[chosen], sample.weights[chosen]
    sums = np.bincount(codes, weights=weights, minlength=len(sample.triples)).tolist()
    squares = np.bincount(codes, weights=weights * weights, minlength=len(sample.triples)).tolist()
    pairs = zip(sample.triples, sums, squares, strict=True)
    return {triple: (weight, square) for triple, weight, square in pairs if weight}


def _variables(rows: pl.DataFrame, source: RowScores) -> Floats:
    """(rows, variables): a number for each model, and for R² the label from its mean, and that squared."""
    import numpy as np

    columns = source.values(rows)
    if source.metric == "r2":
        label = numbers(rows[LABEL])
        centred = label - label.mean()
        columns = [*columns, centred, np.square(centred)]
    return np.stack(columns, axis=1)


def _of_mean(sample: _Sample, chosen: Rows, source: RowScores, columns: Floats) -> PairedEstimate | None:
    from gatewright.stats.weighted import hajek

    if len(chosen) < 2:
        return None
    means, covariance = hajek(columns[chosen], sample.weights[chosen], sample.strata.of_rows(chosen))
    found = transformed(source.metric, means, len(source.models), 0.0)
    return None if found is None else paired(len(chosen), *found, covariance)


def _of_counts(sample: _Sample, chosen: Rows, plan: Plan, name: str, models: tuple[str, ...]) -> PairedEstimate | None:
    import numpy as np

    from gatewright.stats.weighted import linearised

    if len(chosen) < 2:
        return None
    outcomes = Outcomes(
        outcomes=tuple(_outcome(triple) for triple in sample.triples),
        positive=plan.positive,
        binary=plan.task == "binary",
    )
    codes, weights = sample.codes[chosen], sample.weights[chosen]
    cells: Floats = np.bincount(codes, weights=weights, minlength=len(sample.triples)).astype(np.float64)
    arms: tuple[Arm, ...] = ("candidate", "baseline")
    found = [influence(outcomes, name, cells, arm) for arm in arms[: len(models)]]
    parts = np.stack([moved[codes] for _, moved in found], axis=1) * (weights / weights.sum())[:, np.newaxis]
    covariance = linearised(parts, sample.strata.of_rows(chosen))
    return paired(len(chosen), [value for value, _ in found], np.eye(len(found)), covariance)


def _outcome(triple: Triple) -> Outcome:
    return Outcome(label=triple[0], candidate=triple[1], baseline=triple[2] if len(triple) > 2 else None)
