"""What a person may ask of a rollout."""

from __future__ import annotations

from gatewright.domain.errors import LeaseLost, UnusableInput
from gatewright.domain.rollout import Phase, Rollout, Verb
from gatewright.engine.controller import Controller
from gatewright.engine.runtime import ensure_supervisor
from gatewright.rules import orders
from gatewright.workspace import Workspace

_ENDS = (Phase.ROLLED_BACK, Phase.PROMOTED)
_LOOK_AGAIN_S = 0.5


def needless(workspace: Workspace, rollout: Rollout, verb: Verb) -> str | None:
    """Why nothing is left to do for `verb`; None when there is something. UnusableInput when it cannot be had now.

    While another command waits to be taken, only the next look knows.
    """
    if workspace.rollouts.commands(rollout):
        return None
    if refused := orders.refusal(rollout, verb):
        what, fix = refused
        raise UnusableInput(f"rollout {rollout.id} cannot {verb.replace('-', ' --')}: {what}", fix=fix)
    return orders.needless(rollout, verb)


def ask(controller: Controller, workspace: Workspace, rollout: Rollout, verb: Verb, actor: str) -> Rollout:
    """Leave the command durably, and carry it out here unless another controller is at it already.

    An abort is seen through to its end, the traffic read back at stable: by the controller that drives, or here when
    that one does not renew its lease any more.
    """
    step = orders.bound_to(rollout, verb)
    workspace.rollouts.command(rollout, verb, actor, workspace.clock.now(), step)
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
