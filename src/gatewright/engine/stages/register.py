"""Stage 4, register: a candidate with a passing verdict becomes a numbered version, once per model digest."""

from __future__ import annotations

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import Candidate
from gatewright.effects.files import digest_file
from gatewright.engine.cards import attach_cards
from gatewright.engine.handover import Handover
from gatewright.engine.signing import sign_version
from gatewright.ports import Progress, Registration
from gatewright.store.codec import decode
from gatewright.store.runs import LOCK, VERSION, Handoff, RunFolder
from gatewright.workspace import Workspace


def register(workspace: Workspace, run: RunFolder, progress: Progress) -> Handoff:
    """Register the candidate; UnusableInput when the verdict speaks of another model, or the run is for a review."""
    handover = Handover(workspace, run, "register", VERSION)
    if run.need(LOCK, "validate").body.get("review"):
        raise UnusableInput(
            f"run {run.id} is for a review, and goes no further than its gates",
            fix="merge the change: the push opens a run that is deployed",
        )
    verdict = handover.need("verdict")
    report_digest = verdict.inputs["evaluation-report.json"]
    trained = handover.need("candidate")
    candidate = decode(Candidate, canonical_json(trained.body["candidate"]))
    artifact = handover.artifact(candidate.artifact)
    if verdict.body["artifact"] != artifact.digest:
        raise UnusableInput(
            f"the verdict of run {run.id} speaks of another model",
            fix=f"gatewright evaluate --run {run.id}, then gate",
        )
    version = workspace.registry.register(
        Registration(candidate=candidate, data_digest=candidate.data, report_digest=report_digest, run=run.id)
    )
    handover.outputs["artifact"] = version.artifact.digest
    if (signature := sign_version(workspace, version)) is not None:
        handover.outputs["signature"] = "sha256:" + digest_file(signature)
    attach_cards(handover, version)
    return handover.finish("passed", {"version": plain(version)})
