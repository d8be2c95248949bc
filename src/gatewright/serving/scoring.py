"""The evaluation process: `python -m gatewright.serving.scoring JOB.json`.

Scores candidate and baseline on the same rows and writes, into the job's output folder:

    predictions.parquet   `id`, `label` (not for task score), a column for each role with its answers, `<role>_score` or
                          `<role>_log_loss` and `<role>_brier` where it knows probabilities, then those of `keep`
    models.json           the task, the classes, and the class whose probability the scores are
    latency.json          quantiles with bounds, and their ratio; null where nothing was measured
    latency.parquet       the calls themselves, in the order of time

Progress goes to standard output line by line; an error is its last line, `{"error": …, "fix": …}`, and its class the
exit code.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import DigestChanged, GatewrightError, UnusableInput
from gatewright.effects.files import read_bytes, write_atomic
from gatewright.serving.job import ModelToScore, ScoringJob, read_job
from gatewright.serving.process import limit_threads, say, say_error, skip_absent_pandas

if TYPE_CHECKING:
    import polars as pl

    from gatewright.serving.answers import Question
    from gatewright.serving.models import LoadedModel
    from gatewright.serving.signature import Signature

_SIGNATURE_LIMIT = 1 << 20
_ROW_GROUP = 1 << 18
"""Small enough that a reader who takes a million rows at a time need not decode more."""


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
    from gatewright.serving.answers import known, left_by_command, predict

    signatures = {role: _signature(model) for role, model in job.models.items()}
    question = _question(job, signatures)
    loaded: dict[str, LoadedModel] = {}
    answers: dict[str, pl.DataFrame] = {}
    for role, model in job.models.items():
        if model.answers is not None:
            answers[role] = left_by_command(role, model.answers, question)
            continue
        kept = known(role, model.digest, question, job)
        if kept is None or role != "golden":  # the golden baseline's latency is nobody's concern
            loaded[role] = _load(role, model, job.allow_code)
        answers[role] = predict(role, loaded[role], question, job) if kept is None else kept
    _write_predictions(job, question, answers)
    _write_latency(job, question, {role: model for role, model in loaded.items() if role != "golden"})


def _signature(model: ModelToScore) -> Signature:
    from gatewright.serving.models import SIGNATURE_FILE
    from gatewright.serving.signature import parse_signature

    path = model.folder / SIGNATURE_FILE
    return parse_signature(read_bytes(path, _SIGNATURE_LIMIT), str(path))


def _load(role: str, artifact: ModelToScore, allow_code: bool) -> LoadedModel:
    from gatewright.serving.models import load

    model = load(artifact.folder, allow_code=allow_code)
    if model.digest != artifact.digest:
        raise DigestChanged(f"the {role} {artifact.folder}", recorded=artifact.digest, found=model.digest)
    return model


def _question(job: ScoringJob, signatures: Mapping[str, Signature]) -> Question:
    from gatewright.serving.answers import Question
    from gatewright.serving.evaluation_rows import check_ids, check_kept, check_labels, read_rows

    classes = signatures["candidate"].classes
    if any(set(signature.classes or ()) != set(classes or ()) for signature in signatures.values()):
        found = ", ".join(f"{role} {signature.classes}" for role, signature in signatures.items())
        raise UnusableInput(f"the models do not answer the same classes: {found}", fix="compare models of one task")
    task = _task(job, signatures["candidate"])
    labels = [] if task == "score" else [job.label]
    check_kept(job.keep, {"id": job.id, "label": job.label})
    inputs = [name for role, model in job.models.items() if model.answers is None for name in signatures[role].names]
    rows = read_rows(job.data, list(dict.fromkeys([job.id, *labels, *job.keep, *inputs])))
    check_ids(rows, job.id)
    if labels:
        check_labels(rows, job.label, classes)
    positive = job.positive if classes is None or job.positive in classes else max(classes)
    return Question(rows=rows, id=job.id, label=job.label, task=task, classes=classes, positive=positive)


def _task(job: ScoringJob, signature: Signature) -> str:
    """The task of the job, or the model's own; a score may be any number that a model answers."""
    task = job.task or signature.task
    if task != signature.task and not (task == "score" and signature.task == "regression"):
        raise UnusableInput(
            f"evaluation.task is {task}, but the model's signature says {signature.task}",
            fix="leave evaluation.task out, or train another kind of model",
        )
    return task


def _write_predictions(job: ScoringJob, question: Question, answers: Mapping[str, pl.DataFrame]) -> None:
    import polars as pl

    from gatewright.serving.answers import columns_of

    label = [] if question.task == "score" else [_label(question)]
    columns = {name: series for role, table in answers.items() for name, series in columns_of(role, table).items()}
    table = question.rows.select(
        pl.col(job.id).alias("id"),
        *label,
        *(series.alias(name) for name, series in columns.items()),
        *(pl.col(name) for name in job.keep if name not in ("id", "label")),
    )
    write_atomic(job.output / "predictions.parquet", _parquet(table))
    facts = {"task": question.task, "classes": question.classes, "positive": question.positive}
    write_atomic(job.output / "models.json", _json(facts))


def _label(question: Question) -> pl.Expr:
    import polars as pl

    kind = pl.Float64 if question.classes is None else pl.Int64
    return pl.col(question.label).cast(kind).alias("label")


def _write_latency(job: ScoringJob, question: Question, models: Mapping[str, LoadedModel]) -> None:
    import polars as pl

    from gatewright.serving.evaluation_rows import to_matrix
    from gatewright.serving.latency import Contender, compare, measure_interleaved, summarise

    document: dict[str, Any] = {"candidate": None, "baseline": None, "ratio": None, "unit": "ms", "order": "ABBA"}
    if models:
        contenders = [
            Contender(predict=model.predict, matrix=to_matrix(question.rows, model.signature.names))
            for model in models.values()
        ]
        times = dict(
            zip(models, measure_interleaved(contenders, samples=job.latency_samples, seed=job.seed), strict=True)
        )
        for role, milliseconds in times.items():
            latency = summarise(milliseconds, seed=job.seed)
            document[role] = asdict(latency)
            say(f"measured {role}: p50 {latency.p50_ms:.2f} ms, p99 {latency.p99_ms:.2f} ms a row")
        if len(times) > 1:
            document["ratio"] = asdict(compare(times["candidate"], times["baseline"], seed=job.seed))
        write_atomic(job.output / "latency.parquet", _parquet(pl.DataFrame(times)))
    else:
        (job.output / "latency.parquet").unlink(missing_ok=True)
        say("latency is not measured: evaluation.command predicts in a process of its own")
    write_atomic(job.output / "latency.json", _json(document))


def _parquet(table: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    table.write_parquet(buffer, row_group_size=_ROW_GROUP)
    return buffer.getvalue()


def _json(document: object) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
