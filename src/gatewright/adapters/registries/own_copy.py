"""The copy of a model in the workspace that a distant registry uploads, and lays again where it is asked for."""

from __future__ import annotations

from pathlib import Path

from gatewright.domain.errors import DigestChanged
from gatewright.domain.lineage import Artifact
from gatewright.effects.files import copy_tree_atomic, measure_artifact


def place_in_workspace(digest: str) -> str:
    """Where the model with this digest lies, below the workspace."""
    return f".gatewright/registry/{digest.removeprefix('sha256:')}"


def own_copy(root: Path, artifact: Artifact) -> Path:
    """The model as it was judged, by its digest, where nobody writes any more; DigestChanged for other bytes."""
    source, target = root / artifact.uri, root / place_in_workspace(artifact.digest)
    found = measure_artifact(source).digest
    if found != artifact.digest:
        raise DigestChanged(f"the model in {artifact.uri}", recorded=artifact.digest, found=found)
    copy_tree_atomic(source, target)
    found = measure_artifact(target).digest
    if found != artifact.digest:
        raise DigestChanged(f"the model in {target}", recorded=artifact.digest, found=found, fix=f"rm -r {target}")
    return target
