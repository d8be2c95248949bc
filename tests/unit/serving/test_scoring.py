from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB

from gatewright.domain.evaluation import LatencyRatio
from gatewright.effects.files import measure_artifact
from gatewright.serving.latency import Contender, compare, measure_interleaved, summarise
from gatewright.serving.scoring import main
from tests.unit.serving.toy_model import write_estimator

ROWS = pl.DataFrame(
    {"id": [3, 1, 2], "AGE": [50, 10, 45], "SEX": [1, None, 2], "employed": [1, 0, 0], "region": ["N", "S", "S"]}
)


def model_at(folder: Path, answers: Path | None = None) -> dict[str, Any]:
    """A model as the job describes it."""
    digest = measure_artifact(folder).digest
    return {"folder": str(folder), "digest": digest, "answers": str(answers) if answers else None}


Score = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def score(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Score:
    """Writes rows and job, runs the process's `main`; returns exit code and the last line if it is JSON."""
    monkeypatch.setattr("gatewright.serving.scoring.skip_absent_pandas", lambda: None)

    def run(rows: pl.DataFrame = ROWS, **changes: Any) -> tuple[int, dict[str, Any]]:
        rows.write_parquet(tmp_path / "rows.parquet")
        job = {
            "candidate": model_at(artifact), "baseline": None, "golden": None, "data": str(tmp_path / "rows.parquet"),
            "id": "id", "label": "employed", "keep": ["region"], "task": None, "positive": 1, "latency_samples": 299,
            "seed": 0, "allow_code": False, "evaluation_digest": "sha256:e", "cache": str(tmp_path / "cache"),
            "output": str(tmp_path / "out"),
        } | changes  # fmt: skip
        (tmp_path / "job.json").write_text(json.dumps(job))
        code = main([str(tmp_path / "job.json")])
        last = capsys.readouterr().out.splitlines()[-1]
        return code, json.loads(last) if last.startswith("{") else {"line": last}

    return run


def test_scores_both_models_on_the_same_rows(score: Score, artifact: Path, tmp_path: Path) -> None:
    code, _ = score(baseline=model_at(artifact))
    assert code == 0
    written = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert written.columns == [
        "id", "label", "candidate", "candidate_score", "baseline", "baseline_score", "region"
    ]  # fmt: skip
    assert ((written["candidate_score"] > 0.5).cast(int) == written["candidate"]).all()
    models = json.loads((tmp_path / "out" / "models.json").read_text())
    assert models == {"task": "binary", "classes": [0, 1], "positive": 1}
    assert written["id"].to_list() == [3, 1, 2]
    assert written["candidate"].to_list() == written["baseline"].to_list() == [1, 0, 1]
    latency = json.loads((tmp_path / "out" / "latency.json").read_text())
    assert (latency["unit"], latency["order"]) == ("ms", "ABBA")
    assert latency["candidate"]["samples"] == latency["baseline"]["samples"] == 299
    found = latency["candidate"]
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["p99_upper_ms"]
    assert 0 < latency["ratio"]["value"] <= latency["ratio"]["upper"]
    assert pl.read_parquet(tmp_path / "out" / "latency.parquet").shape == (299, 2)


def test_reads_csv(score: Score, tmp_path: Path) -> None:
    ROWS.write_csv(tmp_path / "rows.csv")
    assert score(data=str(tmp_path / "rows.csv"))[0] == 0
    written = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert (written["id"].to_list(), written["candidate"].to_list()) == ([3, 1, 2], [1, 0, 1])
    ROWS.drop("SEX").write_csv(tmp_path / "rows.csv")
    code, told = score(data=str(tmp_path / "rows.csv"))
    assert code == 2
    assert "lacks the columns SEX" in told["error"]


def test_reads_a_folder_in_the_order_of_its_files(score: Score, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    ROWS.tail(1).write_parquet(tmp_path / "parts" / "a.parquet")
    ROWS.head(2).write_parquet(tmp_path / "parts" / "b.parquet")
    assert score(data=str(tmp_path / "parts"))[0] == 0
    written = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert written["id"].to_list() == [2, 3, 1]
    assert "baseline" not in written.columns
    assert json.loads((tmp_path / "out" / "latency.json").read_text())["baseline"] is None


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (ROWS.head(0), "holds no row"),
        (ROWS.drop("AGE", "region"), "lacks the columns region, AGE"),
        (ROWS.with_columns(id=pl.Series([1, 1, 2])), "1 values of id occur again, for example 1"),
        (ROWS.with_columns(id=pl.Series([1, None, 2])), "1 rows have no id"),
        (ROWS.with_columns(employed=pl.Series([1, None, 0])), "1 rows have no employed"),
        (ROWS.with_columns(employed=pl.Series([1, 2, 0])), "no class of the model, for example 2; allowed: 0, 1"),
        (ROWS.with_columns(employed=pl.Series([1.0, 0.0, 0.0])), "employed is Float64; allowed: integers"),
        (ROWS.with_columns(AGE=pl.Series(["a", "b", "c"])), "AGE is String in the evaluation rows; allowed: numbers"),
    ],
)
def test_unusable_rows_exit_2_with_the_reason(score: Score, rows: pl.DataFrame, complaint: str, tmp_path: Path) -> None:
    code, last = score(rows)
    assert code == 2
    assert complaint in last["error"]
    assert not (tmp_path / "out").exists()


