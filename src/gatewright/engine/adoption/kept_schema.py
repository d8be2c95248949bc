"""A schema file that the team has already: it stays as it is, and the data is judged by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gatewright.domain.errors import DataError
from gatewright.engine.adoption.schema_file import laid
from gatewright.engine.validation import judge_version, validation_document
from gatewright.rules.schema import Schema
from gatewright.rules.schema_guesses import SUGGESTED
from gatewright.store.data_versions import DataVersions
from gatewright.store.schema_files import read_schema


def schema_there(root: Path, name: str, *, anew: bool) -> Schema | None:
    """The schema file `name` of the team; None when there is none, or when it is not one that Gatewright reads.

    `anew`: suggestions that nobody has reviewed yet are not the team's either.
    """
    place = root / name
    try:
        if not place.is_file() or (anew and place.read_bytes().startswith(SUGGESTED.encode())):
            return None
        return read_schema(place)
    except DataError:
        return None


def judged_by(
    root: Path, schema: Schema, paths: Sequence[str], given: Mapping[str, bytes], label: str | None
) -> tuple[dict[str, Any], ...]:
    """What `data validate PATH` would report of each file, drift left out; `given` are those not written yet."""
    found = []
    with ExitStack() as stack:
        for path in paths:
            place = laid(stack, root, path, given)
            judged = judge_version(DataVersions(root), schema, None, place, label=label, reference=None)
            found.append(validation_document(judged, None, path))
    return tuple(found)
