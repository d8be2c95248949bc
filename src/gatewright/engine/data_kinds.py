"""Which kind of source a uri names, when nobody says it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gatewright.effects.files import safe_join


def kind_of(root: Path, uri: str, names: Sequence[str] = ()) -> str:
    """`fsspec` for a URL, `dvc` for a .dvc file, `delta` for a folder with a log, else `file` or `fileset`.

    A Delta table behind a URL cannot be told from a folder without asking, unless `?version=` stands behind it.
    UnusableInput for a path that leads out of `root`.
    """
    plain, at, _ = uri.partition("?version=")
    if "://" in uri:
        return "delta" if at else "fsspec"
    place = safe_join(root, plain)
    if place.suffix == ".dvc" and place.is_file():
        return "dvc"
    if (place / "_delta_log").is_dir():
        return "delta"
    return "file" if not names and place.is_file() else "fileset"
