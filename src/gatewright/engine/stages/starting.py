"""The canary's beginning, for a job that does not stay: started, answering, and its first weight read back."""

from __future__ import annotations

from functools import partial

from gatewright.domain.errors import Pending, WorldFailed
from gatewright.domain.rollout import Phase, Rollout, World
from gatewright.engine.controller import Controller
from gatewright.engine.handover import Handover
from gatewright.engine.preflight import misgiving
from gatewright.engine.runtime import ensure_supervisor
from gatewright.engine.stages.canary import conclude, onward, start_rollout
from gatewright.ports import DistantTraffic, Progress
from gatewright.rules.evidence import verified
from gatewright.store.runs import ROLLOUT, RunFolder
from gatewright.workspace import Workspace

_ENDS = (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.PAUSED)
_BEGUN = (Phase.SHADOWING, Phase.PROGRESSING, Phase.PROMOTING, *_ENDS)
_LOOKS, _BETWEEN_S, _BETWEEN_FAR_S = 50, 0.2, 5.0


def begin(workspace: Workspace, run: RunFolder, progress: Progress) -> Rollout:
    """Start (or adopt) the rollout of `run` and wait until its canary answers and has the weight that was decided.

    StageFailed when it was rolled back before that, Pending when it is paused, WorldFailed when the weight is not seen.
    """
    handover = Handover(workspace, run, "canary", ROLLOUT)
    rollout = start_rollout(handover, run)
    if warning := misgiving(workspace, rollout):
        progress.warning(warning)
    controller = Controller(workspace, progress, keep_runtime=partial(ensure_supervisor, workspace))
    rollout = controller.drive(rollout, until=_BEGUN)
    if rollout.phase is Phase.PAUSED:
        raise Pending(
            f"rollout {rollout.id} is paused ({rollout.pause}): {rollout.why}",
            fix=f"gatewright rollout {onward(rollout)}, or gatewright rollout abort",
        )
    if rollout.phase.terminal:
        conclude(handover, run, rollout)
        return rollout
    _read_back(workspace, rollout)
    return rollout


def _read_back(workspace: Workspace, rollout: Rollout) -> None:
    """Wait until the proxy itself shows the weight. A service that was busy forgot the order: it is told again."""
    far = isinstance(workspace.traffic, DistantTraffic)
    for _ in range(_LOOKS):
        seen = workspace.traffic.state(rollout)
        if verified(rollout, World(traffic=seen)):
            return
        workspace.clock.sleep(_BETWEEN_FAR_S if far else _BETWEEN_S)
        if far:
            workspace.traffic.set_weight(rollout, rollout.weight)
    shown = "nothing" if seen.weight is None else f"{seen.weight:g} %"
    raise WorldFailed(
        f"rollout {rollout.id} should be at {rollout.weight:g} %, the proxy shows {shown}"
        + (f": {seen.error}" if seen.error else ""),
        fix="gatewright rollout tick asks for it again; gatewright rollout abort ends it",
    )
