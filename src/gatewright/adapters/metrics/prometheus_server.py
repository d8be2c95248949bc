"""The query API of a Prometheus, read strictly: one finite number, whole and not negative, or none at all.

Whatever else comes back is WorldFailed with one sentence: an answer that is not understood must never become a count.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlencode

from gatewright.domain.errors import WorldFailed
from gatewright.effects.asking import Answer, ask

_LARGEST_COUNT = 2.0**53  # beyond, a number no longer grows by one
_MOMENT_S = 0.01
_WIDTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked, and what people call it: `total of canary`."""

    name: str
    query: str


@dataclass(slots=True, kw_only=True)
class PrometheusServer:
    """One server; `timeout_s` is for everything that is asked between two calls of `begin`."""

    url: str
    token_variable: str | None
    timeout_s: float
    _until: float = field(default=0.0, init=False)

    def begin(self) -> None:
        """Start the time limit."""
        self._until = time.monotonic() + self.timeout_s

    def number(self, asked: Asked, at: float) -> float | None:
        """The value at the moment `at`; None when no series has one."""
        result = self._result(asked, "query", {"query": asked.query, "time": f"{at:.3f}"}, "vector")
        series = self._one(asked, result)
        if series is None:
            return None
        moment, value = _value(asked, series.get("value"))
        if not abs(moment - at) <= _MOMENT_S:
            _refuse(asked, f"is of another moment, {moment - at:+.3g} s from the one that was asked for")
        return value

    def count(self, asked: Asked, at: float) -> int | None:
        """The same for what has to be a count."""
        value = self.number(asked, at)
        return None if value is None else _whole(asked, value)

    def counts(self, asked: Asked, *, start: float, end: float, step: float) -> dict[float, int]:
        """Counts from `start` to `end` by their moments, which are rounded to milliseconds."""
        words = {"query": asked.query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        series = self._one(asked, self._result(asked, "query_range", words, "matrix"))
        if series is None:
            return {}
        points = series.get("values")
        if not isinstance(points, list):
            _refuse(asked, "is no list of points")
        read = (_value(asked, point) for point in points)
        return {round(moment, 3): _whole(asked, value) for moment, value in read}

    def _one(self, asked: Asked, result: Sequence[Any]) -> dict[str, Any] | None:
        if len(result) > 1:
            _refuse(asked, f"returned {len(result)} series: make one of them with sum(…)")
        if result and not isinstance(result[0], dict):
            _refuse(asked, "returned something that is no series")
        return result[0] if result else None

    def _result(self, asked: Asked, path: str, words: dict[str, str], kind: str) -> list[Any]:
        left = self._until - time.monotonic()
        if left <= 0:
            raise WorldFailed(f"prometheus: no answer to all queries within {self.timeout_s:g} s", fix="is it busy?")
        answer = ask(f"{self.url}/api/v1/{path}?{urlencode(words)}", timeout_s=left, headers=self._headers())
        document = self._document(asked, answer)
        if warnings := document.get("warnings"):
            _refuse(asked, f"came with a warning, so it may lack something: {_short(warnings)}")
        data = document.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            _refuse(asked, "has no result")
        if data.get("resultType") != kind:
            _refuse(asked, f"is a {_short(data.get('resultType'))} instead of a {kind}")
        result: list[Any] = data["result"]
        return result

    def _document(self, asked: Asked, answer: Answer) -> dict[str, Any]:
        if 300 <= answer.status < 400:
            _refuse(asked, f"was answered with a redirect ({answer.status}): write the address it leads to as url")
        if answer.status in (401, 403):
            how = f"is {self.token_variable} still good?" if self.token_variable else "set token_variable"
            _refuse(asked, f"was refused ({answer.status}): {how}")
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            document = None
        told = isinstance(document, dict) and document.get("status") == "error"
        if isinstance(document, dict) and told:
            _refuse(asked, f"failed: {_short(document.get('errorType'))}: {_short(document.get('error'))}")
        if answer.status != 200:
            _refuse(asked, f"was answered with status {answer.status}")
        if not isinstance(document, dict) or document.get("status") != "success":
            _refuse(asked, "was answered with something else than a result: is url the address of a Prometheus?")
        return document

    def _headers(self) -> dict[str, str]:
        if self.token_variable is None:
            return {}
        token = os.environ.get(self.token_variable, "").strip()
        if not token or not token.isascii() or not token.isprintable():
            raise WorldFailed(
                f"prometheus: the environment variable {self.token_variable} holds no token",
                fix="set it for the process that drives the rollout",
            )
        return {"authorization": f"Bearer {token}"}


def _value(asked: Asked, pair: Any) -> tuple[float, float]:
    """Moment and value of a point."""
    if (
        not isinstance(pair, list)
        or len(pair) != 2
        or isinstance(pair[0], bool)
        or not isinstance(pair[0], (int, float))
    ):
        _refuse(asked, "has no value")
    moment, text = pair
    try:
        value = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        _refuse(asked, f"is {_short(text)}, which is no count")
    return float(moment), value


def _whole(asked: Asked, value: float) -> int:
    if value < 0 or value > _LARGEST_COUNT or value != int(value):
        _refuse(asked, f"is {value:g}, which is no count: give the counter itself, not a rate")
    return int(value)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return plain if len(plain) <= _WIDTH else plain[:_WIDTH] + "…"


def _refuse(asked: Asked, why: str) -> NoReturn:
    raise WorldFailed(f"prometheus: {asked.name} {why}", fix="ask the same in the web interface of the server")
