"""The evaluation process: `python -m gatewright.serving.scoring JOB.json`.

Scores candidate and baseline on the same rows and writes, into the job's output folder, `predictions.parquet` (columns
`id`, `label`, `candidate`, `baseline` with one, then those of `keep`, in row order) and `latency.json`. Progress goes
to standard output line by line; an error is its last line, `{"error": …, "fix": …}`, and its class the exit code.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.domain.errors import DigestChanged, GatewrightError, UnusableInput
from gatewright.effects.files import write_atomic
from gatewright.serving.job import ModelToScore, ScoringJob, read_job
from gatewright.serving.process import limit_threads, say, say_error, skip_absent_pandas

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from gatewright.serving.models import LoadedModel

_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """One model with its view of the rows and its answers, one per row."""

    role: str
    model: LoadedModel
    matrix: NDArray[np.float64]
    answers: NDArray[np.int64] | NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="gatewright.serving.scoring", description="Score models on evaluation rows.")
    parser.add_argument("job", type=Path, help="the job as a JSON file")
    options = parser.parse_args(arguments)
    limit_threads()
    skip_absent_pandas()
    try:
        run(read_job(options.job))
    except GatewrightError as error:
        return say_error(error)
    return 0


def run(job: ScoringJob) -> None:
    """Score, measure, write. UnusableInput for models or rows that do not fit; PredictionFailed if a model fails."""
    wanted = {"candidate": job.candidate} | ({"baseline": job.baseline} if job.baseline else {})
    models = {role: _load(role, artifact) for role, artifact in wanted.items()}
    rows = _rows(job, models)
    scored = [_score(role, model, rows) for role, model in models.items()]
    _write_predictions(job, rows, scored)
    _write_latency(job, scored)


def _load(role: str, artifact: ModelToScore) -> LoadedModel:
    from gatewright.serving.models import load

    model = load(artifact.folder)
    if model.digest != artifact.digest:
        raise DigestChanged(f"the {role} {artifact.folder}", recorded=artifact.digest, found=model.digest)
    return model


def _rows(job: ScoringJob, models: dict[str, LoadedModel]) -> pl.DataFrame:
    from gatewright.serving.evaluation_rows import OWN_COLUMNS, check_rows, read_rows

    classes = models["candidate"].signature.classes
    if classes is None or any(set(model.signature.classes or ()) != set(classes) for model in models.values()):
        found = ", ".join(f"{role} {model.signature.classes}" for role, model in models.items())
        raise UnusableInput(f"the models do not answer the same classes: {found}", fix="compare models of one task")
    source = {"id": job.id, "label": job.label}
    if clash := [name for name in job.keep if name in OWN_COLUMNS and source.get(name) != name]:
        raise UnusableInput(
            f"the column {clash[0]} cannot be kept: the output has its own", fix="rename it in the data"
        )
    inputs = [name for model in models.values() for name in model.signature.names]
    rows = read_rows(job.data, list(dict.fromkeys([job.id, job.label, *job.keep, *inputs])))
    check_rows(rows, id=job.id, label=job.label, classes=classes)
    return rows


def _score(role: str, model: LoadedModel, rows: pl.DataFrame) -> _Scored:
    import numpy as np

    from gatewright.serving.evaluation_rows import to_matrix
    from gatewright.serving.models import PredictionFailed

    matrix = to_matrix(rows, model.signature.names)
    started = time.perf_counter()
    try:
        answers = np.concatenate(
            [model.predict(matrix[start : start + _CHUNK]) for start in range(0, len(matrix), _CHUNK)]
        )
    except PredictionFailed as error:
        raise PredictionFailed(
            f"the {role} (model {model.short_digest}) cannot be scored: {error}",
            fix="see the training log and the data",
        ) from error
    seconds = time.perf_counter() - started
    say(f"scored {len(matrix):,} rows with {role} (model {model.short_digest}) in {seconds:.1f} s")
    return _Scored(role=role, model=model, matrix=matrix, answers=answers)


def _write_predictions(job: ScoringJob, rows: pl.DataFrame, scored: Sequence[_Scored]) -> None:
    import polars as pl

    kept = [name for name in job.keep if name not in ("id", "label")]
    table = rows.select(
        pl.col(job.id).alias("id"),
        pl.col(job.label).cast(pl.Int64).alias("label"),
        *(pl.Series(entry.role, entry.answers) for entry in scored),
        *(pl.col(name) for name in kept),
    )
    buffer = BytesIO()
    table.write_parquet(buffer)
    write_atomic(job.output / "predictions.parquet", buffer.getvalue())


def _write_latency(job: ScoringJob, scored: Sequence[_Scored]) -> None:
    from gatewright.serving.latency import Contender, measure_interleaved

    contenders = [Contender(predict=entry.model.predict, matrix=entry.matrix) for entry in scored]
    measured = measure_interleaved(contenders, samples=job.latency_samples, seed=job.seed)
    by_role = {entry.role: asdict(latency) for entry, latency in zip(scored, measured, strict=True)}
    for role, latency in by_role.items():
        say(f"measured {role}: p50 {latency['p50_ms']:.2f} ms, p99 {latency['p99_ms']:.2f} ms a row")
    document = {"candidate": by_role["candidate"], "baseline": by_role.get("baseline"), "unit": "ms", "order": "ABBA"}
    write_atomic(job.output / "latency.json", json.dumps(document, indent=2).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
