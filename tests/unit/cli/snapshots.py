"""Compare output with a file under tests/snapshots/. `UPDATE_SNAPSHOTS=1 pytest …` writes the files; review them."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "snapshots"


def assert_snapshot(name: str, text: str) -> None:
    """`text` is exactly what tests/snapshots/<name>.txt holds."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no snapshot {path}: run again with UPDATE_SNAPSHOTS=1"
    assert text == path.read_text(encoding="utf-8")
