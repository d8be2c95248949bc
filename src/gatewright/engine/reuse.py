"""A model that stands in for training: found when the run was planned, and proven once more before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.lineage import Candidate
from gatewright.effects.tools import tools_digest
from gatewright.engine.handover import Handover
from gatewright.engine.opening import locked_inputs
from gatewright.engine.planning import present_code, trained_models
from gatewright.rules.plan import Trained
from gatewright.store.codec import decode
from gatewright.store.runs import CANDIDATE, Handoff


def stand_in(handover: Handover) -> Handoff | None:
    """candidate.json with the model of an earlier run; None when training has to run.

    The plan in the lock names the model; here it must be found again, by the locked inputs, with the same bytes, and
    code and tools must still be those of the lock.
    """
    lock = handover.need("lock")
    planned = (lock.body.get("plan") or {}).get("reuse")
    if planned is None:
        return None
    workspace = handover.workspace
    inputs = locked_inputs(handover.run)
    now = (present_code(workspace), tools_digest(workspace.project.train.command[0]))
    if now != (inputs.code, inputs.tools):
        return None
    for found in trained_models(workspace, inputs):
        if found.artifact.digest == planned["artifact"]["digest"]:
            return _finished(handover, lock.body, found)
    return None


def _finished(handover: Handover, lock: Mapping[str, Any], found: Trained) -> Handoff:
    artifact = replace(handover.artifact(found.artifact), uri=found.artifact.uri)
    original = _candidate(handover, found.run)
    candidate = Candidate(
        model=lock["model"],
        artifact=artifact,
        data=original.data if original else lock["train"]["digest"],
        commit=original.commit if original else lock["commit"],
        params=original.params if original else {},
        trained_at=original.trained_at if original else handover.started_at,
    )
    handover.outputs["artifact"] = artifact.digest
    reused = {"run": found.run, "called": found.called, "serves": found.serves}
    return handover.finish("passed", {"candidate": plain(candidate), "seconds": 0.0, "reused": reused})


def _candidate(handover: Handover, run: str) -> Candidate | None:
    """How the model was made, where its run is still here."""
    for folder in handover.workspace.runs.all():
        handoff = folder.read(CANDIDATE) if folder.id == run else None
        if handoff is not None:
            return decode(Candidate, canonical_json(handoff.body["candidate"]))
    return None
