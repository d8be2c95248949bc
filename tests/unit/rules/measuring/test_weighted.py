"""Rows that carry weights: metrics as scikit-learn weighs them, variances that hold, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn.metrics

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.metrics import Task
from gatewright.domain.project import EvaluationSection, FairnessSection
from gatewright.rules.measuring.plan import planned
from gatewright.rules.measuring.weighted import weighed
from gatewright.rules.reports.measures import parity, values
from gatewright.rules.reports.reading import report_from
from gatewright.rules.reports.summary import summary
from gatewright.web.measured import measured as shown
from tests.fixtures.predictions import by, measured
from tests.unit.rules.reports.test_reading import body_of

SECTION = EvaluationSection(label="employed", weight="weight", stratum="stratum")
EXACT = {"rel": 1e-12, "abs": 1e-12}


def rows_of(count: int = 500, *, classes: int = 2, seed: int = 1) -> dict[str, Any]:
    """Rows in four strata, of which the hard ones were drawn more often."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, count)
    stratum = rng.integers(0, 4, count)
    wrong = 0.05 + 0.1 * stratum

    def answers() -> np.ndarray[Any, Any]:
        other = (label + rng.integers(1, classes, count) if classes > 2 else label + 1) % classes
        return np.where(rng.random(count) < wrong, other, label)

    score = np.clip(rng.normal(0.3 + 0.4 * (label > 0), 0.2), 0.0, 1.0)
    return {
        "id": np.arange(count),
        "label": label,
        "candidate": answers(),
        "baseline": answers(),
        "golden": answers(),
        "weight": np.array([40.0, 20.0, 10.0, 5.0])[stratum] * rng.uniform(0.9, 1.1, count),
        "stratum": stratum.astype(str),
        "SEX": rng.integers(1, 3, count),
        **({"candidate_score": score, "baseline_score": score[::-1].copy()} if classes == 2 else {}),
    }


