"""The supervisor: one detached process per workspace that owns the gateway and the model servers.

It makes what runs agree with what state.db wants, every tenth of a second, and gives traffic back to the stable
arm when a canary's lease is not renewed. Every child is started from its main thread: the gateway ends with the
thread that started it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from gatewright.domain.errors import GatewrightError, WorldFailed
from gatewright.domain.routing import RouteTable, cluster_name
from gatewright.effects.processes import ProcessIdentity, end, end_tree, spawn
from gatewright.engine.servers import ModelServer
from gatewright.ports import Gateway
from gatewright.rules import routing
from gatewright.store.processes import ProcessRow
from gatewright.store.routes import Route
from gatewright.workspace import STATE, Workspace

_LOOP_S = 0.1
_CHECK_EVERY_S = 1.0
_ROTATE_EVERY_S = 10.0
_STEADY_S = 10.0
_PAUSE_S = 0.5
_ENDS_TOLERATED = 3


class Lease:
    """The time since a route was last renewed, by the monotonic clock: a jump of the wall clock changes nothing."""

    def __init__(self) -> None:
        self._seen: tuple[str, int] | None = None
        self._since = 0.0

    def lapsed(self, route: Route, now: float) -> bool:
        """Whether the canary's weight is to be taken back."""
        if self._seen != (route.rollout, route.renewals):
            self._seen, self._since = (route.rollout, route.renewals), now
        return route.canary is not None and route.lease_s > 0 and now - self._since > route.lease_s


