"""Opening the state as the `state:` section of gatewright.yaml says."""

from __future__ import annotations

from pathlib import Path

from gatewright.domain.state import StateSection
from gatewright.effects.git_ref import RemoteRef
from gatewright.store.database import BUSY_S, Database
from gatewright.store.shared import SharedDatabase
from gatewright.store.state_ref import StateRef

FOLDER = ".gatewright"


def open_state(root: Path, section: StateSection, *, busy_s: float = BUSY_S, here_only: bool = False) -> Database:
    """The state of the workspace at `root`, with what other machines have changed; hand-offs of their runs are laid.

    `here_only`: only as it was last seen here, for whoever runs what this machine serves. WorldFailed when the shared
    state cannot be asked.
    """
    path = root / FOLDER / "state.db"
    if section.kind == "local" or here_only:
        return Database(path, busy_s=busy_s)
    ref = RemoteRef(root=root, remote=section.remote, ref=section.ref, timeout_s=section.timeout.seconds)
    database = SharedDatabase(path, StateRef(ref), root / FOLDER / "runs", keep=section.keep, busy_s=busy_s)
    database.refresh()
    return database
