"""The counts and sums of one pass over the rows, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatewright.domain.evaluation import ALL, CalibrationBins, Outcome, PairedEstimate, SliceEvidence
from gatewright.rules.measuring.calibration import Calibration
from gatewright.rules.measuring.cells import Cube, Part, Values, cubes, merged, outcome_codes
from gatewright.rules.measuring.plan import OVERALL, Plan
from gatewright.rules.measuring.prediction_rows import ID, LABEL, check_types, whole_numbers
from gatewright.rules.measuring.scores import RowScores, ScoreSums, check_probabilities
from gatewright.rules.measuring.slices import Partition
from gatewright.rules.measuring.weighted import Weighed, weighed
from gatewright.rules.measuring.whole_sets import aucs, cluster_codes, clustered

if TYPE_CHECKING:
    import polars as pl


class Pair:
    """The counts and sums of the candidate beside one other model."""

    def __init__(self, plan: Plan, models: tuple[str, ...]) -> None:
        self.models = models
        self.whole: dict[str, dict[tuple[Partition, Values], PairedEstimate]] = {}
        self.weighed: dict[tuple[Partition, Values], Weighed] = {}
        self._sums = [] if plan.cluster or plan.weight else [ScoreSums(source) for source in plan.sources(models)]
        self._cells: list[Part] = []
        self._parts: list[list[Part]] = [[] for _ in self._sums]
        self._merged: Part | None = None

    def add(self, piece: pl.DataFrame, grid: Sequence[Cube], coded: tuple[Any, list[Any]]) -> None:
        """Count one piece; `coded` are its outcomes."""
        codes, triples = coded
        slices = {}
        for cube in grid:
            present, table = cube.table(codes, len(triples))
            slices.update({served: cube.slices(served, present, table) for served in cube.partitions})
        self._cells.append(Part(outcomes=tuple(triples), slices=slices))
        for sums, parts in zip(self._sums, self._parts, strict=True):
            weights = sums.weights(piece)
            summed = {}
            for cube in grid:
                places, added = cube.sums(weights)
                summed.update({served: cube.slices(served, places, added) for served in cube.partitions})
            parts.append(Part(outcomes=(), slices=summed))

    def evidence(self, plan: Plan) -> dict[str, Any]:
        """`overall`, `slices`, `groups` and `outcomes` of a report."""
        cells = self._cells_of(plan)
        sums = [merged(parts, plan.partitions) for parts in self._parts]
        found = {served: self._partition(plan, served, cells, sums) for served in plan.partitions}
        slices: dict[str, SliceEvidence] = {}
        for served in plan.slices:
            slices.update(found[served])
        return {
            "overall": found[OVERALL][ALL],
            "slices": slices,
            "groups": {
                attribute: {name.removeprefix(f"{attribute}="): group for name, group in found[served].items()}
                for attribute, served in plan.groups.items()
            },
            "outcomes": tuple(_outcome(triple) for triple in cells.outcomes) if plan.has_classes else (),
        }

    def without_rows(self, plan: Plan) -> list[str]:
        """A note for each condition that holds for no row."""
        cells = self._cells_of(plan)
        return [
            f"{served.only}: no row of the evaluation set is in this slice"
            for served in plan.slices
            if served.only and not any(served.wanted(values) for values in cells.slices[served][0])
        ]

    def _cells_of(self, plan: Plan) -> Part:
        if self._merged is None:
            self._merged = merged(self._cells, plan.partitions)
        return self._merged

    def _partition(self, plan: Plan, served: Partition, cells: Part, sums: Sequence[Part]) -> dict[str, SliceEvidence]:
        found = {}
        values, table = cells.slices[served]
        rows = table.sum(axis=1).tolist()
        for index, value in enumerate(values):
            if served is not OVERALL and not served.wanted(value):
                continue
            scores = {
                tally.source.metric: tally.estimate(rows[index], part.slices[served][1][index])
                for tally, part in zip(self._sums, sums, strict=True)
            }
            scores |= {metric: known.get((served, value)) for metric, known in self.whole.items()}
            weights: tuple[float, ...] = ()
            squares: tuple[float, ...] = ()
            if (heavy := self.weighed.get((served, value))) is not None:
                scores |= heavy.scores
                weights, squares = heavy.sums(cells.outcomes)
            found[served.named(value)] = SliceEvidence(
                rows=rows[index],
                cells=tuple(table[index].tolist()) if plan.has_classes else (),
                scores={metric: estimate for metric, estimate in scores.items() if estimate is not None},
                weights=weights,
                squares=squares,
            )
        return found


class Pass:
    """One pass over the rows."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.pairs = [Pair(plan, models) for models in plan.pairs]
        self._calibration = Calibration(plan.pairs[0], plan.positive, plan.weight) if plan.probabilities else None

    def add(self, piece: pl.DataFrame) -> None:
        """The next rows."""
        coded = [self._coded(piece, pair.models) for pair in self.pairs]
        grid = cubes(piece, self._plan.partitions, max(len(triples) for _, triples in coded))
        check_probabilities(piece, self._plan.probabilities)
        for pair, outcomes in zip(self.pairs, coded, strict=True):
            pair.add(piece, grid, outcomes)
        if self._calibration:
            self._calibration.add(piece)

    def finish(self, predictions: pl.DataFrame | pl.LazyFrame) -> None:
        """What needs all rows at once."""
        import polars as pl

        plan = self._plan
        ranked = "auc" in plan.metrics
        if not ranked and plan.cluster is None and plan.weight is None:
            return
        rows = predictions.lazy().select(pl.col(name) for name in plan.columns if name != ID).collect()
        for pair in self.pairs:
            if plan.weight is not None:
                pair.weighed = weighed(rows, plan, pair.models)
            if ranked:
                pair.whole["auc"] = aucs(rows, plan.partitions, pair.models, plan.positive)
            if plan.cluster is not None:
                codes = cluster_codes(rows, plan.cluster)
                sources = plan.sources(pair.models)
                if plan.has_classes:
                    task = plan.task
                    sources.append(RowScores(metric="accuracy", task=task, models=pair.models, positive=plan.positive))
                for source in sources:
                    pair.whole[source.metric] = clustered(rows, plan.partitions, source, codes)

    def calibration(self) -> CalibrationBins | None:
        """The calibration of candidate and baseline, where both say probabilities of one class."""
        return self._calibration.bins() if self._calibration else None

    def _coded(self, piece: pl.DataFrame, models: tuple[str, ...]) -> tuple[Any, list[Any]]:
        import numpy as np

        if not self._plan.has_classes:
            return np.zeros(piece.height, dtype=np.int64), [(0,)]
        check_types(piece, models)
        return outcome_codes([whole_numbers(piece[name]) for name in (LABEL, *models)])


def _outcome(triple: tuple[int, ...]) -> Outcome:
    return Outcome(label=triple[0], candidate=triple[1], baseline=triple[2] if len(triple) > 2 else None)