class Supervisor:
    """Reconciles gateway and model servers towards the desired route."""

    def __init__(self, workspace: Workspace, gateway: Gateway) -> None:
        self._workspace = workspace
        self._gateway = gateway
        self._folder = workspace.root / STATE
        self._servers: dict[str, ModelServer] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = self._gateway_ends = 0
        self._gateway_started = self._answered = 0.0
        self._applied: RouteTable | None = None
        self._lease = Lease()
        self._stopping = False
        self._checked = self._rotated = 0.0
        self._told: dict[str, ProcessRow] = {}

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; every child has ended when this returns."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._end_strays()
        try:
            self._start_gateway()
            while not self._stopping:
                self._reconcile()
                time.sleep(_LOOP_S)
        finally:
            self._end_children()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _reconcile(self) -> None:
        now = time.monotonic()
        changed = self._watch_gateway()
        route = self._workspace.routes.get(self._workspace.project.model)
        wanted = route.digests if route else ()
        changed |= self._watch_servers(wanted)
        table = self._table(route, now)
        if changed or now - self._checked >= _CHECK_EVERY_S or table != self._applied:
            self._configure(table, wanted)
            self._checked = now
        if now - self._rotated >= _ROTATE_EVERY_S:
            self._gateway.rotate_log()
            self._rotated = now
        self._tell()

    def _table(self, route: Route | None, now: float) -> RouteTable | None:
        """The table that should be in force; the one before while an arm of the new one is not ready.

        After a restart there is none before: the stable arm then serves alone until the others have loaded.
        """
        if route is None:
            return None
        fallback = route.fallback if self._fallback_serves(route) else None
        wanted = routing.table(
            rollout=route.rollout,
            revision=route.revision,
            stable=route.stable,
            canary=route.canary,
            fallback=fallback,
            weight=route.weight,
            lapsed=self._lease.lapsed(route, now),
        )
        known = {server.name for server in self._servers.values() if server.ready or server.restarts}
        if wanted and all(name in known for name, _ in wanted.clusters):
            return wanted
        if self._applied is None and route.stable is not None and cluster_name(route.stable) in known:
            return routing.stable_alone(rollout=route.rollout, revision=route.revision, stable=route.stable)
        return self._applied

    def _fallback_serves(self, route: Route) -> bool:
        until = route.fallback_until
        return until is not None and self._workspace.clock.now() < until

    def _configure(self, table: RouteTable | None, wanted: tuple[str, ...]) -> None:
        """Tell the gateway, then unload what neither the route nor the live table needs any more."""
        endpoints = {server.name: server.endpoint for server in self._servers.values() if server.endpoint}
        try:
            self._gateway.configure(table, endpoints)
            live = self._gateway.table()
        except WorldFailed as error:
            log(f"the gateway could not be told: {error}")
            return
        self._applied = table
        in_use = {name for name, _ in live.clusters} if live else set()
        for digest in [digest for digest in self._servers if digest not in wanted]:
            if cluster_name(digest) not in in_use:
                self._servers.pop(digest).stop()
                log(f"{cluster_name(digest)} unloaded")

    def _watch_servers(self, wanted: tuple[str, ...]) -> bool:
        changed = False
        model = self._workspace.project.model
        for digest in wanted:
            folder = self._workspace.routes.locate(model, digest)
            if digest not in self._servers and folder is not None:
                self._servers[digest] = ModelServer(
                    model=model,
                    digest=digest,
                    folder=folder,
                    root=self._workspace.root,
                    log=self._folder / "logs" / f"{cluster_name(digest)}.log",
                )
        for server in self._servers.values():
            if server.look():
                changed = True
                log(f"{server.name}: {'ready' if server.ready else server.error or 'starting'}")
        return changed

    def _start_gateway(self) -> None:
        argv = self._gateway.argv()
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "gateway.log").open("ab") as output:
            self._process = spawn(argv, cwd=self._folder, log=output.fileno())
        self._gateway_started = time.monotonic()

    def _watch_gateway(self) -> bool:
        """Restart the gateway at once when it ends; when it ends again within seconds, more and more slowly."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is None:
            self._gateway_ends = 0 if now - self._gateway_started > _STEADY_S else self._gateway_ends
            return False
        if now - self._gateway_started < _PAUSE_S * self._gateway_ends:
            return False
        log(f"the gateway ended ({self._process and self._process.returncode}); starting it again")
        self._restarts += 1
        self._gateway_ends += 1
        self._start_gateway()
        return True

    def _gateway_ready(self) -> bool:
        """Asked often until it answers, then once a second."""
        now = time.monotonic()
        if self._process is None or self._process.poll() is not None:
            self._answered = 0.0
        elif not self._answered or now - self._answered >= _CHECK_EVERY_S:
            self._answered = now if self._gateway.ready() else 0.0
        return self._answered > 0.0

    def _tell(self) -> None:
        """Keep the process table true; a row is written only when it changed."""
        ready = self._gateway_ready()
        rows = [self._row("supervisor", os.getpid(), ready=ready)]
        if self._process is not None:
            error = "it ends again and again" if self._gateway_ends > _ENDS_TOLERATED else None
            rows.append(self._row("gateway", self._process.pid, ready=ready, restarts=self._restarts, error=error))
        rows.extend(self._server_row(server) for server in self._servers.values())
        for row in rows:
            told = self._told.get(row.name)
            if told is None or _content(told) != _content(row):
                self._workspace.processes.put(row)
                self._told[row.name] = row
        for name in self._told.keys() - {row.name for row in rows}:
            self._workspace.processes.remove(name)
            del self._told[name]

    def _server_row(self, server: ModelServer) -> ProcessRow:
        return self._row(
            server.name,
            server.process.pid if server.process else 0,
            ready=server.ready,
            restarts=server.restarts,
            digest=server.digest,
            port=server.endpoint.port if server.endpoint else None,
            error=server.error,
        )

    def _row(self, name: str, pid: int, **fields: object) -> ProcessRow:
        known = self._told.get(name)
        if known is not None and known.identity.pid == pid:
            identity, started = known.identity, known.started_at
        else:
            identity = ProcessIdentity.of(pid) or ProcessIdentity(pid=pid, created=0.0)
            started = self._workspace.clock.now()
        return ProcessRow(name=name, identity=identity, started_at=started, **fields)  # type: ignore[arg-type]

    def _end_strays(self) -> None:
        """Children of a supervisor that was killed: end them before the new ones start."""
        for row in self._workspace.processes.all():
            end(row.identity, grace_s=2.0)
            self._workspace.processes.remove(row.name)

    def _end_children(self) -> None:
        if self._process is not None:
            end_tree(self._process.pid, grace_s=3.0)
            self._process.wait()
        for server in self._servers.values():
            server.stop()
        for row in self._workspace.processes.all():
            self._workspace.processes.remove(row.name)


def _content(row: ProcessRow) -> tuple[object, ...]:
    return (row.identity, row.digest, row.port, row.ready, row.restarts, row.error)


def log(text: str) -> None:
    """One line for the supervisor's log."""
    stamp = datetime.now().astimezone().isoformat(timespec="milliseconds")
    sys.stderr.write(f"{stamp} {text}\n")
    sys.stderr.flush()


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
            workspace = Workspace.open(root)
            Supervisor(workspace, workspace.gateway).run()
    except GatewrightError as error:
        print(json.dumps({"error": str(error), "fix": error.fix, "exit_code": error.exit_code}), flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
