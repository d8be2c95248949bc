"""A labelling job that harms one group a little: arithmetic lets it pass, evidence does not.

The example's real data: 60 % of the training labels of people with a disability (DIS = 1) become "not employed". Nobody
touches an evaluation label, and the gates are those of the example's own gatewright.yaml.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gatewright.config.project import read_project
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.gate import Verdict
from gatewright.domain.project import GatesSection, Project
from gatewright.rules.evaluation import evaluate
from gatewright.rules.judgement import judge
from gatewright.workspace import Plugins
from tests.fixtures.cells import QUICK

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "employment"
TODAY = date(2026, 11, 26)


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project(EXAMPLE / "gatewright.yaml", Plugins())[0]


@pytest.fixture(scope="module")
def report(project: Project) -> EvaluationReport:
    """Two boosted models that differ in their labels alone, on the 10,000 evaluation rows of 2017."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    sys.path.insert(0, str(EXAMPLE))
    try:
        from data_changes import set_labels
        from training.train import INPUTS
    finally:
        sys.path.remove(str(EXAMPLE))
    years = [pl.read_parquet(EXAMPLE / "data" / "acs" / f"{year}.parquet") for year in (2015, 2016)]
    harmed = [set_labels(year, "DIS", 1, 0.6, 1, 0) for year in years]
    rows = pl.read_parquet(EXAMPLE / "data" / "acs" / "eval-2017.parquet")

    def inputs(table: pl.DataFrame) -> object:
        return table.select(pl.col(INPUTS).cast(pl.Float64)).to_numpy()

    answers = {}
    for role, tables in (("baseline", years), ("candidate", harmed)):
        table = pl.concat(tables)
        model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
        with threadpool_limits(1):
            model.fit(inputs(table), table["employed"].cast(pl.Int64).to_numpy())
            answers[role] = model.predict(inputs(rows))
    predictions = rows.select(
        "id",
        pl.col("employed").cast(pl.Int64).alias("label"),
        *(pl.Series(role, answers[role]) for role in ("candidate", "baseline")),
        *("SEX", "RAC1P", "DIS", "AGEP"),
    )
    return evaluate(
        predictions,
        project.evaluation,
        project.fairness,
        model=project.model,
        task="binary",
        candidate_digest="sha256:" + "c" * 64,
        baseline_digest="sha256:" + "b" * 64,
        evaluation_digest="sha256:" + "e" * 64,
        candidate_latency=QUICK,
        baseline_latency=QUICK,
    )


def test_arithmetic_lets_it_pass(project: Project, report: EvaluationReport) -> None:
    """Overall it loses half a point, in the group three: both within what point mode allows."""
    assert isinstance(project.gates, GatesSection)
    assert judge(replace(project.gates, mode="point"), report, today=TODAY).verdict is Verdict.PASS


def test_evidence_stops_it_and_names_the_group(project: Project, report: EvaluationReport) -> None:
    assert isinstance(project.gates, GatesSection)
    assert project.gates.mode == "statistical"
    judgement = judge(project.gates, report, today=TODAY)
    assert judgement.verdict is Verdict.FAIL
    slices = next(result for result in judgement.results if result.gate == "slices")
    assert slices.evidence["failed"][0] == "DIS=1"
    worst = slices.comparisons[0]
    assert worst.harm is not None
    assert worst.p_adjusted is not None
    print(f"\nDIS=1: {worst.harm.value:.4f} of {worst.rows} rows, Holm p {worst.p_adjusted:.2g}")
    assert 0.02 < worst.harm.value < 0.04
    assert worst.p_adjusted < 0.025
