"""A document as a dataclass, strictly: no unknown word, no converted type, no number that is none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar, cast

from gatewright.config.nodes import Document
from gatewright.config.problems import Path, dotted, failure, nearest, shown, shown_at, unknown
from gatewright.config.words import annotation_at, demanded, described, hint, keys_of, options_of
from gatewright.domain.errors import ConfigError, Problem, WithProblems

T = TypeVar("T")

# What pydantic says in these cases, the expected type says better.
_MISFITS = (
    "_type",
    "_parsing",
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "too_short",
    "int_from_float",
    "finite_number",
)
_UNKNOWN = "unexpected_keyword_argument"
_MOST_GUESSED = 100
_CHOICES = ("literal_error", "enum")


def read_as(
    kind: type[T],
    document: Document,
    *,
    error: type[WithProblems] = ConfigError,
    at: Path = (),
    what: str = "",
) -> T:
    """The part of `document` at `at` as a `kind`, a dataclass; `error` tells every problem with its position.

    `what` names the thing that is read in the first line of the error, instead of the file.
    """
    value: Any = document.value
    for part in at:
        inside = isinstance(value, dict) and part in value
        if not inside and not (isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)):
            problem = Problem(where=document.place(at), field=dotted(at), what="is missing")
            raise failure(error, what or document.file, [problem])
        value = value[part]
    found, problems = read_value(kind, value, document, at)
    if problems:
        raise failure(error, what or document.file, problems)
    return cast("T", found)


def read_value(kind: Any, value: Any, document: Document, at: Path = ()) -> tuple[Any, list[Problem]]:
    """`value`, which stands at `at` in `document`, as a `kind`; or None and what is wrong with it.

    `value` may differ from what stands there (a short form written out): places are then those of the nearest
    value around it that does stand there.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_json(json.dumps(value), strict=True, extra="forbid"), []
    except ValidationError as failed:
        return None, list(_problems(kind, value, document, at, failed.errors(include_url=False)))


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _problems(kind: Any, value: Any, document: Document, at: Path, errors: Iterable[Any]) -> Iterable[Problem]:
    told: dict[Path, Any] = {}
    for error in errors:
        told.setdefault(_path(error, value), error)
    around = {path[:length] for path in told for length in range(len(path))}
    strange = [path for path, error in told.items() if error["type"] == _UNKNOWN]
    meant: dict[Path, str | None] = {
        path: nearest(str(path[-1]), keys_of(annotation_at(kind, path[:-1]))) for path in strange[:_MOST_GUESSED]
    }
    misspelt = {(*path[:-1], near) for path, near in meant.items()}
    for path, error in told.items():
        if error["type"] == _UNKNOWN:
            what = unknown(str(path[-1]), keys_of(annotation_at(kind, path[:-1])), meant.get(path))
            yield Problem(where=document.key_place(at + path), field=dotted(at + path[:-1]), what=what)
        elif path not in around and not (error["type"] == "missing" and path in misspelt):
            yield _problem(kind, value, document, at, path, error)


def _problem(kind: Any, value: Any, document: Document, at: Path, path: Path, error: Any) -> Problem:
    where, annotation = document.place(at + path), annotation_at(kind, path)
    code, found = error["type"], _found(value, path)
    if code == "missing":
        where = document.key_place(at + path[:-1])
        what = f"is missing: write {described(annotation)}"
    elif code in _CHOICES:
        near = nearest(found, options_of(annotation)) if isinstance(found, str) else None
        guess = f"; did you mean {near!r}?" if near else ""
        what = f"{shown(found)} is not {described(annotation)}{guess}"
    elif annotation is not None and code.endswith(_MISFITS):
        what = f"{shown(found)} is not {described(annotation)}{hint(annotation, found)}"
    elif code == "predicate_failed":
        what = f"{shown_at(path, found)} is no {demanded(annotation)}"
    elif code == "value_error":
        what = f"{shown(found)}: {error['ctx']['error']}{hint(annotation, found)}"
    else:
        what = f"{shown(found)}: {error['msg']}"
    return Problem(where=where, field=dotted(at + path), what=what)


def _path(error: Any, value: Any) -> Path:
    """Where in `value` the error is: pydantic also names the branches of unions, which no file has."""
    location = error["loc"]
    keyed = error["type"] in ("missing", _UNKNOWN)
    path: Path = ()
    for part in location[:-1] if keyed else location:
        inside = isinstance(value, dict) and part in value
        if inside or (isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)):
            path, value = (*path, part), value[part]
    return (*path, location[-1]) if keyed else path


def _found(value: Any, path: Path) -> Any:
    for part in path:
        inside = isinstance(value, dict) and part in value
        if not inside and not (isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)):
            return None
        value = value[cast("Any", part)]
    return value