def weighted(rows: dict[str, Any], task: Task = "binary", **more: Any) -> EvaluationReport:
    table = {name: column for name, column in rows.items() if name != "golden_score"}
    table |= {"golden_score": rows["candidate_score"]} if "candidate_score" in rows else {}
    return measured(
        pl.DataFrame(table), by("SEX"), fairness=("SEX",), task=task, weight="weight", stratum="stratum", **more
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_metrics_are_scikit_learn_s_with_sample_weights(classes: int) -> None:
    rows = rows_of(classes=classes)
    report = weighted(rows, "binary" if classes == 2 else "multiclass")
    how = {"pos_label": 1, "average": "binary"} if classes == 2 else {"average": "macro"}
    for found, inside in ((report.overall, rows["SEX"] > 0), (report.slices["SEX=2"], rows["SEX"] == 2)):
        for arm in ("candidate", "baseline"):
            y, p, w = (rows[name][inside] for name in ("label", arm, "weight"))
            told = {name: getattr(score, arm) for name, score in found.scores.items()}
            assert told["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(y, p, sample_weight=w), **EXACT)
            for name in ("precision", "recall", "f1"):
                oracle = getattr(sklearn.metrics, f"{name}_score")(y, p, sample_weight=w, zero_division=0, **how)
                assert told[name] == pytest.approx(oracle, **EXACT)
            balanced = sklearn.metrics.balanced_accuracy_score(y, p, sample_weight=w)
            assert told["balanced_accuracy"] == pytest.approx(balanced, **EXACT)
            if classes == 2:
                s = rows[f"{arm}_score"][inside]
                assert told["brier"] == pytest.approx(sklearn.metrics.brier_score_loss(y, s, sample_weight=w), **EXACT)
                loss = sklearn.metrics.log_loss(y, s, sample_weight=w, labels=[0, 1])
                assert told["log_loss"] == pytest.approx(loss, **EXACT)


def test_metrics_of_a_regression_are_scikit_learn_s() -> None:
    rng = np.random.default_rng(3)
    rows = {name: rng.normal(size=300) for name in ("label", "candidate", "baseline")}
    rows |= {"id": np.arange(300), "weight": rng.uniform(1, 9, 300), "x": np.arange(300) % 2}
    report = measured(pl.DataFrame(rows), by("x"), task="regression", weight="weight")
    y, p, w = rows["label"], rows["candidate"], rows["weight"]
    told = {name: score.candidate for name, score in report.overall.scores.items()}
    assert told["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(y, p, sample_weight=w), **EXACT)
    assert told["rmse"] == pytest.approx(sklearn.metrics.root_mean_squared_error(y, p, sample_weight=w), **EXACT)
    assert told["r2"] == pytest.approx(sklearn.metrics.r2_score(y, p, sample_weight=w), **EXACT)
    assert report_from(body_of(report)) == report


def test_equal_weights_change_no_value() -> None:
    rows = rows_of() | {"weight": np.full(500, 3.0), "stratum": np.full(500, "all")}
    plain = measured(pl.DataFrame(rows | {"golden_score": rows["candidate_score"]}), by("SEX"), fairness=("SEX",))
    heavy = weighted(rows)
    assert heavy.overall.cells == plain.overall.cells
    assert heavy.overall.effective_rows == pytest.approx(500)
    for name in ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "log_loss", "brier"):
        for arm in ("candidate", "baseline"):
            overall, slices = values(plain, name, arm)
            found, others = values(heavy, name, arm)
            assert found == pytest.approx(overall, **EXACT)
            assert others == pytest.approx(slices, **EXACT)
    # A mean's variance is the sample's over n, as without weights.
    assert heavy.overall.scores["brier"].covariance == pytest.approx(plain.overall.scores["brier"].covariance)
    assert heavy.calibration is not None
    assert plain.calibration is not None
    assert heavy.calibration.candidate_mean == pytest.approx(plain.calibration.candidate_mean)
    assert parity(heavy, "candidate").difference == pytest.approx(parity(plain, "candidate").difference)


def test_selection_rates_are_weighted_where_they_are_shown() -> None:
    rows = rows_of()
    report = weighted(rows)
    rates = {}
    for group in (1, 2):
        inside = rows["SEX"] == group
        rates[str(group)] = float(np.average(rows["candidate"][inside] == 1, weights=rows["weight"][inside]))
    assert {each.group: each.candidate for each in shown(report).groups} == pytest.approx(rates, **EXACT)
    assert parity(report, "candidate").difference == pytest.approx(abs(rates["1"] - rates["2"]), abs=1e-11)
    assert summary(report)["overall_accuracy"] == report.overall.scores["accuracy"].candidate


@pytest.mark.parametrize("classes", [2, 3])
def test_a_report_with_weights_is_read_back(classes: int) -> None:
    report = weighted(rows_of(classes=classes), "binary" if classes == 2 else "multiclass")
    assert report_from(body_of(report)) == report
    assert report.golden is not None
    assert report.golden.weight == "weight"


def test_the_variance_is_that_of_repeated_samples() -> None:
    """A stratified sample drawn 400 times: the estimated variance is the mean square of what really happens."""
    rng = np.random.default_rng(5)
    population = rows_of(8_000, seed=9)
    strata = population["stratum"].astype(int)
    places = [np.flatnonzero(strata == one) for one in range(4)]
    sizes = [30, 50, 80, 140]
    names = ("accuracy", "f1", "balanced_accuracy", "precision")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    keep = [name for name in population if not name.endswith("_score") and name != "golden"]
    for _ in range(400):
        chosen = np.concatenate([rng.choice(place, size) for place, size in zip(places, sizes, strict=True)])
        rows = {name: population[name][chosen] for name in keep}
        rows["id"] = np.arange(len(chosen))
        rows["weight"] = np.repeat([len(place) / size for place, size in zip(places, sizes, strict=True)], sizes)
        frame = pl.DataFrame(rows)
        plan = planned(frame, SECTION, FairnessSection(), "binary", ("baseline",))
        overall = next(iter(weighed(frame, plan, plan.pairs[0]).values()))
        for name in names:
            score = overall.scores[name]
            assert score.baseline is not None
            assert score.baseline_var is not None
            assert score.covariance is not None
            difference = score.candidate - score.baseline
            found[name].append((difference, score.candidate_var + score.baseline_var - 2 * score.covariance))
    for name, pairs in found.items():
        differences, variances = np.array(pairs).T
        assert variances.mean() == pytest.approx(differences.var(ddof=1), rel=0.25), name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weight": np.zeros(500)}, "a weight is above 0"),
        ({"weight": np.full(500, -1.0)}, "a weight is above 0"),
        ({"weight": [None, *[1.0] * 499]}, "1 rows have no weight"),
        ({"weight": [float("inf"), *[1.0] * 499]}, "not finite"),
        ({"stratum": [None, *["a"] * 499]}, "1 rows have no stratum"),
    ],
)
def test_weights_and_strata_that_cannot_be_meant(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        weighted(rows_of() | change)


@pytest.mark.parametrize(("more", "says"), [({"metrics": ("auc",)}, "carry weights"), ({"cluster": "SEX"}, "together")])
def test_what_knows_no_weights_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        weighted(rows_of(), **more)


def test_sums_of_weights_that_contradict_the_cells_are_refused() -> None:
    report = weighted(rows_of())
    wrong = replace(report, overall=replace(report.overall, weights=(0.0, *report.overall.weights[1:])))
    with pytest.raises(Exception, match="does not weigh exactly the cells"):
        report_from(body_of(wrong))
    with pytest.raises(Exception, match="has 8 sums, not 0"):
        report_from(body_of(replace(report, weight=None)))
