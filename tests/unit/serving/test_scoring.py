from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gatewright.effects.files import measure_artifact
from gatewright.serving.latency import Contender, measure_interleaved
from gatewright.serving.scoring import main

ROWS = pl.DataFrame(
    {"id": [3, 1, 2], "AGE": [50, 10, 45], "SEX": [1, None, 2], "employed": [1, 0, 0], "region": ["N", "S", "S"]}
)
Score = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def score(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Score:
    """Writes rows and job, runs the process's `main`; returns exit code and the last line if it is JSON."""
    monkeypatch.setattr("gatewright.serving.scoring.skip_absent_pandas", lambda: None)

    def run(rows: pl.DataFrame = ROWS, **changes: Any) -> tuple[int, dict[str, Any]]:
        rows.write_parquet(tmp_path / "rows.parquet")
        model = {"folder": str(artifact), "digest": measure_artifact(artifact).digest}
        job = {
            "candidate": model, "baseline": None, "data": str(tmp_path / "rows.parquet"), "id": "id",
            "label": "employed", "keep": ["region"], "latency_samples": 299, "seed": 0, "output": str(tmp_path / "out"),
        } | changes  # fmt: skip
        (tmp_path / "job.json").write_text(json.dumps(job))
        code = main([str(tmp_path / "job.json")])
        last = capsys.readouterr().out.splitlines()[-1]
        return code, json.loads(last) if last.startswith("{") else {"line": last}

    return run


def test_scores_both_models_on_the_same_rows(score: Score, artifact: Path, tmp_path: Path) -> None:
    model = {"folder": str(artifact), "digest": measure_artifact(artifact).digest}
    code, _ = score(baseline=model)
    assert code == 0
    written = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert written.columns == ["id", "label", "candidate", "baseline", "region"]
    assert written["id"].to_list() == [3, 1, 2]
    assert written["candidate"].to_list() == written["baseline"].to_list() == [1, 0, 1]
    latency = json.loads((tmp_path / "out" / "latency.json").read_text())
    assert (latency["unit"], latency["order"]) == ("ms", "ABBA")
    assert latency["candidate"]["samples"] == latency["baseline"]["samples"] == 299
    assert 0 < latency["candidate"]["p50_ms"] <= latency["candidate"]["p99_ms"]


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
    code, last = score(candidate={"folder": str(artifact), "digest": "sha256:" + "0" * 64})
    assert code == 2
    assert "changed: recorded sha256:0000" in last["error"]


@pytest.mark.parametrize("change", [{"latency_samples": 298}, {"seed": "0"}, {"colour": 1}, {"candidate": None}])
def test_an_unusable_job_exits_2(score: Score, change: dict[str, Any]) -> None:
    code, last = score(**change)
    assert code == 2
    assert "allowed" in last["error"]


def test_a_model_that_raises_exits_1_with_its_reason(score: Score, fragile_artifact: Path, tmp_path: Path) -> None:
    digest = measure_artifact(fragile_artifact).digest
    code, last = score(candidate={"folder": str(fragile_artifact), "digest": digest})
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
    assert first.samples == second.samples == 300
