"""Opening a run: every version is resolved once, here, and pinned in its lock."""

from __future__ import annotations

import secrets
from typing import Any

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.errors import Pending, UnusableInput
from gatewright.domain.lineage import DataVersion
from gatewright.domain.rollout import NOW_SERVES
from gatewright.effects.git import code_digest, commit
from gatewright.engine.ending import end_run
from gatewright.rules.trigger import Inputs, changes
from gatewright.store.codec import decode
from gatewright.store.records import Records
from gatewright.store.runs import LOCK, Handoff, RunFolder
from gatewright.workspace import Workspace


def current_inputs(workspace: Workspace) -> tuple[Inputs, DataVersion, DataVersion]:
    """What a run opened now would work on: the latest data versions, the commit, the configuration."""
    section = workspace.project.data
    train = workspace.data_versions.latest(section.train, "train")
    evaluation = workspace.data_versions.latest(section.evaluation, "eval")
    inputs = Inputs(
        train=f"{train.name} {train.version}",
        train_digest=train.digest,
        evaluation=f"{evaluation.name} {evaluation.version}",
        evaluation_digest=evaluation.digest,
        commit=commit(workspace.root),
        code=code_digest(workspace.root),
        config=workspace.config_digest,
    )
    return inputs, train, evaluation


def promoted_inputs(records: Records, model: str) -> Inputs | None:
    """What the version that serves by the records was made from: promoted last, or restored."""
    promoted = [record for record in records.all() if record.kind in NOW_SERVES and record.model == model]
    if not promoted:
        return None
    known = promoted[-1].details["inputs"]
    return Inputs(**{name: str(known.get(name, "")) for name in Inputs.__dataclass_fields__})


def proof_unchanged(workspace: Workspace) -> dict[str, str] | None:
    """What was compared, each with its digest, when nothing changed since the last promotion; else None."""
    inputs, _, _ = current_inputs(workspace)
    before = promoted_inputs(workspace.records, workspace.project.model)
    if before is None or changes(before, inputs):
        return None
    records = [record for record in workspace.records.all() if record.kind in NOW_SERVES]
    record = [record for record in records if record.model == workspace.project.model][-1]
    return {
        "promoted": f"record {record.seq} ({record.digest[:19]}, run {record.run})",
        "data": f"{inputs.train} ({inputs.train_digest[:19]})",
        "evaluation data": f"{inputs.evaluation} ({inputs.evaluation_digest[:19]})",
        "code": f"{inputs.code} (commit {inputs.commit[:12]})",
        "configuration": inputs.config[:19],
    }


def open_run(workspace: Workspace, *, bootstrap_by: str | None = None) -> RunFolder:
    """A new run with its lock.json; an older open run of the model that nobody works on is ended as superseded.

    Pending while a rollout of the model is in progress.
    """
    model = workspace.project.model
    active = workspace.rollouts.active(model)
    if active is not None:
        raise Pending(
            f"rollout {active.id} of {model} is {active.phase} at {active.weight:g} %",
            fix=f"gatewright run --resume {active.run}, or end it: gatewright rollout abort",
        )
    inputs, train, evaluation = current_inputs(workspace)
    baseline = workspace.registry.serving(model)
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
    now = workspace.clock.now()
    run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    _supersede(workspace, model, run_id)
    run = workspace.runs.create(run_id)
    body: dict[str, Any] = {
        "model": model,
        "reasons": changes(promoted_inputs(workspace.records, model), inputs)
        or ("asked for by hand: nothing changed",),
        "inputs_of_run": plain(inputs),
        "train": _pin(train),
        "evaluation": _pin(evaluation),
        "commit": inputs.commit,
        "config": inputs.config,
        "baseline": plain(baseline) if baseline else None,
        "bootstrap_by": bootstrap_by,
    }
    outputs = {"train": train.digest, "evaluation": evaluation.digest, "config": inputs.config}
    run.write(
        LOCK,
        Handoff(
            run=run_id,
            stage="open",
            status="passed",
            started_at=now,
            ended_at=now,
            outputs=outputs,
            body=body,
        ),
    )
    return run


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
        if lock is None or lock.body["model"] != model or run.held():
            continue
        end_run(workspace, run, kind="aborted", why=f"superseded by run {successor}")


def _pin(version: DataVersion) -> dict[str, Any]:
    return {"name": version.name, "version": version.version, "digest": version.digest, "rows": version.rows}
