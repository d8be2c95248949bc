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
_LIMIT = 1 << 20
_KEYS = ("candidate", "baseline", "data", "id", "label", "keep", "latency_samples", "seed", "output")
_TEXTS = ("data", "id", "label", "output")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelToScore:
    """An artifact's folder, and the digest that its bytes must have."""

    folder: Path
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringJob:
    """Which models to score on which rows. `keep`: further columns of the data that the output carries along."""

    candidate: ModelToScore
    baseline: ModelToScore | None
    data: Path
    id: str
    label: str
    keep: tuple[str, ...]
    latency_samples: int
    seed: int
    output: Path


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
    for key, least in (("latency_samples", MIN_SAMPLES), ("seed", 0)):
        if type(words[key]) is not int or words[key] < least:
            _refuse(path, key, repr(words[key]), f"an integer from {least}")
    return ScoringJob(
        candidate=_model(path, "candidate", words),
        baseline=None if words["baseline"] is None else _model(path, "baseline", words),
        data=Path(words["data"]),
        id=words["id"],
        label=words["label"],
        keep=tuple(dict.fromkeys(words["keep"])),
        latency_samples=words["latency_samples"],
        seed=words["seed"],
        output=Path(words["output"]),
    )


def _model(path: Path, key: str, words: Mapping[str, Any]) -> ModelToScore:
    entry = words[key]
    if (
        not isinstance(entry, dict)
        or entry.keys() != {"folder", "digest"}
        or not all(isinstance(text, str) for text in entry.values())
    ):
        _refuse(path, key, repr(entry), '{"folder": …, "digest": …}')
    return ModelToScore(folder=Path(entry["folder"]), digest=entry["digest"])


def _refuse(path: Path, field: str, found: str, allowed: str) -> NoReturn:
    what = f"{field}: found {found}; allowed: {allowed}" if field else f"found {found}; allowed: {allowed}"
    raise UnusableInput(what, fix="the evaluate stage writes this file", where=Place(file=str(path)))
