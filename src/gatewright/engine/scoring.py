"""Models on the rows of an evaluation set: a process of its own scores them, and what it left becomes one report."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatewright.domain.documents import canonical_json, pretty_json, read_json
from gatewright.domain.errors import StageFailed, UnusableInput, WorldFailed
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.lineage import Artifact
from gatewright.effects.files import read_bytes, remove, write_atomic
from gatewright.engine.forked_scoring import SCORING, run_forked
from gatewright.engine.stages.own_command import predict
from gatewright.ports import Job, Progress
from gatewright.store.codec import decode
from gatewright.workspace import STATE, Workspace

PREDICTIONS = "predictions"
_TIMEOUT_S = 3600.0
_LIMIT = 1 << 20


def score(
    workspace: Workspace,
    folder: Path,
    models: Mapping[str, Artifact],
    evaluation_digest: str,
    data: Path,
    progress: Progress,
) -> EvaluationReport:
    """What the models, by role and the candidate first, did on the same rows, which have that digest and lie at `data`.

    Leaves `predictions/` and `logs/` below `folder`. StageFailed when a model cannot score, UnusableInput for models or
    rows that do not fit, WorldFailed when the process ends otherwise.
    """
    job = folder / "scoring.json"
    output = folder / PREDICTIONS
    answers = predict(workspace, folder, progress, models, data) if workspace.project.evaluation.command else {}
    write_atomic(job, pretty_json(_job(workspace, models, answers, evaluation_digest, data, output)))
    _run(workspace, job, folder / "logs" / "evaluate.log", progress)
    return _measured(workspace, {role: model.digest for role, model in models.items()}, evaluation_digest, output)


def body_of(workspace: Workspace, report: EvaluationReport) -> dict[str, Any]:
    """The body of evaluation-report.json, with groups as small as this project looks at."""
    from gatewright.rules.reports.summary import summary

    gates = workspace.project.gates
    if gates is not None and gates.fairness is not None:
        return summary(report, gates.fairness.min_rows)
    return summary(report)


def _job(
    workspace: Workspace,
    models: Mapping[str, Artifact],
    answers: Mapping[str, Path],
    evaluation_digest: str,
    data: Path,
    output: Path,
) -> dict[str, Any]:
    from gatewright.rules.measuring.slices import columns

    evaluation, fairness = workspace.project.evaluation, workspace.project.fairness
    kept = [*columns(evaluation.slices), *fairness.attributes]
    kept += [name for name in (evaluation.cluster, evaluation.weight, evaluation.stratum) if name]
    entries = {
        role: {
            "folder": artifact.uri,
            "digest": artifact.digest,
            "answers": str(answers[role]) if role in answers else None,
        }
        for role, artifact in models.items()
    }
    return {
        **dict.fromkeys(("candidate", "baseline", "golden")),
        **entries,
        "data": str(data),
        "id": evaluation.id,
        "label": evaluation.label,
        "keep": list(dict.fromkeys(kept)),
        "task": evaluation.task,
        "positive": fairness.positive,
        "latency_samples": evaluation.latency_samples,
        "seed": 0,
        "allow_code": workspace.project.train.allow_code,
        "evaluation_digest": evaluation_digest,
        "cache": str(workspace.root / STATE / "predictions" / workspace.project.model),
        "output": str(output),
    }


def _run(workspace: Workspace, job: Path, log: Path, progress: Progress) -> None:
    remove(log)
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


def _measured(
    workspace: Workspace, digests: Mapping[str, str], evaluation_digest: str, output: Path
) -> EvaluationReport:
    import polars as pl

    from gatewright.domain.evaluation import Latency, LatencyRatio
    from gatewright.rules.evaluation import evaluate as measure

    project = workspace.project
    facts = read_json(read_bytes(output / "models.json", _LIMIT))
    found = read_json(read_bytes(output / "latency.json", _LIMIT))
    ranked = project.gates is not None and project.gates.auc is not None
    asked = (*project.evaluation.metrics, *(("auc",) if ranked else ()))
    # A model without the class `positive` has no positive class: the last one is as good, unless somebody selects.
    positive = project.fairness.positive if project.fairness.attributes else facts["positive"]

    def latency(role: str) -> Latency | None:
        return decode(Latency, canonical_json(found[role])) if found[role] else None

    return measure(
        pl.scan_parquet(output / "predictions.parquet", glob=False),
        replace(project.evaluation, metrics=asked),
        replace(project.fairness, positive=positive),
        model=project.model,
        task=facts["task"],
        candidate_digest=digests["candidate"],
        baseline_digest=digests.get("baseline"),
        golden_digest=digests.get("golden"),
        evaluation_digest=evaluation_digest,
        candidate_latency=latency("candidate"),
        baseline_latency=latency("baseline"),
        latency_ratio=decode(LatencyRatio, canonical_json(found["ratio"])) if found["ratio"] else None,
    )
