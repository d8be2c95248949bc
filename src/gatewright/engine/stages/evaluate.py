"""Stage 3a, evaluate: score candidate and baseline on the same rows, in a subprocess, and write the report."""

from __future__ import annotations

from typing import Any

from gatewright.domain.documents import canonical_json
from gatewright.domain.lineage import Artifact, Candidate, ModelVersion
from gatewright.effects.files import digest_file
from gatewright.engine.handover import Handover
from gatewright.engine.proofs import golden_version, proven_version
from gatewright.engine.scoring import PREDICTIONS, body_of, score
from gatewright.ports import Progress
from gatewright.rules.evalset import check_weighed
from gatewright.store.codec import decode
from gatewright.store.runs import REPORT, Handoff, RunFolder
from gatewright.workspace import Workspace


def evaluate(workspace: Workspace, run: RunFolder, progress: Progress) -> Handoff:
    """Write evaluation-report.json: counts per slice and group, paired scores, latency measured interleaved."""
    handover = Handover(workspace, run, "evaluate", REPORT)
    lock = handover.need("lock")
    candidate = decode(Candidate, canonical_json(handover.need("candidate").body["candidate"]))
    models = {"candidate": handover.artifact(candidate.artifact)}
    version, data = handover.data("evaluation", lock.body["evaluation"], "evaluation")
    check_weighed(version, workspace.project.evaluation)
    if (baseline := _baseline(handover, lock.body["baseline"])) is not None:
        models["baseline"] = baseline
    if (golden := golden_version(workspace)) is not None:
        models["golden"] = _proven(handover, "golden", golden)
    body = body_of(workspace, score(workspace, run.path, models, version.digest, data, progress))
    body["warnings"] = list(handover.need("validation").body["warnings"])
    for name in ("predictions", "latency"):
        if (path := run.path / PREDICTIONS / f"{name}.parquet").exists():
            handover.outputs[name] = "sha256:" + digest_file(path)
    return handover.finish("passed", body)


def _baseline(handover: Handover, locked: dict[str, Any] | None) -> Artifact | None:
    """The version that served when the run was opened, its bytes proven."""
    if locked is None:
        return None
    return _proven(handover, "baseline", decode(ModelVersion, canonical_json(locked)))


def _proven(handover: Handover, role: str, version: ModelVersion) -> Artifact:
    found = proven_version(handover.workspace, role, version)
    handover.inputs[role] = found.digest
    return found
