"""Stage 3a, evaluate: score candidate and baseline on the same rows, in a subprocess, and write the report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gatewright.domain.documents import canonical_json, pretty_json, read_json
from gatewright.domain.errors import StageFailed, UnusableInput, WorldFailed
from gatewright.domain.evaluation import Latency
from gatewright.domain.lineage import Artifact, Candidate, DataVersion, ModelVersion
from gatewright.effects.files import digest_file, measure_artifact, read_bytes, write_atomic
from gatewright.engine.handover import Handover
from gatewright.engine.scoring import SCORING, run_forked
from gatewright.ports import Job, Progress
from gatewright.store.codec import decode
from gatewright.store.runs import REPORT, Handoff, RunFolder
from gatewright.workspace import Workspace

_TIMEOUT_S = 3600.0
_LIMIT = 1 << 20


def evaluate(workspace: Workspace, run: RunFolder, progress: Progress) -> Handoff:
    """Write evaluation-report.json: counts per slice and group, parity difference, latency measured interleaved."""
    handover = Handover(workspace, run, "evaluate", REPORT)
    lock = handover.need("lock")
    candidate = decode(Candidate, canonical_json(handover.need("candidate").body["candidate"]))
    artifact = handover.artifact(candidate.artifact)
    version, data = handover.data("evaluation", lock.body["evaluation"], "evaluation")
    baseline = _baseline(handover, lock.body["baseline"])
    job = run.path / "scoring.json"
    output = run.path / "predictions"
    write_atomic(job, pretty_json(_job(workspace, artifact, baseline, data, output)))
    _score(workspace, run, job, progress)
    body = _report(workspace, artifact, baseline, version, output)
    body["warnings"] = list(handover.need("validation").body["warnings"])
    handover.outputs["predictions"] = "sha256:" + digest_file(output / "predictions.parquet")
    return handover.finish("passed", body)


def _baseline(handover: Handover, locked: dict[str, Any] | None) -> Artifact | None:
    """The version that served when the run was opened, its bytes proven."""
    if locked is None:
        return None
    version = decode(ModelVersion, canonical_json(locked))
    found = measure_artifact(handover.workspace.root / version.artifact.uri)
    if found.digest != version.artifact.digest:
        raise UnusableInput(
            f"the baseline in {version.artifact.uri} is not the registered version {version.number}: "
            f"{found.digest} instead of {version.artifact.digest}",
            fix="restore the registry's files",
        )
    handover.inputs["baseline"] = found.digest
    return found


def _job(
    workspace: Workspace, candidate: Artifact, baseline: Artifact | None, data: Path, output: Path
) -> dict[str, Any]:
    evaluation = workspace.project.evaluation
    columns = [column for spec in evaluation.slices for column in spec.columns]
    return {
        "candidate": {"folder": candidate.uri, "digest": candidate.digest},
        "baseline": {"folder": baseline.uri, "digest": baseline.digest} if baseline else None,
        "data": str(data),
        "id": evaluation.id,
        "label": evaluation.label,
        "keep": list(dict.fromkeys([*columns, *workspace.project.fairness.attributes])),
        "latency_samples": evaluation.latency_samples,
        "seed": 0,
        "output": str(output),
    }


def _score(workspace: Workspace, run: RunFolder, job: Path, progress: Progress) -> None:
    log = run.path / "logs" / "evaluate.log"
    log.unlink(missing_ok=True)
    work = Job(argv=(sys.executable, *SCORING, str(job)), cwd=workspace.root, log=log, timeout_s=_TIMEOUT_S)
    result = run_forked(workspace, work, progress) or workspace.executor.run(work, progress)
    if result.code == 0:
        return
    reason = _last_words(log)
    if result.ended == "timeout":
        raise WorldFailed(f"scoring did not end within {_TIMEOUT_S:.0f} s", fix=f"see {log}")
    if result.code == StageFailed.exit_code:
        raise StageFailed(f"the model cannot score the evaluation set: {reason}", fix=f"see {log}")
    if result.code == UnusableInput.exit_code:
        raise UnusableInput(reason, fix=f"see {log}")
    raise WorldFailed(f"scoring ended with exit code {result.code}: {reason}", fix=f"see {log}")


def _last_words(log: Path) -> str:
    for line in reversed(log.read_text(errors="replace").splitlines()):
        try:
            return str(json.loads(line)["error"])
        except (ValueError, KeyError, TypeError):
            continue
    return "it gave no reason"


def _report(
    workspace: Workspace, candidate: Artifact, baseline: Artifact | None, version: DataVersion, output: Path
) -> dict[str, Any]:
    import polars as pl

    from gatewright.rules.evaluation import evaluate as count
    from gatewright.rules.evaluation import summary

    latency = read_json(read_bytes(output / "latency.json", _LIMIT))
    report = count(
        pl.read_parquet(output / "predictions.parquet"),
        workspace.project.evaluation,
        workspace.project.fairness,
        model=workspace.project.model,
        candidate_digest=candidate.digest,
        baseline_digest=baseline.digest if baseline else None,
        evaluation_digest=version.digest,
        candidate_latency=Latency(**latency["candidate"]),
        baseline_latency=Latency(**latency["baseline"]) if baseline else None,
    )
    gates = workspace.project.gates
    if gates is not None and gates.fairness is not None:
        return summary(report, gates.fairness.min_rows)
    return summary(report)
