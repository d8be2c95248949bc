"""Reads the report and baseline files that teams write themselves, strictly: a pass never rests on a typo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from gatewright.config.nodes import parse
from gatewright.config.problems import failure, shown
from gatewright.domain.errors import Problem, ReportError, UnusableInput
from gatewright.domain.evaluation import Measures
from gatewright.domain.gate import GATE_NAMES, GateName
from gatewright.rules.reports.reading import report_from

LIMIT = 2 << 20
ACCURACY, SLICES, PARITY = "overall_accuracy", "slices", "demographic_parity_diff"
LATENCY, SLA = "latency_p99_ms", "latency_sla_p99_ms"
DIGEST, VERSION = "evaluation_digest", "metric_version"
KNOWN = (ACCURACY, SLICES, PARITY, LATENCY, SLA, DIGEST, VERSION)
_ALIASES = {"demographic_parity_difference": PARITY}
_MOST_FIELDS = 1000
_OURS = "gatewright/evaluation-report/"
_FIX = "compare it with the table of fields in docs/gates.md"


def read_report(path: Path, needed: frozenset[GateName] = frozenset(GATE_NAMES)) -> Measures:
    """The candidate's report. Every number that a gate of `needed` compares must be there.

    ReportError with each problem and its position; UnusableInput when there is no such file. Keys of the team's own
    are allowed unless they look like a known one.
    """
    required = {ACCURACY}
    required |= {SLICES} if "slices" in needed else set()
    required |= {PARITY} if "fairness" in needed else set()
    required |= {LATENCY} if "latency" in needed else set()
    return _Reader(path, frozenset(required)).measures()


def read_baseline(path: Path) -> Measures:
    """The baseline file. Only the accuracy must be there; what else it lacks, the gates say."""
    return _Reader(path, frozenset({ACCURACY})).measures()


class _Reader:
    """One file; collects every problem before it gives up."""

    def __init__(self, path: Path, required: frozenset[str]) -> None:
        self._path = path
        self._required = required
        self._problems: list[Problem] = []
        self._document = parse(_bytes(path), str(path), error=ReportError, limit=LIMIT)

    def measures(self) -> Measures:
        body = self._document.value
        if not isinstance(body, dict):
            self._tell((), "", f"is {shown(body)}, not an object with {ACCURACY} and the other numbers")
            raise self._failure()
        self._check_keys(body)
        accuracy = self._number(body, ACCURACY, lowest=0.0, highest=1.0)
        slices = self._slices(body)
        parity = self._number(body, PARITY, lowest=-1.0, highest=1.0)
        latency = self._number(body, LATENCY, lowest=None)
        sla = self._number(body, SLA, lowest=None)
        digest, version = self._text(body, DIGEST), self._text(body, VERSION)
        rows, slice_rows = _rows(body)
        if self._problems or accuracy is None:
            raise self._failure()
        return Measures(
            overall_accuracy=accuracy,
            slices=slices,
            demographic_parity_diff=abs(parity) if parity is not None else None,
            latency_p99_ms=latency,
            latency_sla_p99_ms=sla,
            rows=rows,
            slice_rows=slice_rows,
            evaluation_digest=digest,
            metric_version=version,
        )

    def _check_keys(self, body: Mapping[str, Any]) -> None:
        if len(body) > _MOST_FIELDS:
            self._tell((), "", f"has {len(body):,} fields, at most {_MOST_FIELDS:,} are read: is it the right file?")
            raise self._failure()
        for key in body:
            meant = _meant(key)
            if meant is not None and meant not in body:
                self._tell((key,), key, f"unknown word: did you mean {meant!r}?", at_key=True)

    def _slices(self, body: Mapping[str, Any]) -> dict[str, float]:
        if not self._there(body, SLICES):
            return {}
        slices = body[SLICES]
        if not isinstance(slices, dict):
            self._tell((SLICES,), SLICES, f"is {shown(slices)}, not an object of slice names and accuracies")
            return {}
        found = {}
        for name in slices:
            value = self._number(slices, name, lowest=0.0, highest=1.0, inside=(SLICES,))
            if value is not None:
                found[name] = value
        return found

    def _number(
        self,
        values: Mapping[str, Any],
        name: str,
        *,
        lowest: float | None,
        highest: float | None = None,
        inside: tuple[str, ...] = (),
    ) -> float | None:
        """The number at `name` within its limits (above zero when there are none); None when it is not there."""
        if not inside and not self._there(values, name):
            return None
        value = values[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        in_range = number and (lowest <= value <= (highest or 0.0) if lowest is not None else value > 0)
        if not in_range:
            allowed = f"a number from {lowest:g} to {highest:g}" if lowest is not None else "a number greater than zero"
            self._tell((*inside, name), ".".join((*inside, name)), f"is {shown(value)}, not {allowed}")
            return None
        return float(value)

    def _text(self, body: Mapping[str, Any], name: str) -> str | None:
        """The text at `name`; None when it is not there."""
        value = body.get(name)
        if value is None or (isinstance(value, str) and value):
            return value
        self._tell((name,), name, f"is {shown(value)}, not a text that names the evaluation set or the metrics")
        return None

    def _there(self, body: Mapping[str, Any], name: str) -> bool:
        """Whether `name` has a value; a missing one that is required is a problem. An optional one may be null."""
        if body.get(name) is not None or (name in body and name in self._required):
            return True
        if name in self._required and not any(_meant(key) == name for key in body):
            self._tell((), name, "is missing")
        return False

    def _tell(self, path: tuple[str, ...], field: str, what: str, *, at_key: bool = False) -> None:
        where = self._document.key_place(path) if at_key else self._document.place(path)
        self._problems.append(Problem(where=where, field=field, what=what))

    def _failure(self) -> Exception:
        return failure(ReportError, str(self._path), self._problems, fix=_FIX)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
    except FileNotFoundError as error:
        raise UnusableInput(f"{path} does not exist", fix="name the file, or run the step that writes it") from error
    except OSError as error:
        raise UnusableInput(f"{path} cannot be read: {error.strerror}", fix="check the path and its rights") from error


def _meant(key: str) -> str | None:
    """The known word that `key` seems to misspell. Words that differ in their digits only (p50, p95) are others."""
    if key in KNOWN:
        return None
    if key in _ALIASES:
        return _ALIASES[key]
    if any(key != known and _without_digits(key) == _without_digits(known) for known in KNOWN):
        return None
    return next((known for known in KNOWN if _distance(key, known) <= 2), None)


def _without_digits(word: str) -> str:
    return re.sub(r"\d+", "#", word)


def _distance(one: str, other: str) -> int:
    """Edits (insert, delete, replace) between two words; Wagner and Fischer, 1974."""
    if abs(len(one) - len(other)) > 2:
        return 3
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, start=1):
        following = [index]
        for column, (diagonal, above) in enumerate(pairwise(row)):
            replaced = diagonal + (letter != other[column])
            following.append(min(replaced, above + 1, following[-1] + 1))
        row = following
    return row[-1]


def _rows(body: Mapping[str, Any]) -> tuple[int | None, dict[str, int]]:
    """Rows overall and per slice, as Gatewright's own report tells them; a team's report tells none."""
    if not str(body.get("schema", "")).startswith(_OURS):
        return None, {}
    report = report_from(body)
    return report.overall.rows, {name: counts.rows for name, counts in report.slices.items()}
