"""The first schema file, inferred from training and evaluation rows together: both have to keep to it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from gatewright.effects.files import safe_join
from gatewright.effects.tables import reading, scan
from gatewright.rules.schema_guesses import guess, schema_text


def schema_of(root: Path, train: str, evaluation: str, given: Mapping[str, bytes]) -> tuple[str, str]:
    """The text of the schema file, and what it was inferred from; `given` are files that are not written yet."""
    import polars as pl

    with ExitStack() as stack:
        places = [laid(stack, root, path, given) for path in (train, evaluation)]
        frames = [scan(place).frame for place in places]
        for place in places:
            stack.enter_context(reading(place))
        names = [frame.collect_schema().names() for frame in frames]
        common = [name for name in names[0] if name in names[1]]
        both = pl.concat([frame.select(common) for frame in frames], how="vertical_relaxed")
        rows, guesses = guess(both)
        for frame, own in zip(frames, names, strict=True):
            alone = [name for name in own if name not in common]
            if alone:
                count, more = guess(frame.select(alone))
                guesses = (*guesses, *(replace(each, only_in=count) for each in more))
    text = schema_text(rows, guesses, f"{train}, {evaluation}")
    return text, f"{len(guesses)} columns, inferred from {rows:,} rows"


def laid(stack: ExitStack, root: Path, path: str, given: Mapping[str, bytes]) -> Path:
    """Where the file `path` can be read, as long as `stack` is open: where it is, or a copy of what is `given`."""
    if path not in given:
        return safe_join(root, path)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatewright-init-")))
    place = folder / Path(path).name
    place.write_bytes(given[path])
    return place
