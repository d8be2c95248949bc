"""Stage 5, canary: start the rollout of a registered version, and drive it until it is healthy or rolled back."""

from __future__ import annotations

import secrets
from functools import partial

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.errors import Pending, StageFailed, UnusableInput
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.rollout import PauseReason, Phase, Rollout
from gatewright.engine.controller import Controller
from gatewright.engine.handover import Handover
from gatewright.engine.preflight import misgiving
from gatewright.engine.runtime import ensure_supervisor
from gatewright.ports import Progress
from gatewright.store.codec import decode
from gatewright.store.records import Event
from gatewright.store.runs import ROLLOUT, Handoff, RunFolder
from gatewright.workspace import Workspace

BEYOND_CANARY = (Phase.PROMOTING, Phase.PROMOTED, Phase.ROLLED_BACK, Phase.PAUSED)


def canary(workspace: Workspace, run: RunFolder, progress: Progress) -> Handoff:
    """Start (or adopt) the rollout and wait until it is healthy; StageFailed when it was rolled back."""
    handover = Handover(workspace, run, "canary", ROLLOUT)
    rollout = start_rollout(handover, run)
    if warning := misgiving(workspace, rollout):
        progress.warning(warning)
    rollout = Controller(workspace, progress, keep_runtime=partial(ensure_supervisor, workspace)).drive(
        rollout, until=BEYOND_CANARY
    )
    if rollout.phase is Phase.PAUSED:
        raise Pending(
            f"rollout {rollout.id} is paused ({rollout.pause}): {rollout.why}",
            fix=f"gatewright rollout {onward(rollout)}, or gatewright rollout abort",
        )
    return conclude(handover, run, rollout)


def start_rollout(handover: Handover, run: RunFolder) -> Rollout:
    """The rollout of this run: adopted when it exists already, even if rollout.json was never written."""
    workspace = handover.workspace
    version = decode(ModelVersion, canonical_json(handover.need("version").body["version"]))
    ensure_supervisor(workspace)
    if existing := workspace.rollouts.of_run(run.id):
        return existing
    lock = handover.need("lock")
    stable = stable_of(workspace, run, version)
    now = workspace.clock.now()
    rollout = Rollout(
        id=f"{workspace.project.model}-{version.number}-{secrets.token_hex(3)}",
        model=workspace.project.model,
        run=run.id,
        number=version.number,
        canary=version.artifact.digest,
        stable=stable.artifact.digest if stable else None,
        policy=workspace.project.rollout,
        started_at=now,
        bootstrap_by=lock.body["bootstrap_by"],
    )
    event = Event(
        at=now,
        kind="started",
        run=run.id,
        model=rollout.model,
        rollout=rollout.id,
        why="first deployment (bootstrap)" if stable is None else f"version {version.number} against {stable.number}",
        actor=rollout.bootstrap_by or "gatewright",
        before=rollout.stable,
        after=rollout.canary,
        details={"commit": lock.body["commit"]},
    )
    return workspace.rollouts.start(rollout, event)


def onward(rollout: Rollout) -> str:
    """The verb that a paused rollout waits for."""
    return "approve" if rollout.pause is PauseReason.APPROVAL else "resume"


def conclude(handover: Handover, run: RunFolder, rollout: Rollout) -> Handoff:
    """Write rollout.json; StageFailed when the rollout ended in a rollback."""
    healthy = rollout.phase in (Phase.PROMOTING, Phase.PROMOTED)
    handover.outputs["artifact"] = rollout.canary
    handoff = handover.finish(
        "passed" if healthy else "failed",
        {"rollout": rollout.id, "phase": rollout.phase, "why": rollout.why, "state": plain(rollout)},
    )
    if not healthy:
        raise StageFailed(
            f"rolled back: {rollout.why}", fix="the model is quarantined: train a new one, or gatewright rollout retry"
        )
    return handoff


def stable_of(workspace: Workspace, run: RunFolder, version: ModelVersion) -> ModelVersion | None:
    """The arm to compare with: the baseline that was evaluated, which must still serve."""
    serving = workspace.registry.serving(workspace.project.model)
    locked = run.need("lock", "validate").body["baseline"]
    expected = locked["artifact"]["digest"] if locked else None
    found = serving.artifact.digest if serving else None
    if expected != found:
        raise UnusableInput(
            "production moved since this run was evaluated: it compared with "
            f"{expected or 'nothing'}, now {found or 'nothing'} serves",
            fix="start a new run: gatewright run",
        )
    if found == version.artifact.digest:
        raise UnusableInput(f"version {version.number} serves production already", fix="nothing is left to do")
    return serving
