"""What a person may ask of a rollout."""

from __future__ import annotations

from gatewright.domain.errors import LeaseLost
from gatewright.domain.rollout import Phase, Rollout, Verb
from gatewright.engine.controller import Controller
from gatewright.engine.runtime import ensure_supervisor
from gatewright.workspace import Workspace

_ENDS = (Phase.ROLLED_BACK, Phase.PROMOTED)
_LOOK_AGAIN_S = 0.5


def ask(controller: Controller, workspace: Workspace, rollout: Rollout, verb: Verb, actor: str) -> Rollout:
    """Leave the command durably, and carry it out here unless another controller is at it already.

    An abort is seen through to its end, the traffic read back at stable: by the controller that drives, or here when
    that one does not renew its lease any more.
    """
    workspace.rollouts.command(rollout, verb, actor, workspace.clock.now())
    ensure_supervisor(workspace)
    while True:
        try:
            if verb == "abort":
                return controller.drive(rollout, until=_ENDS)
            rollout = controller.tick(rollout)
            workspace.rollouts.release(rollout, workspace.owner)
            return rollout
        except LeaseLost:
            rollout = workspace.rollouts.get(rollout.id) or rollout
            if verb != "abort":
                return rollout
        workspace.clock.sleep(_LOOK_AGAIN_S)
