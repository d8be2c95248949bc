"""What the end of a rollout leaves to do where a service divides the traffic: to unload, once it lets us."""

from __future__ import annotations

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.ports import DistantTraffic, Progress
from gatewright.workspace import Workspace

_BETWEEN_S = 15.0
_LONGEST_S = 1200.0


def tend_once(workspace: Workspace, progress: Progress) -> str | None:
    """What is still to be done after one try, or None. That the service cannot be asked is told, not raised."""
    traffic = workspace.traffic
    if not isinstance(traffic, DistantTraffic):
        return None
    try:
        return traffic.tend()
    except LeaseLost:
        return None
    except WorldFailed as error:
        progress.warning(f"what the last rollout left is not unloaded yet: {error}")
        return str(error)


def tend_to_the_end(workspace: Workspace, progress: Progress) -> None:
    """Try until nothing is left, for twenty minutes at most. The rollout has ended: nobody's traffic waits for it."""
    since = workspace.clock.now()
    while left := tend_once(workspace, progress):
        if (workspace.clock.now() - since).total_seconds() > _LONGEST_S:
            progress.warning(f"{left}; gatewright rollout tick goes on with it")
            return
        progress.waiting(left)
        workspace.clock.sleep(_BETWEEN_S)
