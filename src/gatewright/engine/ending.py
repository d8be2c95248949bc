"""Ending a run: one terminal record in the chain, and a copy of it in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewright.domain.documents import plain
from gatewright.domain.records import DeploymentRecord
from gatewright.effects.unfinished import sweep
from gatewright.engine.attesting import attest
from gatewright.store.records import Event
from gatewright.store.runs import CANDIDATE, LOCK, RECORD, Handoff, RunFolder
from gatewright.workspace import Workspace

EXIT_OF = {"promoted": 0, "confirmed": 0, "restored": 0, "rolled_back": 1, "stopped": 1, "aborted": 1}


def end_run(
    workspace: Workspace,
    run: RunFolder,
    *,
    kind: str,
    why: str,
    actor: str = "gatewright",
    after: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> DeploymentRecord:
    """Append the terminal record of `run` (or find the one it has) and write deployment-record.json."""
    lock = run.need(LOCK, "validate")
    event = Event(
        at=workspace.clock.now(),
        kind=kind,
        run=run.id,
        model=lock.body["model"],
        why=why,
        actor=actor,
        after=after,
        details={"inputs": lock.body["inputs_of_run"], **(details or {})},
    )
    record = workspace.records.append(event)
    write_record(run, record)
    return record


def confirm(workspace: Workspace, run: RunFolder) -> DeploymentRecord | None:
    """End a run whose candidate is the model that serves: it passed its gates, and there is nothing to roll out."""
    lock, candidate = run.need(LOCK, "validate"), run.need(CANDIDATE, "train")
    baseline, artifact = lock.body["baseline"], candidate.outputs["artifact"]
    serving = workspace.registry.serving(lock.body["model"])
    if baseline is None or serving is None or {baseline["artifact"]["digest"], serving.artifact.digest} != {artifact}:
        return None
    evaluation = lock.body["evaluation"]
    why = f"version {baseline['number']} serves and stays: it passed on {evaluation['name']} {evaluation['version']}"
    return end_run(workspace, run, kind="confirmed", why=why, after=artifact)


def write_record(run: RunFolder, record: DeploymentRecord) -> None:
    """The run's own copy of its terminal record; written again after a crash in between. Nothing unfinished is left."""
    sweep(run.path)
    if run.read(RECORD) is None:
        _write(run, record)
    attest(run)


def _write(run: RunFolder, record: DeploymentRecord) -> None:
    run.write(
        RECORD,
        Handoff(
            run=run.id,
            stage="rollout finish",
            status=record.kind,
            started_at=record.at,
            ended_at=record.at,
            outputs={"record": record.digest},
            body={"record": plain(record)},
        ),
    )
