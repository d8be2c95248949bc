"""The supervisor: one detached process per workspace that owns the gateways and model servers of all its models.

It makes what runs agree with what state.db wants, every tenth of a second, and gives traffic back to the stable
arm when a canary's lease is not renewed. Every child is started from its main thread: a gateway ends with the
thread that started it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gatewright.config.project import read_configuration
from gatewright.domain.errors import GatewrightError
from gatewright.effects.processes import ProcessIdentity, end
from gatewright.engine.journal import Complaints, log
from gatewright.engine.model_runtime import ModelRuntime
from gatewright.engine.nursery import NurseryProcess
from gatewright.store.processes import SUPERVISOR, Processes, ProcessRow
from gatewright.workspace import CONFIG, STATE, Plugins, Workspace

_LOOP_S = 0.1
_CONFIG_EVERY_S = 1.0
_QUIET_S = 1.0
_BUSY_S = 2.0


class Supervisor:
    """Runs what each model of the workspace needs, until it is told to stop."""

    def __init__(self, root: Path, workspaces: Sequence[Workspace]) -> None:
        self._config = root / CONFIG
        self._root = root
        self._processes: Processes = workspaces[0].processes
        self._clock = workspaces[0].clock
        self._runtimes = {workspace.project.model: _runtime(workspace) for workspace in workspaces}
        self._nursery = NurseryProcess(root, self._processes, self._clock)
        self._stopping = False
        self._busy = 0.0
        self._seen = self._config_time()
        self._looked = 0.0
        self._complaints = Complaints()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; every child has ended when this returns.

        UnusableInput when the port of a gateway is taken at the start.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        self._end_strays()
        try:
            for runtime in self._runtimes.values():
                runtime.gateway_process.start()
            self._processes.put(self._own_row())
            while not self._stopping:
                for runtime in self._runtimes.values():
                    runtime.reconcile()
                self._adopt_new_models()
                self._keep_nursery()
                time.sleep(_LOOP_S)
        finally:
            self._nursery.end()
            for runtime in self._runtimes.values():
                runtime.end()
            self._processes.forget_every_model()

    def stop(self, *_: object) -> None:
        """End the loop after this look."""
        self._stopping = True

    def _keep_nursery(self) -> None:
        """Only once all that serves has been up for a second: its start takes a processor for as long as theirs."""
        now = time.monotonic()
        if not all(runtime.settled for runtime in self._runtimes.values()):
            self._busy = now
        if now - self._busy < _QUIET_S:
            return
        try:
            self._nursery.look()
        except GatewrightError as error:
            self._complaints.tell(error)

    def _adopt_new_models(self) -> None:
        """A model that gatewright.yaml has gained is served too; the others go on as they were started."""
        now = time.monotonic()
        if now - self._looked < _CONFIG_EVERY_S:
            return
        self._looked = now
        changed = self._config_time()
        if changed == self._seen:
            return
        self._seen = changed
        try:
            for model in set(_served_here(self._root)) - self._runtimes.keys():
                log(f"{model}: new in {CONFIG}")
                runtime = _runtime(_opened(self._root, model))
                runtime.gateway_process.start()
                self._runtimes[model] = runtime
        except GatewrightError as error:
            self._complaints.tell(error)

    def _config_time(self) -> int:
        return self._config.stat().st_mtime_ns if self._config.exists() else 0

    def _own_row(self) -> ProcessRow:
        identity = ProcessIdentity.of(os.getpid())
        assert identity is not None
        return ProcessRow(name=SUPERVISOR, identity=identity, started_at=self._clock.now(), ready=True)

    def _end_strays(self) -> None:
        """Children of a supervisor that was killed: end them before the new ones start."""
        for row in self._processes.of_every_model():
            end(row.identity, grace_s=2.0)
        self._processes.forget_every_model()


def _opened(root: Path, model: str) -> Workspace:
    """A workspace that does not wait long for the state database: a lease lapses while somebody else holds it, too."""
    return Workspace.open(root, model, busy_s=_BUSY_S, here_only=True)


def _served_here(root: Path) -> list[str]:
    """The models whose traffic a gateway of this machine divides."""
    plugins = Plugins()
    projects = read_configuration(root / CONFIG, plugins).projects
    gateways = plugins.names("gateways")
    return [model for model, project in projects.items() if project.serving.kind in gateways]


def _runtime(workspace: Workspace) -> ModelRuntime:
    assert workspace.gateway is not None, "it is served elsewhere"
    return ModelRuntime(workspace, workspace.gateway)


@contextmanager
def only_one(folder: Path) -> Iterator[bool]:
    """Whether this process is the workspace's only supervisor."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "supervisor.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def main(arguments: list[str]) -> int:
    """Entry of the detached process: `python -m gatewright.engine.supervisor WORKSPACE`."""
    root = Path(arguments[0])
    try:
        with only_one(root / STATE) as alone:
            if not alone:
                return 0
            Supervisor(root, [_opened(root, model) for model in _served_here(root)]).run()
    except GatewrightError as error:
        print(json.dumps({"error": str(error), "fix": error.fix, "exit_code": error.exit_code}), flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
