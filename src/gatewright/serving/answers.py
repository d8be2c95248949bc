"""What models answer to the evaluation rows: predicted here, taken from the cache, or left by a command.

An answer table has a row per evaluation row, in their order: `prediction`, and where the model knows probabilities
`score` (that of the positive class, binary) or `log_loss` and `brier` (each row's own, multiclass).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.domain.errors import DataError, UnusableInput
from gatewright.effects.tables import reading, scan
from gatewright.rules.measuring.cells import METRIC_VERSION
from gatewright.serving.evaluation_rows import to_matrix
from gatewright.serving.job import ScoringJob
from gatewright.serving.models import LoadedModel, PredictionFailed
from gatewright.serving.process import say
from gatewright.store.predictions import PredictionCache

_CHUNK = 65_536
_LIBRARIES = ("numpy", "polars", "scikit-learn", "skops")
_ORDER, _PREDICTION, _SCORE = "row", "prediction", "score"
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The rows to answer, and what is asked of them."""

    rows: pl.DataFrame
    id: str
    label: str
    task: str
    classes: tuple[int, ...] | None
    positive: int

    def made_from(self, digest: str, evaluation_digest: str) -> dict[str, str]:
        """Everything that an answer depends on."""
        return {
            "model": digest,
            "evaluation": evaluation_digest,
            "metric": METRIC_VERSION,
            "id": self.id,
            "label": self.label,
            "task": self.task,
            "positive": str(self.positive),
            **_versions(),
        }


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in _LIBRARIES}
    with contextlib.suppress(PackageNotFoundError):
        found["onnxruntime"] = version("onnxruntime")
    return found


def known(role: str, digest: str, question: Question, job: ScoringJob) -> pl.DataFrame | None:
    """The answers from the cache; None when they are not there, or no longer what was written."""
    kept = PredictionCache(job.cache).get(question.made_from(digest, job.evaluation_digest))
    table = _cached(kept.data, question) if kept.data is not None else None
    if table is None:
        if kept.damaged or kept.data is not None:
            say(f"warning: the cached predictions of the {role} were damaged, and are thrown away")
        return None
    say(f"reused the predictions of the {role} (model {_short(digest)}) on {question.rows.height:,} rows")
    return table


def predict(role: str, model: LoadedModel, question: Question, job: ScoringJob) -> pl.DataFrame:
    """Answer every row, and keep the answers; PredictionFailed names the model."""
    matrix = to_matrix(question.rows, model.signature.names)
    started = time.perf_counter()
    try:
        found = [_answer(model, matrix, question, start) for start in range(0, len(matrix), _CHUNK)]
    except PredictionFailed as error:
        raise PredictionFailed(
            f"the {role} (model {model.short_digest}) cannot be scored: {error}",
            fix="see the training log and the data",
        ) from error
    seconds = time.perf_counter() - started
    say(f"scored {len(matrix):,} rows with {role} (model {model.short_digest}) in {seconds:.1f} s")
    table = pl.DataFrame({name: np.concatenate([part[name] for part in found]) for name in found[0]})
    buffer = BytesIO()
    table.with_columns(question.rows[question.id].alias("id")).write_parquet(buffer)
    PredictionCache(job.cache).put(question.made_from(model.digest, job.evaluation_digest), buffer.getvalue())
    return table


def left_by_command(role: str, path: Path, question: Question) -> pl.DataFrame:
    """The answers that a command wrote for exactly these rows, in any order: `id`, `prediction`, perhaps `score`."""
    table = _read(role, path)
    if missing := [name for name in ("id", _PREDICTION) if name not in table.columns]:
        raise UnusableInput(
            f"the {role}'s predictions in {path} lack the column {missing[0]}",
            fix="let evaluation.command write id, prediction, and score if it knows one",
        )
    ids = question.rows[question.id]
    if not _comparable(table["id"].dtype, ids.dtype):
        raise UnusableInput(
            f"the {role}'s predictions have ids of {table['id'].dtype}, the evaluation rows of {ids.dtype}",
            fix="write the id column as it is in the data",
        )
    given = table["id"].cast(ids.dtype, strict=False)
    _check_identity(role, given, ids)
    wanted = [_PREDICTION, *([_SCORE] if _SCORE in table.columns else [])]
    order = pl.DataFrame({"id": ids}).with_row_index(_ORDER)
    joined = order.join(table.select(given.alias("id"), *wanted), on="id", how="left").sort(_ORDER).select(wanted)
    for name in wanted:
        if gaps := joined[name].null_count():
            raise UnusableInput(f"the {role} left {gaps:,} rows without {name}", fix="predict every row")
    return _typed(role, joined, question)


