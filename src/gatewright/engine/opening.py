"""Opening a run: every version is resolved once, here, and pinned in its lock."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.errors import Pending, UnusableInput
from gatewright.domain.lineage import DataVersion, ModelVersion
from gatewright.engine.ending import end_run
from gatewright.engine.marking import serving
from gatewright.engine.planning import Planned, plan_run, refuse_blocked
from gatewright.engine.proofs import golden_version
from gatewright.rules.trigger import Inputs
from gatewright.store.codec import decode
from gatewright.store.records import Event
from gatewright.store.runs import LOCK, Handoff, RunFolder
from gatewright.workspace import Workspace


def proof_unchanged(planned: Planned) -> dict[str, str]:
    """What was compared, each with its digest, when nothing changed since the last promotion."""
    inputs, record = planned.inputs, planned.reference
    assert record is not None
    return {
        "promoted": f"record {record.seq} ({record.digest[:19]}, run {record.run})",
        "why": planned.plan.why,
        "data": f"{inputs.train} ({inputs.train_digest[:19]})",
        "evaluation data": f"{inputs.evaluation} ({inputs.evaluation_digest[:19]})",
        "code": f"{inputs.code} (commit {inputs.commit[:12]})",
        "schema file": inputs.schema[:19],
        "configuration": inputs.config[:19],
        "tools": inputs.tools[:19],
    }


def record_skip(workspace: Workspace, planned: Planned) -> None:
    """Keep in the records why new data started nothing; said once, and later plans compare with it."""
    if not planned.plan.changes or planned.reference is None:
        return
    workspace.records.append(
        Event(
            at=workspace.clock.now(),
            kind="skipped",
            run=planned.reference.run,
            model=workspace.project.model,
            why=f"no run: {planned.plan.why}",
            after=planned.reference.after,
            details={"inputs": plain(planned.inputs)},
        )
    )


def open_run(
    workspace: Workspace,
    *,
    bootstrap_by: str | None = None,
    accepted_by: str | None = None,
    planned: Planned | None = None,
    run_id: str | None = None,
    review: bool = False,
) -> RunFolder:
    """A new run with its lock.json; an older open run of the model that nobody works on is ended as superseded.

    With a `run_id` it gets that id; if somebody was faster, it is the run that is there. One for a `review` is judged
    and never registered: it opens beside a rollout in progress, and supersedes no other.

    Pending while a rollout of the model is in progress; SchemaBlocked when the data breaks who reads it, and nobody is
    named in `accepted_by`.
    """
    model = workspace.project.model
    active = workspace.rollouts.active(model)
    if active is not None and not review:
        raise Pending(
            f"rollout {active.id} of {model} is {active.phase} at {active.weight:g} %",
            fix=f"gatewright run --resume {active.run}, or end it: gatewright rollout abort",
        )
    planned = planned or plan_run(workspace, accepted_by=accepted_by)
    baseline = serving(workspace)
    if baseline is not None and bootstrap_by is not None:
        raise UnusableInput(
            f"{model} is deployed already (version {baseline.number})",
            fix="leave out --bootstrap-by: it is for the first deployment",
        )
    if baseline is None and bootstrap_by is None:
        raise UnusableInput(
            f"{model} was never deployed: there is no baseline to compare with, and somebody has to allow that",
            fix="say who allows the first deployment: --bootstrap-by NAME",
        )
    refuse_blocked(planned.plan)
    if accepted_by is not None and planned.plan.accepted_by is None:
        raise UnusableInput(
            "there is no schema change to accept", fix="leave out --accept-schema-change; gatewright plan tells more"
        )
    now = workspace.clock.now()
    run_id, told = run_id or f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}", run_id is not None
    if not review:
        _supersede(workspace, model, run_id)
    run = workspace.runs.create(run_id, again=told)
    with run.hold():
        if told and run.read(LOCK) is not None:
            return run
        pinned = {**_pinned(workspace, planned, baseline, bootstrap_by), "review": review}
        run.write(LOCK, _lock(run_id, now, planned, pinned))
    if planned.plan.accepted_by is not None:
        workspace.records.append(_accepted(model, run_id, now, planned))
    return run


def _accepted(model: str, run_id: str, now: datetime, planned: Planned) -> Event:
    return Event(
        at=now,
        kind="schema_accepted",
        run=run_id,
        model=model,
        why=planned.plan.why,
        actor=planned.plan.accepted_by or "",
    )


def _pinned(
    workspace: Workspace, planned: Planned, baseline: ModelVersion | None, bootstrap_by: str | None
) -> dict[str, Any]:
    """All that the run works on, each by version or digest: no stage looks for a latest one again."""
    inputs, plan = planned.inputs, planned.plan
    golden = golden_version(workspace)
    return {
        "model": workspace.project.model,
        "reasons": ("asked for by hand: nothing changed",) if plan.action == "nothing" else plan.reasons,
        "inputs_of_run": plain(inputs),
        "train": _pin(planned.train),
        "evaluation": _pin(planned.evaluation),
        "schema_file": {"path": workspace.project.data.schema, "digest": inputs.schema},
        "commit": inputs.commit,
        "config": inputs.config,
        "tools": inputs.tools,
        "baseline": plain(baseline) if baseline else None,
        "golden": {"number": golden.number, "digest": golden.artifact.digest} if golden else None,
        "bootstrap_by": bootstrap_by,
        "plan": plain(plan),
    }


def _lock(run_id: str, now: datetime, planned: Planned, body: dict[str, Any]) -> Handoff:
    outputs = {
        "train": planned.train.digest,
        "evaluation": planned.evaluation.digest,
        "config": planned.inputs.config,
        "schema": planned.inputs.schema,
    }
    return Handoff(run=run_id, stage="open", status="passed", started_at=now, ended_at=now, outputs=outputs, body=body)


def locked_inputs(run: RunFolder) -> Inputs:
    """What this run works on, as its lock says."""
    return decode(Inputs, canonical_json(run.need(LOCK, "validate").body["inputs_of_run"]))


def choose_run(workspace: Workspace, wanted: str | None) -> RunFolder:
    """The run that a stage command means: the named one, else the one open run of this model."""
    if wanted:
        return workspace.runs.get(wanted)
    found = open_runs(workspace)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnusableInput("no run is open", fix="open one: gatewright validate, or gatewright run")
    raise UnusableInput(
        f"{len(found)} runs are open: {', '.join(run.id for run in found)}",
        fix="say which: --run RUN, or GATEWRIGHT_RUN",
    )


def open_runs(workspace: Workspace) -> list[RunFolder]:
    """Runs of this model that have not ended, oldest first."""
    model = workspace.project.model
    return [run for run in workspace.runs.open() if run.need(LOCK, "validate").body["model"] == model]


def _supersede(workspace: Workspace, model: str, successor: str) -> None:
    for run in workspace.runs.open():
        lock = run.read(LOCK)
        if lock is None or lock.body["model"] != model or run.id == successor or run.held():
            continue
        end_run(workspace, run, kind="aborted", why=f"superseded by run {successor}")


def _pin(version: DataVersion) -> dict[str, Any]:
    return {"name": version.name, "version": version.version, "digest": version.digest, "rows": version.rows}
