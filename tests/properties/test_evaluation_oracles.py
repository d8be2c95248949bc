"""The evaluator's numbers are scikit-learn's and Fairlearn's, to 1e-12, on any rows."""

from __future__ import annotations

import math
import warnings
from typing import Any

import fairlearn.metrics
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gatewright.domain.evaluation import ALL, Arm, EvaluationReport
from gatewright.domain.metrics import METRICS
from gatewright.rules.measuring.metrics import Outcomes
from tests.fixtures.predictions import by, measured

Rows = dict[str, list[Any]]
EXACT = {"rel": 1e-12, "abs": 1e-12}
ARMS: tuple[Arm, Arm] = ("candidate", "baseline")
SCIKIT: dict[str, Any] = {
    "accuracy": lambda y, p, _: sklearn.metrics.accuracy_score(y, p),
    "balanced_accuracy": lambda y, p, _: sklearn.metrics.balanced_accuracy_score(y, p),
    "precision": lambda y, p, how: sklearn.metrics.precision_score(y, p, zero_division=0, **how),
    "recall": lambda y, p, how: sklearn.metrics.recall_score(y, p, zero_division=0, **how),
    "f1": lambda y, p, how: sklearn.metrics.f1_score(y, p, zero_division=0, **how),
}
RATES: dict[str, Any] = {
    "selection_rate": fairlearn.metrics.selection_rate,
    "true_positive_rate": fairlearn.metrics.true_positive_rate,
    "false_positive_rate": fairlearn.metrics.false_positive_rate,
}
GAPS: dict[str, Any] = {
    "demographic_parity_difference": fairlearn.metrics.demographic_parity_difference,
    "equalized_odds_difference": fairlearn.metrics.equalized_odds_difference,
    "equal_opportunity_difference": fairlearn.metrics.equal_opportunity_difference,
}


def rows_of(classes: int) -> st.SearchStrategy[Rows]:
    a_class = st.integers(0, classes - 1)
    row = st.tuples(a_class, a_class, a_class, st.sampled_from(["a", "b", "c", None]), st.integers(0, 2))
    named = ("label", "candidate", "baseline", "x", "g")

    def table(drawn: list[tuple[Any, ...]]) -> Rows:
        columns = {name: [row[place] for row in drawn] for place, name in enumerate(named)}
        return {"id": list(range(len(drawn))), **columns}

    return st.lists(row, min_size=1, max_size=60).map(table)


def chosen(rows: Rows, name: str) -> np.ndarray[Any, Any]:
    """Which rows a slice by x has."""
    wanted = name.removeprefix("x=")
    return np.array([name == ALL or ("null" if value is None else value) == wanted for value in rows["x"]])


def each_slice(report: EvaluationReport, rows: Rows) -> list[tuple[Any, np.ndarray[Any, Any]]]:
    named = {ALL: report.overall, **report.slices}
    return [(evidence, chosen(rows, name)) for name, evidence in named.items()]


@pytest.mark.parametrize("classes", [2, 3, 12])
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_count_metrics_are_scikit_learn_s(classes: int, data: st.DataObject) -> None:
    rows = data.draw(rows_of(classes))
    binary = classes == 2
    report = measured(rows, by("x"), task="binary" if binary else "multiclass", weak_slices=False)
    outcomes = Outcomes.of(report)
    how = {"pos_label": 1, "average": "binary"} if binary else {"average": "macro"}
    for evidence, inside in each_slice(report, rows):
        for name, oracle in SCIKIT.items():
            for arm in ARMS:
                with warnings.catch_warnings(action="ignore"):
                    expected = oracle(np.array(rows["label"])[inside], np.array(rows[arm])[inside], how)
                assert float(outcomes.metric(name, evidence.cells, arm)) == pytest.approx(expected, **EXACT)


