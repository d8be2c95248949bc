"""Nothing changed: the proof of the last full look, and whether the bytes it rests on are still the same.

A full look reads and checks every document. While the bytes that it read, the code, the tools and the newest record
are the same, its answer is the same, and no document has to be understood again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewright import __version__
from gatewright.domain.documents import canonical_json, pretty_json, sha256
from gatewright.domain.errors import GatewrightError
from gatewright.effects.code import code_digest
from gatewright.effects.files import digest_file, write_atomic
from gatewright.effects.git import DATA_VERSIONS, head
from gatewright.effects.tools import tools_digest
from gatewright.store.database import Database

_CONFIG, _STATE = "gatewright.yaml", ".gatewright"
_STAMP = "unchanged.json"


def still_unchanged(root: Path, model: str | None) -> Mapping[str, Any] | None:
    """The proof of the last full look if it still holds; None when a full look has to tell."""
    try:
        stamp = json.loads((root / _STATE / _STAMP).read_bytes())[model or ""]
        proof: Mapping[str, Any] = stamp["proof"]
        return proof if stamp["digest"] == _digest(root, model, stamp["program"]) else None
    except (OSError, ValueError, KeyError, TypeError, GatewrightError):
        return None


def remember_unchanged(root: Path, model: str | None, proof: Mapping[str, Any], program: str = "python") -> None:
    """Keep `proof`, what a full look that found nothing changed has compared; `program` is the one that trains."""
    digest = _digest(root, model, program)
    if digest is None:
        return
    path = root / _STATE / _STAMP
    try:
        stamps = json.loads(path.read_bytes())
    except (OSError, ValueError):
        stamps = {}
    stamp = {"digest": digest, "program": program, "proof": dict(proof)}
    write_atomic(path, pretty_json({**stamps, model or "": stamp}))


def _digest(root: Path, model: str | None, program: str) -> str | None:
    """Over all that the answer depends on: tools, documents, code, newest record; None outside a repository."""
    if head(root) is None:
        return None
    documents = [root / _CONFIG, *sorted((root / DATA_VERSIONS).rglob("*.yaml"))]
    database = Database(root / _STATE / "state.db")
    try:
        newest = database.row("SELECT digest FROM records ORDER BY seq DESC LIMIT 1")
    finally:
        database.close()
    parts = {
        "program": __version__,
        "model": model,
        "documents": {str(path.relative_to(root)): digest_file(path) for path in documents},
        "code": code_digest(root),
        "tools": tools_digest(program),
        "record": newest["digest"] if newest else None,
    }
    return sha256(canonical_json(parts))
