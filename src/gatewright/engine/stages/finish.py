"""Stage 6, rollout: all traffic on the new version, read back; the baseline moved; the record written."""

from __future__ import annotations

from functools import partial

from gatewright.domain.errors import Pending, StageFailed
from gatewright.domain.rollout import Phase
from gatewright.engine.controller import Controller
from gatewright.engine.ending import write_record
from gatewright.engine.runtime import ensure_supervisor
from gatewright.engine.stages.canary import onward
from gatewright.ports import Progress
from gatewright.store.runs import RECORD, Handoff, RunFolder
from gatewright.workspace import Workspace

ENDS = (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.PAUSED)


def finish(workspace: Workspace, run: RunFolder, progress: Progress, *, wait: bool = True) -> Handoff:
    """Drive a healthy rollout to its end. Pending (exit 6) while it is still being observed; exit 1 rolled back."""
    rollout = workspace.rollouts.of_run(run.id)
    if rollout is None:
        run.need("rollout", "canary")
        raise Pending(f"run {run.id} has no rollout in this workspace", fix="gatewright canary")
    if not rollout.phase.terminal:
        if rollout.phase not in (Phase.PROMOTING, Phase.ROLLING_BACK) and not wait:
            raise Pending(
                f"rollout {rollout.id} is {rollout.phase} at {rollout.weight:g} %",
                fix="gatewright rollout tick",
            )
        ensure_supervisor(workspace)
        rollout = Controller(workspace, progress, keep_runtime=partial(ensure_supervisor, workspace)).drive(
            rollout, until=ENDS
        )
    if not rollout.phase.terminal:
        raise Pending(
            f"rollout {rollout.id} is paused: {rollout.why}", fix=f"gatewright rollout {onward(rollout)}, or abort"
        )
    workspace.traffic.finish(rollout)
    record = workspace.records.terminal(run.id)
    assert record is not None
    write_record(run, record)
    if rollout.phase is Phase.ROLLED_BACK:
        raise StageFailed(
            f"rolled back: {rollout.why}", fix="the model is quarantined: train a new one, or gatewright rollout retry"
        )
    return run.need(RECORD, "rollout finish")