@given(rows_of(2), st.integers(1, 10**9))
@settings(max_examples=8, deadline=None)
def test_rates_and_gaps_are_fairlearn_s(rows: Rows, scale: int) -> None:
    report = measured(rows | {"label": [1, *rows["label"][1:]]}, fairness=("x",))
    label, groups = [1, *rows["label"][1:]], ["null" if value is None else value for value in rows["x"]]
    outcomes = Outcomes.of(report)
    # Huge counts: the same shares, whatever the rows are multiplied by.
    table = np.array([group.cells for group in report.groups["x"].values()], dtype=np.int64) * scale
    for arm in ARMS:
        defined = True
        for name, oracle in RATES.items():
            frame = fairlearn.metrics.MetricFrame(
                metrics=oracle, y_true=label, y_pred=rows[arm], sensitive_features=groups
            ).by_group
            found = outcomes.rate(name, table, arm)  # type: ignore[arg-type]
            for value, expected in zip(found, (frame[group] for group in report.groups["x"]), strict=True):
                # Fairlearn says 0 of a group without such labels; here it is undefined.
                assert (math.isnan(value) and expected == 0) or value == pytest.approx(expected, **EXACT)
            defined &= not np.isnan(found).any()
        for name, oracle in GAPS.items():
            if defined or name == "demographic_parity_difference":
                expected = oracle(label, rows[arm], sensitive_features=groups)
                assert float(outcomes.gap(name, table, arm)) == pytest.approx(expected, **EXACT)
        ratio = fairlearn.metrics.demographic_parity_ratio(label, rows[arm], sensitive_features=groups)
        assert float(outcomes.gap("demographic_parity_ratio", table, arm)) == pytest.approx(
            1 - ratio, nan_ok=True, **EXACT
        )


def test_a_group_without_positive_labels_has_no_part_in_that_gap() -> None:
    rows: Rows = {"id": [1, 2, 3, 4, 5], "label": [1, 1, 1, 0, 0], "candidate": [1, 1, 0, 1, 0], "x": list("aabcc")}
    report = measured(rows, fairness=("x",))
    table = [group.cells for group in report.groups["x"].values()]
    outcomes = Outcomes.of(report)
    assert outcomes.rate("true_positive_rate", table, "candidate").tolist() == pytest.approx(
        [1, 0, math.nan], nan_ok=True
    )
    assert float(outcomes.gap("equal_opportunity_difference", table, "candidate")) == 1.0
    assert float(outcomes.gap("equalized_odds_difference", table, "candidate")) == 1.0


def test_counts_may_have_any_leading_axes() -> None:
    rows: Rows = {"id": [1, 2, 3], "label": [1, 0, 1], "candidate": [1, 1, 0], "baseline": [1, 0, 1]}
    report = measured(rows)
    outcomes = Outcomes.of(report)
    table = np.random.default_rng(0).integers(0, 9, (4, 3, len(report.outcomes)))
    table[0, 0] = 0
    for name in SCIKIT:
        found = outcomes.metric(name, table, "candidate")
        assert found.shape == (4, 3)
        assert math.isnan(found[0, 0])
        assert found[1, 2] == outcomes.metric(name, table[1, 2], "candidate")
    assert outcomes.gap("equalized_odds_difference", table, "baseline").shape == (4,)


SCORES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.5, 1.0]))


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_score_metrics_are_scikit_learn_s(data: st.DataObject) -> None:
    rows = data.draw(rows_of(2))
    count = len(rows["id"])
    for arm in ARMS:
        rows[f"{arm}_score"] = data.draw(st.lists(SCORES, min_size=count, max_size=count))
    report = measured(rows, by("x"), metrics=("auc",), rows_at_once=data.draw(st.sampled_from([7, 100])))
    for evidence, inside in each_slice(report, rows):
        label = np.array(rows["label"])[inside]
        both = min(label.sum(), len(label) - label.sum()) >= 2
        assert set(evidence.scores) == {
            *(("log_loss", "brier") if inside.sum() > 1 else ()),
            *(("auc",) if both else ()),
        }
        for arm in ARMS:
            score = np.array(rows[f"{arm}_score"])[inside]
            oracles = {
                "log_loss": lambda: sklearn.metrics.log_loss(label, score, labels=[0, 1]),  # noqa: B023
                "brier": lambda: np.square(label - score).mean(),  # noqa: B023
                "auc": lambda: sklearn.metrics.roc_auc_score(label, score),  # noqa: B023
            }
            for name, estimate in evidence.scores.items():
                assert getattr(estimate, arm) == pytest.approx(oracles[name](), **EXACT)


