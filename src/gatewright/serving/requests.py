"""`POST /predict`: JSON in, a float64 matrix out. What does not fit is refused with its place and what is allowed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from gatewright.serving.signature import Signature

MAX_ROWS = 10_000
MAX_BODY = 8 << 20
_CELLS = frozenset({float, int, type(None)})  # exact types: True is no number


class BadRequest(Exception):
    """A request that cannot be answered: what is wrong, where in the body, what is allowed, and the HTTP status."""

    def __init__(self, what: str, *, where: str = "", allowed: str = "", status: int = 422) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.allowed = allowed
        self.status = status


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; BadRequest for anything else, NaN and Infinity and names given twice included."""
    try:
        document = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}", allowed="a JSON object") from error
    if not isinstance(document, dict):
        raise BadRequest(f"the body is a JSON {type(document).__name__}", allowed="a JSON object")
    return document


class RowReader:
    """Turns `{"instances": [{"AGEP": 40, …}, …]}` into rows for one model."""

    def __init__(self, signature: Signature) -> None:
        self._names = signature.names
        self._known = frozenset(signature.names)

    def read(self, document: Mapping[str, Any]) -> NDArray[np.float64]:
        """(n, inputs) in the order of the signature; null and a missing key become NaN."""
        instances = document.get("instances")
        if len(document) != 1 or instances is None:
            names = sorted(document.keys() - {"instances"})
            raise BadRequest(f"unknown field {names[0]!r}" if names else "no instances", allowed='{"instances": […]}')
        if not isinstance(instances, list):
            raise BadRequest("not a list", where="instances", allowed="a list of objects")
        check_row_count(len(instances), "instances")
        return finite_matrix([self._row(instance, i) for i, instance in enumerate(instances)], self._place)

    def _row(self, instance: object, index: int) -> list[float | None]:
        if not isinstance(instance, dict):
            raise BadRequest(
                f"{instance!r:.80}", where=f"instances[{index}]", allowed="an object: column → number or null"
            )
        if not instance.keys() <= self._known:
            column = min(instance.keys() - self._known)
            raise BadRequest("unknown column", where=f"instances[{index}].{column:.80}", allowed=", ".join(self._names))
        row = list(map(instance.get, self._names))
        if not _CELLS.issuperset(map(type, row)):
            position = next(position for position, value in enumerate(row) if type(value) not in _CELLS)
            raise BadRequest(
                f"{row[position]!r:.80}", where=self._place(index, position), allowed="a finite number or null"
            )
        return row

    def _place(self, row: int, position: int) -> str:
        return f"instances[{row}].{self._names[position]}"


def check_row_count(rows: int, where: str) -> None:
    """BadRequest unless there is at least one row and not more than MAX_ROWS."""
    if not 0 < rows <= MAX_ROWS:
        raise BadRequest(f"{rows:,} rows", where=where, allowed=f"1 to {MAX_ROWS:,} rows")


def finite_matrix(rows: Sequence[Sequence[float | None]], place: Any) -> NDArray[np.float64]:
    """Rows of numbers and None → float64 with NaN; BadRequest at `place(row, column)` for a number out of range."""
    try:
        matrix = np.array(rows, dtype=np.float64)
    except OverflowError:
        matrix = np.array([[_as_float(value) for value in row] for row in rows])
    if np.isinf(matrix).any():
        row, column = np.argwhere(np.isinf(matrix))[0].tolist()
        raise BadRequest("number out of range", where=place(row, column), allowed="a finite number or null")
    return matrix


def _as_float(value: float | None) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:
        return math.inf


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    words = dict(pairs)
    if len(words) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r:.80} is given twice")
    return words


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