def _answer(
    model: LoadedModel, matrix: NDArray[np.float64], question: Question, start: int
) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
    rows = matrix[start : start + _CHUNK]
    found: dict[str, NDArray[np.int64] | NDArray[np.float64]] = {_PREDICTION: model.predict(rows)}
    if question.classes is None or (shares := model.probabilities(rows)) is None:
        return found
    classes = np.array(model.signature.classes)
    if question.task == "binary":
        found[_SCORE] = shares[:, int(np.flatnonzero(classes == question.positive)[0])]
        return found
    labels = question.rows[question.label].slice(start, len(rows)).cast(pl.Int64).to_numpy()
    hit = labels[:, np.newaxis] == classes
    tiny = float(np.finfo(np.float64).eps)
    found["log_loss"] = -np.log(np.clip(shares[hit], tiny, 1.0 - tiny))
    found["brier"] = np.square(shares - hit).sum(axis=1)
    return found


def _cached(data: bytes, question: Question) -> pl.DataFrame | None:
    """The table in `data` if it answers exactly these rows."""
    try:
        table = pl.read_parquet(BytesIO(data))
    except pl.exceptions.PolarsError:
        return None
    if "id" not in table.columns or _PREDICTION not in table.columns:
        return None
    return table.drop("id") if table["id"].equals(question.rows[question.id]) else None


def _read(role: str, path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise UnusableInput(
            f"evaluation.command left no file {path} for the {role}", fix="let it write to {output.path}"
        )
    named = path if path.suffix in (".parquet", ".csv") else None
    try:
        with reading(path):
            if named is not None:
                return scan(named).frame.collect()
            is_parquet = path.read_bytes()[:4] == b"PAR1"
            return pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema_length=None)
    except DataError as error:
        raise UnusableInput(f"the {role}'s predictions: {error}", fix=error.fix) from error


def _check_identity(role: str, given: pl.Series, ids: pl.Series) -> None:
    """Exactly the evaluation rows must be answered, each once."""
    found = {
        "answered twice": given.filter(given.is_duplicated()).unique(maintain_order=True),
        "missing": ids.filter(~ids.is_in(given.implode())),
        "not in the evaluation set": given.filter(~given.is_in(ids.implode())),
    }
    for what, names in found.items():
        if len(names):
            examples = ", ".join(repr(value) for value in names.head(_NAMED).to_list())
            raise UnusableInput(
                f"the {role}'s predictions: {len(names):,} ids are {what}, for example {examples}",
                fix="let evaluation.command answer each row of {data.path} once",
            )


def _typed(role: str, table: pl.DataFrame, question: Question) -> pl.DataFrame:
    """Predictions and scores as numbers that the task allows."""
    answers = table[_PREDICTION]
    if not answers.dtype.is_numeric() and answers.dtype != pl.Boolean:
        raise UnusableInput(f"the {role} answered {answers.dtype}; allowed: numbers", fix="write numbers")
    if question.classes is None:
        return table.select(answers.cast(pl.Float64))
    strange = answers.filter(~answers.cast(pl.Float64).is_in([float(known) for known in question.classes]))
    if len(strange):
        raise UnusableInput(
            f"the {role} answered {strange[0]!r}; allowed: {', '.join(map(str, question.classes))}",
            fix="write the classes of the label",
        )
    typed = table.with_columns(answers.cast(pl.Int64))
    if _SCORE in typed.columns and question.task != "binary":
        return typed.drop(_SCORE)  # one number says nothing about several classes
    return typed


def _comparable(one: pl.DataType, other: pl.DataType) -> bool:
    return one == other or (one.is_integer() and other.is_integer())


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def columns_of(role: str, table: pl.DataFrame) -> Mapping[str, pl.Series]:
    """The columns of an answer table as predictions.parquet has them: `candidate`, `candidate_score`, …"""
    return {role if name == _PREDICTION else f"{role}_{name}": table[name] for name in table.columns}
