"""The environment of training, kept: in candidate.json by digest, and beside it as a bill of materials."""

from __future__ import annotations

from typing import Any

from gatewright.domain.documents import pretty_json, sha256
from gatewright.domain.lineage import Candidate
from gatewright.effects.environment import training_environment
from gatewright.effects.files import safe_join, write_atomic
from gatewright.engine.attesting import FOLDER
from gatewright.engine.handover import Handover
from gatewright.rules.bill_of_materials import archives_of, of_environment

BILL = "sbom.cdx.json"
_LARGEST_LOCK = 16 << 20


def recorded_environment(handover: Handover, candidate: Candidate) -> dict[str, Any]:
    """What the training command found, as `training_environment` tells it; writes the bill of materials of the run."""
    workspace = handover.workspace
    dependencies = workspace.project.checks.dependencies
    named = (dependencies.requirements,) if dependencies else ()
    environment = training_environment(workspace.root, named)
    archives: dict[str, tuple[str, ...]] = {}
    for name in environment["pins"]:
        path = safe_join(workspace.root, name)
        if name.endswith(".txt") and path.stat().st_size <= _LARGEST_LOCK:
            archives |= archives_of(path.read_text(encoding="utf-8", errors="replace"))
    bill = pretty_json(of_environment(environment, model=candidate.model, at=candidate.trained_at, archives=archives))
    write_atomic(handover.run.path / BILL, bill, called=FOLDER)
    handover.outputs["sbom"] = sha256(bill)
    return environment
