"""Stage 4, register: a candidate with a passing verdict becomes a numbered version, once per model digest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import Candidate
from gatewright.engine.handover import Handover
from gatewright.engine.keeping import keep_evidence
from gatewright.ports import Progress, Registration
from gatewright.store.codec import decode
from gatewright.store.runs import LOCK, VERSION, Handoff, RunFolder
from gatewright.workspace import Workspace

_EVIDENCE = ("evaluation-report", "verdict", "candidate", "lock")


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
    version = workspace.registry.register(_registration(workspace, run, candidate, report_digest))
    handover.outputs["artifact"] = version.artifact.digest
    keep_evidence(handover, version)
    return handover.finish("passed", {"version": plain(version)})


def _registration(workspace: Workspace, run: RunFolder, candidate: Candidate, report_digest: str) -> Registration:
    lock = run.need("lock", "validate").body
    report = run.need("evaluation-report", "evaluate").body
    data = [workspace.data_versions.get(lock[role]["name"], lock[role]["version"]) for role in ("train", "evaluation")]
    return Registration(
        candidate=candidate,
        data_digest=candidate.data,
        report_digest=report_digest,
        run=run.id,
        documents={f"{name}.json": (run.path / f"{name}.json").read_bytes() for name in _EVIDENCE},
        metrics=dict(_numbers(report)),
        data=data,
        links={
            **{each.role: f"{each.name} {each.version}" for each in data},
            "evaluation_digest": report["evaluation_digest"],
            "baseline_digest": report["baseline_digest"] or "none",
        },
    )


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures of the report's simple form by name; those of a slice as `slices/<slice>`."""
    for name, value in report.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, int | float) and math.isfinite(value):
            yield name, float(value)
        elif name == "slices" and isinstance(value, Mapping):
            for called, share in value.items():
                if isinstance(share, int | float) and math.isfinite(share):
                    yield f"{name}/{called}", float(share)
