"""Which slices the model servers of a model note of each request: a small file beside their log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gatewright.domain.documents import canonical_json
from gatewright.domain.rollout import LiveSlice
from gatewright.effects.files import write_atomic

FILE = "slices.json"
_NONE = b"[]"


def ask_for(folder: Path, slices: Sequence[LiveSlice]) -> None:
    """Let the model servers that log into `folder` note `slices`; with none they note none. WorldFailed if it cannot.

    They look at the file several times a second. What is asked already is not written again.
    """
    path, asked = folder / FILE, canonical_json(list(slices))
    try:
        known = path.read_bytes()
    except OSError:
        known = _NONE
    if asked != known:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, asked)


def asked(folder: Path) -> tuple[LiveSlice, ...]:
    """What is asked for; nothing where the file is missing or damaged."""
    try:
        entries = json.loads((folder / FILE).read_bytes())
        return tuple(
            LiveSlice(columns=tuple(entry["columns"]), bins=tuple(entry["bins"]) if entry["bins"] else None)
            for entry in entries
        )
    except (OSError, ValueError, LookupError, TypeError):
        return ()
