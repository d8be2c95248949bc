"""The local runtime seen from outside: start the supervisor, ask for it, stop it."""

from __future__ import annotations

import json
import subprocess
import sys

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.effects.files import open_log
from gatewright.effects.processes import end, spawn, wait_until
from gatewright.store.processes import SUPERVISOR
from gatewright.workspace import STATE, Workspace

_START_S = 30.0
_STOP_S = 20.0


def supervisor_runs(workspace: Workspace) -> bool:
    """Whether the workspace's supervisor is alive."""
    row = workspace.processes.get(SUPERVISOR)
    return row is not None and row.identity.alive()


def ensure_supervisor(workspace: Workspace) -> None:
    """Start the supervisor unless it runs, and wait until its gateway answers. Nothing where nothing runs here.

    It outlives this process. UnusableInput or WorldFailed with the supervisor's own words when it cannot start.
    """
    if workspace.gateway is None or _gateway_answers(workspace):
        return
    with open_log(workspace.root / STATE / "logs" / "supervisor.log") as log:
        process = spawn(
            [sys.executable, "-m", "gatewright.engine.supervisor", str(workspace.root)],
            cwd=workspace.root,
            stdout=subprocess.PIPE,
            stderr=log.fileno(),
        )
    wait_until(
        lambda: _gateway_answers(workspace) or _gateway_fails(workspace) or process.poll() not in (None, 0),
        timeout_s=_START_S,
    )
    if not _gateway_answers(workspace):
        _tell_why(workspace, process)
    assert process.stdout is not None
    process.stdout.close()


def stop_supervisor(workspace: Workspace) -> bool:
    """Stop the supervisor and all that it runs; False when none ran."""
    row = workspace.processes.get(SUPERVISOR)
    if row is None or not row.identity.alive():
        return False
    end(row.identity, grace_s=_STOP_S)
    return True


def _gateway_answers(workspace: Workspace) -> bool:
    """Whether it answers under a living supervisor: rows of one that was killed tell of the past."""
    row = workspace.processes.get("gateway")
    return supervisor_runs(workspace) and row is not None and row.ready and row.identity.alive()


def _gateway_fails(workspace: Workspace) -> bool:
    row = workspace.processes.get("gateway")
    return supervisor_runs(workspace) and row is not None and row.error is not None


def _tell_why(workspace: Workspace, process: subprocess.Popen[bytes]) -> None:
    hint = f"see .gatewright/logs/supervisor.log and gateway-{workspace.project.model}.log, then: gatewright serve stop"
    if _gateway_fails(workspace):
        raise WorldFailed("the gateway does not start: it ends again and again", fix=hint)
    if process.poll() is None:
        raise WorldFailed(f"the supervisor did not become ready within {_START_S:.0f} s", fix=hint)
    said = process.stdout.read().decode() if process.stdout else ""
    try:
        words = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        raise WorldFailed(f"the supervisor ended with exit code {process.returncode}", fix=hint) from None
    kind = UnusableInput if words["exit_code"] == UnusableInput.exit_code else WorldFailed
    raise kind(words["error"], fix=words["fix"] or hint)
