"""What a model server answered, for later: which request, which arm, when, and what. Written off the request's path."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.domain.feedback import LABELS, LONGEST_ID, PREDICTIONS, Label, chosen_row
from gatewright.effects.segments import Segments
from gatewright.serving.slice_keys import SliceKeys

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float64]

_log = logging.getLogger("gatewright.serving")
_EVERY_S = 0.25
_MOST_WAITING = 100_000
_LABEL_BYTES = 64 << 20
_REQUEST_ID, _ROUTE, _ATTEMPT = b"x-request-id", b"x-gatewright-route", b"x-envoy-attempt-count"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gateway says of a request, as bytes of its headers, and when it arrived."""

    id: bytes
    route: bytes
    attempt: bytes
    user: bytes
    at: float


def asked(headers: Iterable[tuple[bytes, bytes]], user_header: bytes) -> Asked:
    """Read the headers of a request; without a fit id it gets one."""
    found = dict(headers)
    name = found.get(_REQUEST_ID, b"")
    if not 0 < len(name) <= LONGEST_ID:
        name = os.urandom(16).hex().encode()
    return Asked(name, found.get(_ROUTE, b""), found.get(_ATTEMPT, b"1"), found.get(user_header, b""), time.time())


class PredictionLog:
    """The log of one model server; `note` costs a request about a microsecond, a thread of its own writes in batches.

    `features`: places of the inputs that are logged, too, by their names. Else a request's inputs leave nothing but the
    names of the slices that are asked for; `columns` names the inputs in the order of the rows. A disk that refuses
    costs entries, never an answer.
    """

    def __init__(
        self,
        folder: Path,
        arm: str,
        *,
        limit: int,
        columns: Sequence[str] = (),
        features: Mapping[str, int] | None = None,
    ) -> None:
        self._arm = arm
        self._features = features or {}
        self._slices = SliceKeys(folder, columns)
        self._slices.refresh()
        self._segments = Segments(folder, PREDICTIONS, limit=limit)
        self._labels = Segments(folder, LABELS, limit=_LABEL_BYTES)
        self._waiting: deque[tuple[Asked, float, Sequence[float], Rows | None]] = deque(maxlen=_MOST_WAITING)
        self._ending = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._write_on, name="prediction-log", daemon=True)
        self._thread.start()

    def note(self, request: Asked, outputs: Sequence[float], rows: Rows) -> None:
        """Remember the answer to `rows` (n, inputs); it is on disk within a second."""
        wanted = self._slices.wanted or self._features
        self._waiting.append((request, time.time(), outputs, rows if wanted else None))

    def note_failure(self, request: Asked, rows: Rows) -> None:
        """Remember that the model failed on `rows`, if anybody asks for their slices."""
        if self._slices.wanted:
            self._waiting.append((request, time.time(), (), rows))

    def keep(self, labels: Iterable[Label]) -> None:
        """Write labels; they are on the disk itself when this returns. OSError when it refuses."""
        entries = ({"request_id": label.id, _kind(label): list(label.values)} for label in labels)
        self._labels.append("".join(json.dumps(entry) + "\n" for entry in entries).encode(), durable=True)

    def close(self) -> None:
        """Write what waits, and end."""
        self._ending.set()
        self._thread.join()
        self._segments.close()
        self._labels.close()

    def _write_on(self) -> None:
        while not self._ending.wait(_EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        self._slices.refresh()
        batch = []
        while self._waiting:
            request, answered, outputs, rows = self._waiting.popleft()
            inputs = self._inputs(rows) if outputs else {}
            batch.append(_line(request, answered, outputs, self._arm, self._names(request, rows), inputs))
        if not batch:
            return
        try:
            self._segments.append(b"".join(batch))
        except OSError as error:
            self._failures += 1
            if self._failures & (self._failures - 1) == 0:
                _log.error("prediction log, failure %d, %d answers not logged: %s", self._failures, len(batch), error)

    def _inputs(self, rows: Rows | None) -> dict[str, list[float | None]]:
        """Those inputs that may be logged, by name, with a value per row."""
        return {} if rows is None else {name: _numbers(rows[:, at]) for name, at in self._features.items()}

    def _names(self, request: Asked, rows: Rows | None) -> list[str]:
        """The slices of the one row that counts."""
        if rows is None:
            return []
        return self._slices.names(rows[chosen_row(request.id.decode("latin-1"), len(rows))].tolist())


def _kind(label: Label) -> str:
    return "reward" if label.reward else "label"


def logged(inputs: Sequence[str], allowed: Sequence[str]) -> dict[str, int]:
    """The places of those `inputs` of a model that may be logged."""
    return {name: at for at, name in enumerate(inputs) if name in allowed}


def _numbers(column: Rows) -> list[float | None]:
    """JSON knows no NaN; whole numbers are written short."""
    found = column.tolist()
    return [None if value != value else int(value) if value.is_integer() else value for value in found]


def _line(
    request: Asked,
    answered: float,
    outputs: Sequence[float],
    arm: str,
    slices: list[str],
    inputs: Mapping[str, list[float | None]],
) -> bytes:
    entry: dict[str, object] = {
        "id": request.id.decode("latin-1"),
        "at": round(request.at, 6),
        "ms": round(1000 * (answered - request.at), 3),
        "route": request.route.decode("latin-1"),
        "try": int(request.attempt) if request.attempt.isdigit() else 1,
        "arm": arm,
        "user": blake2b(request.user, digest_size=8).hexdigest() if request.user else "",
        "out": outputs,
    }
    if slices:
        entry["slices"] = slices
    if inputs:
        entry["in"] = inputs
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
