"""Which data files are there, which one is for training, and which one for evaluation?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from gatewright.domain.adoption import Guess, Repository

_ENDS = (".parquet", ".csv")
_TRAIN = re.compile(r"(^|[_\W])(train|training)([_\W]|$)")
_EVALUATION = re.compile(r"(^|[_\W])(eval|evaluation|test|testing|valid|validation|val|holdout)([_\W\d]|$)")
_NOT_DATA = re.compile(r"(^|/)(tests?|docs?|fixtures|results?|reports?|outputs?|predictions?|logs?)/")
_SMALLEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSets:
    """The guesses; `evaluation` is None when there is only one data set, of which a part has to be set apart."""

    train: Guess | None
    evaluation: Guess | None = None
    others: tuple[str, ...] = ()


def data_files(repository: Repository) -> tuple[str, ...]:
    """CSV and parquet files that may be data sets, the largest first."""
    found = [
        path
        for path, size in repository.files.items()
        if path.lower().endswith(_ENDS) and size >= _SMALLEST and not _NOT_DATA.search(path.lower())
    ]
    return tuple(sorted(found, key=lambda path: (-repository.files[path], path)))


def data_sets(repository: Repository, named_by_code: tuple[str, ...] = ()) -> DataSets:
    """A pair by its names, else the file that the training script names, else the largest one."""
    files = data_files(repository)
    if not files:
        return DataSets(train=None)
    training = [path for path in files if _TRAIN.search(_stem(path))]
    evaluation = [path for path in files if _EVALUATION.search(_stem(path)) and path not in training]
    rest = [path for path in files if path not in evaluation]
    named = [path for path in files if any(_same(path, name) for name in named_by_code) and path in rest]
    if training and (evaluation or not named):
        train = Guess(value=training[0], why=f"its name, {_size(repository, training[0])}", sure=len(training) == 1)
    elif named:
        train = Guess(value=named[0], why="the training script reads it", sure=len(named) == 1)
    elif rest:
        size = _size(repository, rest[0])
        train = Guess(value=rest[0], why=f"the only data file, {size}" if len(files) == 1 else f"the largest, {size}")
        train = Guess(value=train.value, why=train.why, sure=len(files) == 1)
    else:
        return DataSets(train=Guess(value=files[0], why="the largest data file"), others=files[1:])
    chosen = _nearest(train.value, evaluation)
    found = None if chosen is None else Guess(value=chosen, why="its name", sure=len(evaluation) == 1)
    return DataSets(train=train, evaluation=found, others=tuple(path for path in files if path != train.value))


def _nearest(train: str, candidates: list[str]) -> str | None:
    """In the same folder and of the same format, if possible."""
    here = PurePosixPath(train)
    ranked = sorted(
        candidates,
        key=lambda path: (
            PurePosixPath(path).parent != here.parent,
            PurePosixPath(path).suffix != here.suffix,
            candidates.index(path),
        ),
    )
    return ranked[0] if ranked else None


def _stem(path: str) -> str:
    return PurePosixPath(path).stem.lower()


def _same(path: str, name: str) -> bool:
    return path == name.lstrip("./") or PurePosixPath(path).name == PurePosixPath(name).name


def _size(repository: Repository, path: str) -> str:
    return f"{repository.files[path]:,} bytes"
