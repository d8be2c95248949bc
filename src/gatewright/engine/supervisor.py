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
_REPEAT_S = 10.0


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
        self._route: Route | None = None
        self._complained = ("", 0.0)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; every child has ended when this returns."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._end_strays()
        try:
            self._start_gateway()
            while not self._stopping:
                try:
                    self._reconcile()
                except WorldFailed as error:  # a full disk must not end what serves
                    self._complain(error)
                time.sleep(_LOOP_S)
        finally:
            self._end_children()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _reconcile(self) -> None:
        now = time.monotonic()
        changed = self._watch_gateway()
        route = self._read_route()
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

    def _read_route(self) -> Route | None:
        """The desired route; the one read last while the database cannot be read, so that its lease still lapses."""
        try:
            self._route = self._workspace.routes.get(self._workspace.project.model)
        except WorldFailed as error:
            self._complain(error)
        return self._route

    def _table(self, route: Route | None, now: float) -> RouteTable | None:
        """The table that should be in force; the one before while its stable arm has not answered yet.

        A canary or a fallback that has never answered, because it still loads or cannot, is left out: after a
        restart the stable arm serves alone until then.
        """
        if route is None:
            return None
        lapsed = self._lease.lapsed(route, now)
        unheard = route.weight > 0 and route.stable is not None and not self._has_answered(route.canary)
        fallback = route.fallback if self._fallback_serves(route) and self._has_answered(route.fallback) else None
        wanted = routing.table(
            rollout=route.rollout,
            revision=route.revision,
            stable=route.stable,
            canary=route.canary,
            fallback=fallback,
            weight=route.weight,
            lapsed=lapsed or unheard,
        )
        known = {server.name for server in self._servers.values() if server.answered}
        if wanted and all(name in known for name, _ in wanted.clusters):
            return wanted
        return self._applied

    def _has_answered(self, digest: str | None) -> bool:
        server = self._servers.get(digest or "")
        return server is not None and server.answered

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
            self._complain(error)
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
        if self._process is not None:
            log(f"the gateway ended ({self._process.returncode}); starting it again")
        self._restarts += 1
        self._gateway_ends += 1
        self._process, self._gateway_started = None, now
        try:
            self._start_gateway()
        except GatewrightError as error:  # its port may be taken for a moment
            self._complain(error)
        return True

    def _gateway_ready(self) -> bool:
        """Asked often until it answers, then once a second."""
        now = time.monotonic()
        if self._process is None or self._process.poll() is not None:
            self._answered = 0.0
        elif not self._answered or now - self._answered >= _CHECK_EVERY_S:
            self._answered = now if self._gateway.ready() else 0.0
        return self._answered > 0.0

    def _complain(self, error: GatewrightError) -> None:
        """Log what goes wrong, the same thing at most every ten seconds."""
        text, at = self._complained
        now = time.monotonic()
        if str(error) != text or now - at > _REPEAT_S:
            log(f"going on although: {error}")
            self._complained = (str(error), now)

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
