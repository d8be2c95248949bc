"""Reading what the model servers logged: predictions, and labels that came to them over HTTP."""

from __future__ import annotations

import json
import math
from pathlib import Path

from gatewright.domain.feedback import Label, Prediction, read_label


def log_folder(root: Path, model: str) -> Path:
    """Where the model servers of `model` log, in the workspace at `root`."""
    return root / ".gatewright" / "predictions-log" / model


def parse_prediction(line: bytes) -> Prediction | None:
    """One line of the log; None for a damaged one."""
    try:
        entry = json.loads(line)
        outputs = tuple(float(value) for value in entry["out"])
        at = float(entry["at"])
        slices = tuple(map(str, entry.get("slices", ())))
        if not (outputs or slices) or not all(map(math.isfinite, (at, *outputs))):
            return None
        return Prediction(
            id=entry["id"],
            at=at,
            route=entry["route"],
            attempt=int(entry["try"]),
            arm=entry["arm"],
            user=entry["user"],
            outputs=outputs,
            slices=slices,
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def parse_label(line: bytes) -> Label | None:
    """One line of the labels; None for a damaged one."""
    try:
        return read_label(json.loads(line))
    except ValueError:
        return None
