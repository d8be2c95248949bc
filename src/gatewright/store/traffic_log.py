"""Production traffic as a table: what the model servers logged of requests, with their inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.feedback import PREDICTIONS
from gatewright.effects.segments import read_chunks, segments
from gatewright.store.prediction_log import parse_prediction

if TYPE_CHECKING:
    import polars as pl

ID, AT, ARM, PREDICTION = "request", "at", "arm", "prediction"
_CHUNK = 4 << 20


def read_traffic(folder: Path, since: datetime | None = None, until: datetime | None = None) -> pl.DataFrame:
    """A row per row of each request in the log: `request` (`id`, or `id#place` of several), `at`, `arm`, `prediction`
    and the inputs that were logged. Of a request that was tried twice the answer counts that the user got.

    UnusableInput when no request has logged inputs; WorldFailed when the log cannot be read.
    """
    import polars as pl

    begin = since.timestamp() if since else float("-inf")
    end = until.timestamp() if until else float("inf")
    rows: dict[str, tuple[int, dict[str, Any]]] = {}
    requests = 0
    for entry, attempt, row in _rows(folder):
        if not begin <= row[AT] <= end:
            continue
        requests += 1
        known = rows.get(entry)
        if known is None or attempt >= known[0]:
            rows[entry] = (attempt, row)
    with_inputs = [row for _, row in rows.values() if len(row) > len((ID, AT, ARM, PREDICTION))]
    if not with_inputs:
        told = "the prediction log is empty in this window" if not requests else "the prediction log holds no inputs"
        raise UnusableInput(
            f"{told}: {folder}",
            fix="log inputs from now on (serving: {log_features: all}), or name a table of traffic: --from",
        )
    return pl.from_dicts(with_inputs, infer_schema_length=None)


def _rows(folder: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    paths = segments(folder, PREDICTIONS)
    try:
        for chunk in read_chunks(paths, {}, most=_CHUNK):
            for line in chunk.lines:
                yield from _of_line(line)
    except OSError as error:
        raise WorldFailed(
            f"the prediction log cannot be read: {error.strerror}", fix=f"mend the rights of {folder}"
        ) from error


def _of_line(line: bytes) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The rows of one request; nothing for a damaged line, nor for copies and what testers ask for."""
    found = parse_prediction(line)
    if found is None or found.is_copy or found.of_tester:
        return
    inputs = json.loads(line).get("in", {})
    count = len(found.outputs)
    fits = isinstance(inputs, dict) and all(
        isinstance(values, list) and len(values) == count for values in inputs.values()
    )
    for place, output in enumerate(found.outputs):
        name = found.id if count == 1 else f"{found.id}#{place}"
        row = {ID: name, AT: found.at, ARM: found.arm, PREDICTION: output}
        yield name, found.attempt, row | ({key: values[place] for key, values in inputs.items()} if fits else {})