def test_another_digest_exits_2(score: Score, artifact: Path) -> None:
    code, last = score(candidate=model_at(artifact) | {"digest": "sha256:" + "0" * 64})
    assert code == 2
    assert "changed: recorded sha256:0000" in last["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"latency_samples": 298},
        {"seed": "0"},
        {"colour": 1},
        {"candidate": None},
        {"task": "ranking"},
        {"positive": True},
    ],
)
def test_an_unusable_job_exits_2(score: Score, change: dict[str, Any]) -> None:
    code, last = score(**change)
    assert code == 2
    assert "allowed" in last["error"]


def test_a_model_that_raises_exits_1_with_its_reason(score: Score, fragile_artifact: Path, tmp_path: Path) -> None:
    code, last = score(candidate=model_at(fragile_artifact))
    assert code == 1
    assert "the candidate" in last["error"]
    assert "Input X contains NaN" in last["error"]
    assert not (tmp_path / "out" / "predictions.parquet").exists()


def test_latency_is_measured_in_mirrored_order(artifact: Path) -> None:
    calls: list[tuple[str, float]] = []
    matrix = pl.DataFrame({"a": range(100)}).cast(pl.Float64).to_numpy()
    contenders = [
        Contender(predict=lambda row, who=who: calls.append((who, row[0, 0])), matrix=matrix)  # type: ignore[misc]
        for who in "AB"
    ]
    first, second = measure_interleaved(contenders, samples=300, seed=1)
    measured = calls[-600:]
    assert "".join(who for who, _ in measured) == "ABBA" * 150
    assert [row for who, row in measured if who == "A"] == [row for who, row in measured if who == "B"]
    assert len(first) == len(second) == 300


def test_p99_is_bounded_by_the_larger_of_two() -> None:
    steady = np.full(3000, 2.0)
    latency = summarise(steady, seed=0)
    assert (latency.p50_ms, latency.p99_ms, latency.p99_upper_ms, latency.samples) == (2.0, 2.0, 2.0, 3000)
    rising = np.arange(1.0, 1001.0)
    found = summarise(rising, seed=0)
    assert found.p99_ms == 990.0
    # The 995th of 1,000 bounds independent ones; blocks in which the slow calls stand together say more.
    assert found.p99_upper_ms >= 995.0
    assert [share for share, _ in found.curve] == sorted({share for share, _ in found.curve})
    assert compare(2 * rising, rising, seed=0) == LatencyRatio(value=2.0, upper=2.0)


def predictions(tmp_path: Path) -> pl.DataFrame:
    return pl.read_parquet(tmp_path / "out" / "predictions.parquet")


