"""What a full verification proves, remembered so that the next one only has to see that nobody touched anything."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gatewright.domain.lineage import DataVersion
from gatewright.effects.digest_cache import RACY_NS
from gatewright.effects.standing import standing
from gatewright.store.verified import keep_verified, pointer_digests

_FILES = ("file", "fileset")


class Verification:
    """Looks at pointer files and data before the first byte is read and after the last: what stood still is proven."""

    def __init__(self, root: Path) -> None:
        """Before any pointer file is read."""
        self._root = str(root)
        self._started = time.time_ns()
        self._pointers = pointer_digests(self._root)
        self._stood: dict[str, tuple[str, int] | None] = {}
        self._proven: list[tuple[DataVersion, str]] = []

    def begin(self, versions: Iterable[DataVersion]) -> None:
        """Before any byte of `versions` is read."""
        for version in versions:
            if version.kind in _FILES and version.uri not in self._stood:
                self._stood[version.uri] = standing(self._root, version.uri)

    def add(self, version: DataVersion, said: Mapping[str, Any]) -> None:
        """The bytes of `version` are as recorded; `said` is what the command says about it."""
        self._proven.append((version, json.dumps(said)))

    def keep(self) -> None:
        """Remember it, but for what was touched meanwhile, or so lately that a change may leave no trace."""
        if self._pointers is None or pointer_digests(self._root) != self._pointers:
            return
        now = {uri: standing(self._root, uri) if before else None for uri, before in self._stood.items()}
        lines = []
        for version, said in self._proven:
            stands = now.get(version.uri)
            if stands and stands == self._stood[version.uri] and stands[1] < self._started - RACY_NS:
                key = f"{version.name}/{version.version}"
                lines.append((key, self._pointers[key], stands[0], version.uri, said))
        keep_verified(self._root, lines)
