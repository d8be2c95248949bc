"""evaluation-report.json: what is written can be read, and nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.domain.documents import plain
from gatewright.domain.errors import ReportError
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.metrics import Task
from gatewright.rules.report import report_from
from gatewright.rules.report_form import json_schema
from gatewright.rules.summary import summary
from tests.fixtures.predictions import NO_BASELINE, ROWS, by, measured
from tests.unit.config.json_schema import fits

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "evaluation-report.schema.json"
SCHEMA = json_schema()


def body_of(report: EvaluationReport) -> dict[str, Any]:
    """As it is read from the file."""
    body: dict[str, Any] = json.loads(json.dumps(plain(summary(report, min_rows=1)), allow_nan=False))
    return body


def everything() -> EvaluationReport:
    """A report with every part that there is."""
    rows = {
        "candidate_score": [0.9, 0.2, 0.8, 0.6, 0.4, 0.1],
        "baseline_score": [0.7, 0.6, 0.8, 0.6, 0.4, 0.3],
        "golden": [1, 0, 1, 0, 1, 1],
        "golden_score": [0.9, 0.1, 0.9, 0.1, 0.9, 0.8],
    }
    return measured(ROWS | rows, by("SEX"), by("AGEP", bins=(25,)), fairness=("SEX", "RAC1P"), metrics=("auc",))


def of_task(task: Task) -> EvaluationReport:
    rng = np.random.default_rng(1)
    draw = (lambda: rng.integers(0, 9, 400)) if task == "multiclass" else (lambda: rng.normal(size=400))
    rows = {name: draw().tolist() for name in ("label", "candidate", "baseline")}
    return measured({"id": range(400), **rows, "x": [1, 2] * 200}, by("x"), fairness=("x",), task=task)


REPORTS = {
    "everything": everything,
    "no baseline": lambda: measured(NO_BASELINE, by("SEX")),
    "multiclass": lambda: of_task("multiclass"),
    "regression": lambda: of_task("regression"),
    "score": lambda: of_task("score"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_written_is_read_back_and_fits_the_schema(name: str) -> None:
    report = REPORTS[name]()
    body = body_of(report)
    assert report_from(body) == report
    assert fits({"schema": "gatewright/evaluation-report/1", "warnings": [], **body}, SCHEMA, SCHEMA)


def changed(body: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(body)
    inner: Any = whole
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return whole


def test_the_schema_refuses_what_is_no_report() -> None:
    body = body_of(everything())
    for path, value in [(("evidence", "overall", "rows"), "6"), (("task",), "ranking"), (("evidence", "extra"), 1)]:
        assert not fits(changed(body, path, value), SCHEMA, SCHEMA)


def test_the_published_schema_is_up_to_date() -> None:
    written = json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"
    assert PUBLISHED.read_text(encoding="utf-8") == written, "write it again: see rules.report_form.json_schema"


def test_the_simple_form_is_on_top() -> None:
    body = body_of(measured(ROWS, by("SEX"), fairness=("RAC1P",)))
    assert body["overall_accuracy"] == round(4 / 6, 12)
    assert body["slices"] == {"SEX=1": 1.0, "SEX=2": round(1 / 3, 12), "SEX=null": 1.0}
    assert (body["latency_p99_ms"], body["demographic_parity_diff"]) == (2.5, pytest.approx(1 / 3))
    assert (body["baseline"]["overall_accuracy"], body["baseline"]["latency_p99_ms"]) == (0.5, 5.0)
    assert body["evidence"]["slices"]["SEX=1"]["rows"] == 2
    other = body_of(measured(ROWS, metric="recall"))
    assert (other["overall_accuracy"], other["recall"]) == (round(4 / 6, 12), round(2 / 3, 12))


def test_other_tasks_have_their_metric_on_top() -> None:
    body = body_of(of_task("regression"))
    assert "overall_accuracy" not in body
    assert min(body["rmse"], body["baseline"]["rmse"]) > 0
    assert set(body["slices"]) == {"x=1", "x=2"}


VALUES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1), st.one_of(st.none(), st.integers(0, 3))),
    min_size=1,
    max_size=40,
)


@given(VALUES, st.booleans())
def test_any_counts_can_be_read_back(values: list[tuple[int, int, int, int | None]], has_baseline: bool) -> None:
    label, candidate, baseline, group = (list(column) for column in zip(*values, strict=True))
    rows = {"id": list(range(len(values))), "label": [1, *label[1:]], "candidate": candidate, "x": group}
    report = measured(rows | ({"baseline": baseline} if has_baseline else {}), by("x"), fairness=("x",))
    assert sum(evidence.rows for evidence in report.slices.values()) == len(values)
    assert report_from(body_of(report)) == report


OVERALL = ("evidence", "overall")
SLICE = ("evidence", "slices", "SEX=1")
RMSE = {"rows": 6, "candidate": 1.0, "candidate_var": 0.0}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("evidence",), None, "evidence: is null"),
        ((*OVERALL, "rows"), 0, "evidence.overall.rows: is 0: Input should be greater than or equal to 1"),
        ((*OVERALL, "rows"), 7, "evidence.overall.cells: add up to 6, not to the 7 rows"),
        ((*OVERALL, "rows"), True, "evidence.overall.rows: is true"),
        ((*OVERALL, "rows"), "6", 'evidence.overall.rows: is "6"'),
        ((*OVERALL, "cells"), [6], "evidence.overall.cells: has 1 counts for 5 outcomes"),
        ((*OVERALL, "cells", 0), -1, "evidence.overall.cells.0: is -1"),
        ((*SLICE, "cells"), [0, 0, 0, 2, 0], "evidence.slices.SEX=1.cells: has more rows of one outcome than all"),
        ((*SLICE, "cell"), 1, "evidence.slices.SEX=1.cell: is not known"),
        (SLICE, 4, "evidence.slices.SEX=1: is 4"),
        (("evidence", "groups", "SEX"), {}, "evidence.groups.SEX: the groups do not add up"),
        (("evidence", "groups"), [], "evidence.groups: is []"),
        (("evidence", "outcomes", 0, "baseline"), None, "evidence.outcomes: lacks the baseline's answer"),
        (("evidence", "outcomes", 0, "baseline"), 1, "evidence.outcomes: names one outcome twice"),
        (("evidence", "candidate_latency", "p99_ms"), float("nan"), "candidate_latency.p99_ms: is not finite"),
        (("evidence", "candidate_latency", "p99_ms"), 9.0, "candidate_latency: milliseconds are greater than zero"),
        (("evidence", "candidate_latency", "samples"), 0, "candidate_latency.samples: is 0"),
        ((*OVERALL, "scores", "auc", "covariance"), 9.0, "auc.covariance: is 9.0, which the variances do not allow"),
        ((*OVERALL, "scores", "auc", "candidate_var"), -1.0, "negative variance"),
        ((*OVERALL, "scores", "auc", "rows"), 5, "scores.auc.rows: is 5, not the slice's 6"),
        ((*OVERALL, "scores", "rmse"), RMSE, "rmse: is there although it was not measured"),
        (("evidence", "calibration", "cells", 0, 0), 9, "calibration.cells: do not add up to the 6 rows"),
        (("evidence", "calibration", "cells"), [], "calibration.cells: has not 10 rows of 10"),
        (("evidence", "calibration", "candidate_mean", 0), 2.0, "mean probability outside of 0 to 1"),
        (("evidence", "golden", "overall", "rows"), 5, "evidence.golden.overall"),
        (("baseline_digest",), None, "has a baseline's answer although the report names no baseline"),
        (("metric_version",), "cells/9", "metric_version: is 'cells/9', this release reads 'cells/2'"),
        (("metrics",), ["f1"], "metrics: lacks the primary metric accuracy"),
        (("task",), "regression", "metrics: accuracy is no metric of a regression task"),
        (("model",), 4, "model: is 4"),
        (("notes",), "none", "notes: is"),
        (("overall_accuracy",), 0.9, "overall_accuracy: is 0.9, but the counts say 0.66"),
        (("slices", "SEX=1"), 0.9, "slices.SEX=1: is 0.9, but the counts say 1.0"),
    ],
)
def test_a_report_that_was_tampered_with_is_refused(path: tuple[str | int, ...], value: Any, message: str) -> None:
    with pytest.raises(ReportError) as caught:
        report_from(changed(body_of(everything()), path, value))
    assert message in str(caught.value)


def test_every_fault_is_told_at_once() -> None:
    body = changed(changed(body_of(everything()), ("model",), 4), (*OVERALL, "rows"), "6")
    with pytest.raises(ReportError) as caught:
        report_from(body)
    assert [problem.field for problem in caught.value.problems] == ["model", "evidence.overall.rows"]