def test_the_same_model_is_not_asked_twice(
    score: Score, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert score()[0] == 0
    before = predictions(tmp_path)
    monkeypatch.setattr("gatewright.serving.answers._answer", lambda *_: pytest.fail("the model was asked again"))
    assert score(golden=model_at(artifact))[0] == 0
    assert predictions(tmp_path).drop("golden", "golden_score").equals(before)
    monkeypatch.undo()
    monkeypatch.setattr("gatewright.serving.scoring.skip_absent_pandas", lambda: None)
    assert score(evaluation_digest="sha256:f")[0] == 0
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"PAR1" + data])
def test_damaged_predictions_are_thrown_away(
    score: Score, tmp_path: Path, damage: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    score()
    before = predictions(tmp_path)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert score()[0] == 0
    assert predictions(tmp_path).equals(before)
    (again,) = (tmp_path / "cache").iterdir()
    assert again.name == kept.name


def answered(tmp_path: Path, table: pl.DataFrame, *, csv: bool = False) -> Path:
    path = tmp_path / "answers"
    _ = table.write_csv(path) if csv else table.write_parquet(path)
    return path


STRANGE = pl.DataFrame({"id": [9], "prediction": [0], "score": [0.1]})
ANSWERS = pl.DataFrame({"id": [1, 2, 3], "prediction": [0, 1, 1], "score": [0.1, 0.7, 0.9]})


@pytest.mark.parametrize("csv", [False, True])
def test_answers_of_a_command_are_joined_by_id(score: Score, artifact: Path, tmp_path: Path, csv: bool) -> None:
    code, _ = score(candidate=model_at(artifact, answered(tmp_path, ANSWERS, csv=csv)))
    assert code == 0
    written = predictions(tmp_path)
    assert written["id"].to_list() == [3, 1, 2]
    assert written["candidate"].to_list() == [1, 0, 1]
    assert written["candidate_score"].to_list() == [0.9, 0.1, 0.7]
    assert json.loads((tmp_path / "out" / "latency.json").read_text())["candidate"] is None


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (ANSWERS.head(2), "1 ids are missing, for example 3"),
        (pl.concat([ANSWERS, ANSWERS.head(1)]), "1 ids are answered twice, for example 1"),
        (
            pl.concat([ANSWERS, ANSWERS.head(1).with_columns(id=pl.lit(9, dtype=pl.Int64))]),
            "not in the evaluation set, for example 9",
        ),
        (ANSWERS.drop("prediction"), "lack the column prediction"),
        (ANSWERS.with_columns(prediction=pl.Series([0, None, 1])), "left 1 rows without prediction"),
        (ANSWERS.with_columns(prediction=pl.Series([0, 2, 1])), "answered 2; allowed: 0, 1"),
        (ANSWERS.with_columns(prediction=pl.Series(["a", "b", "c"])), "answered String; allowed: numbers"),
        (ANSWERS.with_columns(id=pl.Series(["1", "2", "3"])), "ids of String, the evaluation rows of Int64"),
    ],
)
def test_answers_that_do_not_fit_exit_2(
    score: Score, artifact: Path, tmp_path: Path, table: pl.DataFrame, complaint: str
) -> None:
    code, last = score(candidate=model_at(artifact, answered(tmp_path, table)))
    assert code == 2
    assert complaint in last["error"]


def test_a_command_that_left_nothing_exits_2(score: Score, artifact: Path, tmp_path: Path) -> None:
    code, last = score(candidate=model_at(artifact, tmp_path / "nothing"))
    assert code == 2
    assert "left no file" in last["error"]


def test_a_regression_model_answers_numbers(score: Score, tmp_path: Path) -> None:
    folder = write_estimator(
        tmp_path / "regressor",
        DummyRegressor(strategy="constant", constant=2.5).fit([[0.0, 0.0]], [2.5]),
        task="regression",
    )
    rows = ROWS.with_columns(employed=pl.Series([2.0, 3.5, 1.0]))
    assert score(rows, candidate=model_at(folder))[0] == 0
    assert predictions(tmp_path)["candidate"].to_list() == [2.5] * 3
    assert predictions(tmp_path)["label"].to_list() == [2.0, 3.5, 1.0]
    assert score(rows, candidate=model_at(folder), task="score")[0] == 0
    assert "label" not in predictions(tmp_path).columns
    code, last = score(rows, candidate=model_at(folder), task="binary")
    assert (code, "evaluation.task is binary" in last["error"]) == (2, True)


def test_several_classes_have_their_losses_row_by_row(score: Score, tmp_path: Path) -> None:
    matrix, labels = np.array([[10.0, 1.0], [30.0, 1.0], [50.0, 2.0], [50.0, 1.0]]), [0, 1, 2, 2]
    folder = write_estimator(tmp_path / "three", GaussianNB().fit(matrix, labels), task="multiclass", classes=[2, 0, 1])
    rows = ROWS.with_columns(SEX=pl.Series([1, 1, 2]), employed=pl.Series([2, 0, 1]))
    assert score(rows, candidate=model_at(folder))[0] == 0
    written = predictions(tmp_path)
    shares = GaussianNB().fit(matrix, labels).predict_proba(rows.select("AGE", "SEX").to_numpy())
    truth = written["label"].to_numpy()
    assert written["candidate_log_loss"].mean() == pytest.approx(log_loss(truth, shares, labels=[0, 1, 2]))
    assert written["candidate_brier"].to_list() == pytest.approx(np.square(shares - np.eye(3)[truth]).sum(axis=1))
