"""What a person may ask of a rollout."""

from __future__ import annotations

from gatewright.domain.errors import LeaseLost
from gatewright.domain.rollout import Phase, Rollout, Verb
from gatewright.engine.controller import Controller
from gatewright.engine.runtime import ensure_supervisor
from gatewright.workspace import Workspace

_ENDS = (Phase.ROLLED_BACK, Phase.PROMOTED)


def ask(controller: Controller, workspace: Workspace, rollout: Rollout, verb: Verb, actor: str) -> Rollout:
    """Leave the command durably, and carry it out here unless another controller is at it already.

    An abort is driven to its end: the traffic read back at stable.
    """
    workspace.rollouts.command(rollout, verb, actor, workspace.clock.now())
    ensure_supervisor(workspace)
    try:
        rollout = controller.tick(rollout)
        if verb == "abort":
            rollout = controller.drive(rollout, until=_ENDS)
    except LeaseLost:
        found = workspace.rollouts.get(rollout.id)
        return found if found is not None else rollout
    workspace.rollouts.release(rollout, workspace.owner)
    return rollout
