"""Ours, in a process of its own: `evaluation_ours.py FILE whole|weak|counts`.

whole: `evaluate` (two models, ids checked) and `judge` with the gates overall, slices (Holm) and fairness (bootstrap of
B = 1000). weak: the same with weak slices looked for. counts: what the MetricFrame does, the candidate's accuracy and
selection rate.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from evaluation_clock import ALPHA, ATTRIBUTES, EDGES, MIN_ROWS, POWER, SEED, Clock

from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.gate import Comparison, FairnessGate, Judgement, OverallGate, SliceGate
from gatewright.domain.project import EvaluationSection, FairnessSection, GatesSection, SliceSpec
from gatewright.rules.evaluation import evaluate
from gatewright.rules.judgement import judge
from gatewright.rules.metrics import Outcomes

_SLICES = (
    *(SliceSpec(columns=(name,)) for name in ("SEX", "RAC1P", "DIS", "SCHL")),
    SliceSpec(columns=("AGEP",), bins=EDGES),
    SliceSpec(columns=("SEX", "RAC1P")),
)
_GATES = GatesSection(
    overall=OverallGate(),
    slices=SliceGate(min_rows=MIN_ROWS, alpha=ALPHA, power=POWER),
    fairness=FairnessGate(min_rows=MIN_ROWS, alpha=ALPHA),
    latency=None,
)


def main() -> None:
    file, mode = Path(sys.argv[1]), sys.argv[2]
    clock = Clock()
    predictions = pl.scan_parquet(file)
    if mode == "counts":
        report = _evaluated(predictions.drop("baseline"), baseline=None)
        clock.say(_rates(report))
        return
    report = _evaluated(predictions, baseline="sha256:b", weak_slices=mode == "weak")
    clock.lap("evaluate")
    judgement = judge(_GATES, report, today=date(2026, 1, 1), seed=SEED)
    clock.lap("judge")
    clock.say(_judged(judgement))


def _evaluated(predictions: pl.LazyFrame, baseline: str | None, *, weak_slices: bool = False) -> EvaluationReport:
    return evaluate(
        predictions,
        EvaluationSection(label="label", slices=_SLICES, weak_slices=weak_slices),
        FairnessSection(attributes=ATTRIBUTES if baseline else ()),
        model="made up",
        task="binary",
        candidate_digest="sha256:a",
        baseline_digest=baseline,
        evaluation_digest="sha256:e",
    )


def _rates(report: EvaluationReport) -> dict[str, Any]:
    """Accuracy and selection rate of the candidate on every slice."""
    outcomes = Outcomes.of(report)
    cells = np.array([found.cells for found in report.slices.values()])
    accuracy = outcomes.metric("accuracy", cells, "candidate").tolist()
    selected = outcomes.rate("selection_rate", cells, "candidate").tolist()
    return dict(zip(report.slices, zip(accuracy, selected, strict=True), strict=True))


def _judged(judgement: Judgement) -> dict[str, Any]:
    results = {result.gate: result for result in judgement.results}
    changes = [found for found in results["fairness"].comparisons if found.kind == "change"]
    return {
        "overall": _numbers(results["overall"].comparisons[0]),
        "slices": {found.slice: _numbers(found) for found in results["slices"].comparisons},
        "gaps": {found.slice: _numbers(found) for found in changes},
    }


def _numbers(found: Comparison) -> dict[str, Any]:
    assert found.harm is not None
    return {
        "rows": found.rows,
        "candidate": found.candidate,
        "baseline": found.baseline,
        "low": found.harm.low,
        "high": found.harm.high,
        "p": found.p,
        "holm": found.p_adjusted,
        "mde": found.mde,
    }


if __name__ == "__main__":
    main()