NUMBERS = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_errors_are_scikit_learn_s(data: st.DataObject) -> None:
    rows = data.draw(rows_of(2))
    count = len(rows["id"])
    assume(count > 1)  # one row has no variance: the evaluation says so
    for name in ("label", *ARMS):
        rows[name] = data.draw(st.lists(NUMBERS, min_size=count, max_size=count))
    report = measured(rows, by("x"), task="regression", rows_at_once=data.draw(st.sampled_from([7, 100])))
    oracles: dict[str, Any] = {
        "rmse": sklearn.metrics.root_mean_squared_error,
        "mae": sklearn.metrics.mean_absolute_error,
        "r2": sklearn.metrics.r2_score,
    }
    for evidence, inside in each_slice(report, rows):
        label = np.array(rows["label"])[inside]
        for name, estimate in evidence.scores.items():
            for arm in ARMS:
                expected = oracles[name](label, np.array(rows[arm])[inside])
                assume(name != "r2" or np.var(label) > 1e-3 * np.square(label).mean())
                # R² of a slice comes from sums around the mean of all rows: far from it, digits are lost.
                near = 1e-7 if name == "r2" else 1e-9
                assert getattr(estimate, arm) == pytest.approx(expected, rel=near, abs=near)


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_variances_are_those_of_many_samples(metric: str) -> None:
    rng = np.random.default_rng(7)
    rows, repeats = 400, 400
    found = []
    for _ in range(repeats):
        label = rng.normal(50.0, 2.0, rows)
        noise = rng.normal(size=(3, rows))
        candidate, baseline = label + noise[0] + noise[2], label + noise[1] + noise[2]
        table = {"id": range(rows), "label": label, "candidate": candidate, "baseline": baseline}
        report = measured(table, task="regression", weak_slices=False)
        estimate = report.overall.scores[metric]
        found.append((estimate.candidate, estimate.baseline, estimate.candidate_var, estimate.covariance))
    candidates, baselines, variances, covariances = np.array(found, dtype=np.float64).T
    assert METRICS[metric].name == metric
    assert variances.mean() == pytest.approx(candidates.var(ddof=1), rel=0.25)
    assert covariances.mean() == pytest.approx(np.cov(candidates, baselines)[0, 1], rel=0.4)


def test_rows_of_a_cluster_are_one_observation() -> None:
    rng = np.random.default_rng(3)
    score = np.repeat(rng.normal(size=50), 20)
    rows = {"id": range(1000), "candidate": score, "baseline": score + 1.0, "user": np.repeat(range(50), 20)}
    alone = measured(rows, task="score", weak_slices=False).overall.scores["mean_score"]
    together = measured(rows, task="score", cluster="user", weak_slices=False).overall.scores["mean_score"]
    assert together.candidate == pytest.approx(alone.candidate)
    # Twenty copies of fifty numbers say as much as the fifty.
    assert together.candidate_var == pytest.approx(score[::20].var(ddof=1) / 50)
    assert alone.candidate_var < together.candidate_var / 15
    counted = {"id": range(1000), "label": [1, 0] * 500, "candidate": [1, 0] * 490 + [1, 1] * 10, "user": rows["user"]}
    report = measured(counted, cluster="user", weak_slices=False)
    assert report.overall.scores["accuracy"].candidate == 0.99
    assert report.metrics == ("accuracy",)


def test_calibration_bins_hold_every_row() -> None:
    rng = np.random.default_rng(5)
    scores = rng.random((2, 500))
    label = (rng.random(500) < scores[0]).astype(int)
    rows = {"id": range(500), "label": label, "candidate": label, "baseline": label}
    rows |= {"candidate_score": scores[0], "baseline_score": scores[1]}
    bins = measured(rows, rows_at_once=77).calibration
    assert bins is not None
    place = np.minimum((scores * 10).astype(int), 9)
    assert np.array(bins.cells)[3, 8] == ((place[0] == 3) & (place[1] == 8)).sum()
    assert np.array(bins.positives).sum(axis=1).tolist() == np.bincount(place[0], weights=label).tolist()
    assert bins.candidate_mean[4] == pytest.approx(scores[0][place[0] == 4].mean())
    assert bins.baseline_mean[4] == pytest.approx(scores[1][place[1] == 4].mean())
