"""Patience: how long whoever drives a rollout goes on although looks fail."""

from __future__ import annotations

from datetime import datetime

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.rollout import Phase, Rollout
from gatewright.ports import Progress
from gatewright.workspace import Workspace

LONGEST_S = 30.0
_PAUSE_S = 1.0


class Trouble:
    """Looks that fail one after the other, because something outside does not do its part."""

    def __init__(self, workspace: Workspace, progress: Progress) -> None:
        self._workspace = workspace
        self._progress = progress
        self._since: datetime | None = None
        self._said = ""

    def met(self, rollout: Rollout, error: WorldFailed) -> None:
        """Say it once and wait a moment; or raise it, when it has lasted as long as the lease (at most 30 s).

        A rollback that is decided is never given up. LeaseLost is none of this: somebody else drives.
        """
        now = self._workspace.clock.now()
        self._since = self._since or now
        lasts_s = (now - self._since).total_seconds()
        patience_s = min(rollout.policy.lease.seconds, LONGEST_S)
        if isinstance(error, LeaseLost) or (lasts_s >= patience_s and not self._rolls_back(rollout)):
            raise error
        if str(error) != self._said:
            self._said = str(error)
            self._progress.warning(f"tried again: {error}")
        self._workspace.clock.sleep(_PAUSE_S)

    def over(self) -> None:
        """A look went well."""
        self._since, self._said = None, ""

    def _rolls_back(self, rollout: Rollout) -> bool:
        """As the state database says: the look that failed may have decided it."""
        try:
            known = self._workspace.rollouts.get(rollout.id)
        except WorldFailed:
            return False
        return known is not None and known.phase is Phase.ROLLING_BACK
