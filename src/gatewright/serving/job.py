"""The evaluation job as its JSON file describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from gatewright.domain.errors import Place, UnusableInput
from gatewright.effects.files import read_bytes

MIN_SAMPLES = 299  # the 99th percentile has a 95 % upper bound within the sample only from here on
ROLES = ("candidate", "baseline", "golden")
_LIMIT = 1 << 20
_TEXTS = ("data", "id", "label", "output", "evaluation_digest", "cache")
_KEYS = (*ROLES, *_TEXTS, "allow_code", "keep", "task", "positive", "latency_samples", "seed")
_TASKS = ("binary", "multiclass", "regression", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelToScore:
    """An artifact's folder, and the digest that its bytes must have.

    `answers`: a file with its predictions, which a command of the team's own has left; the model is not loaded then.
    """

    folder: Path
    digest: str
    answers: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringJob:
    """Which models to score on which rows.

    `models` by role, the candidate first. `keep`: further columns of the data that the output carries along. `task` is
    the candidate's own when it is None. `positive` is the class whose probability counts. Predictions are kept in the
    folder `cache` by `evaluation_digest`, that of the rows. `allow_code`: as `train.allow_code` says.
    """

    models: Mapping[str, ModelToScore]
    data: Path
    id: str
    label: str
    keep: tuple[str, ...]
    task: str | None
    positive: int
    latency_samples: int
    seed: int
    evaluation_digest: str
    cache: Path
    output: Path
    allow_code: bool = False


def read_job(path: Path) -> ScoringJob:
    """The job in `path`; UnusableInput names the field that is wrong and what is allowed."""
    try:
        words = json.loads(read_bytes(path, _LIMIT))
    except ValueError as error:
        _refuse(path, "", f"not valid JSON: {error}", "a JSON object")
    if not isinstance(words, dict) or words.keys() != set(_KEYS):
        _refuse(path, "", "other fields", ", ".join(_KEYS))
    for key in _TEXTS:
        if not isinstance(words[key], str) or not words[key]:
            _refuse(path, key, repr(words[key]), "a text")
    if not isinstance(words["keep"], list) or not all(isinstance(name, str) for name in words["keep"]):
        _refuse(path, "keep", repr(words["keep"]), "a list of column names")
    if words["task"] not in (None, *_TASKS):
        _refuse(path, "task", repr(words["task"]), ", ".join(_TASKS))
    if type(words["allow_code"]) is not bool:
        _refuse(path, "allow_code", repr(words["allow_code"]), "true or false")
    for key, least in (("latency_samples", MIN_SAMPLES), ("seed", 0), ("positive", None)):
        if type(words[key]) is not int or (least is not None and words[key] < least):
            _refuse(path, key, repr(words[key]), "an integer" if least is None else f"an integer from {least}")
    wanted = [role for role in ROLES if role == "candidate" or words[role] is not None]
    return ScoringJob(
        models={role: _model(path, role, words) for role in wanted},
        data=Path(words["data"]),
        id=words["id"],
        label=words["label"],
        keep=tuple(dict.fromkeys(words["keep"])),
        task=words["task"],
        positive=words["positive"],
        latency_samples=words["latency_samples"],
        seed=words["seed"],
        evaluation_digest=words["evaluation_digest"],
        cache=Path(words["cache"]),
        output=Path(words["output"]),
        allow_code=words["allow_code"],
    )


def _model(path: Path, key: str, words: Mapping[str, Any]) -> ModelToScore:
    entry = words[key]
    if (
        not isinstance(entry, dict)
        or entry.keys() != {"folder", "digest", "answers"}
        or not all(isinstance(entry[name], str) for name in ("folder", "digest"))
        or not isinstance(entry["answers"], str | None)
    ):
        _refuse(path, key, repr(entry), '{"folder": …, "digest": …, "answers": … or null}')
    answers = None if entry["answers"] is None else Path(entry["answers"])
    return ModelToScore(folder=Path(entry["folder"]), digest=entry["digest"], answers=answers)


def _refuse(path: Path, field: str, found: str, allowed: str) -> NoReturn:
    what = f"{field}: found {found}; allowed: {allowed}" if field else f"found {found}; allowed: {allowed}"
    raise UnusableInput(what, fix="the evaluate stage writes this file", where=Place(file=str(path)))
