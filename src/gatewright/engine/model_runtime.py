"""What runs for one model: its gateway, its model servers, and the route that they should serve."""

from __future__ import annotations

import json
import time
from typing import Literal

from gatewright.domain.errors import GatewrightError, WorldFailed
from gatewright.domain.routing import RouteTable, cluster_name
from gatewright.effects.files import safe_join
from gatewright.effects.processes import ProcessIdentity
from gatewright.engine.gateway_process import GatewayProcess
from gatewright.engine.journal import Complaints, log
from gatewright.engine.servers import ModelServer
from gatewright.engine.signing import server_options
from gatewright.ports import Gateway
from gatewright.rules import routing
from gatewright.store.prediction_log import log_folder
from gatewright.store.processes import ProcessRow
from gatewright.store.routes import Route
from gatewright.store.schema_files import read_schema
from gatewright.workspace import STATE, Workspace

_CHECK_EVERY_S = 1.0
_ROTATE_EVERY_S = 10.0


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


class ModelRuntime:
    """Reconciles gateway and model servers of one model towards its desired route."""

    def __init__(self, workspace: Workspace, gateway: Gateway) -> None:
        self._workspace = workspace
        self._gateway = gateway
        self._model = workspace.project.model
        self._logs = workspace.root / STATE / "logs"
        self.gateway_process = GatewayProcess(
            gateway, folder=workspace.root / STATE, log_file=self._logs / f"gateway-{self._model}.log"
        )
        self._servers: dict[str, ModelServer] = {}
        self._applied: RouteTable | None = None
        self._lease = Lease()
        self._checked = self._rotated = 0.0
        self._answers = False
        self._told: dict[str, ProcessRow] = {}
        self._route: Route | None = None
        self._complaints = Complaints()

    def reconcile(self) -> None:
        """One look at everything that should be, and what to do about it. What fails is tried again next time."""
        for step in (self._serve, self._tell):
            try:
                step()
            except GatewrightError as error:  # a full disk or a port taken for a moment must not end what serves
                self._complaints.tell(error)

    @property
    def settled(self) -> bool:
        """Whether nothing of it is starting."""
        return self._answers and all(server.ready or server.error for server in self._servers.values())

    def _serve(self) -> None:
        now = time.monotonic()
        changed = self.gateway_process.watch()
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

    def end(self) -> None:
        """End the gateway, then the servers, which answer what is in flight."""
        self.gateway_process.end()
        for server in self._servers.values():
            server.stop()

    def _read_route(self) -> Route | None:
        """The desired route; the one read last while the database cannot be read, so that its lease still lapses."""
        try:
            self._route = self._workspace.routes.get(self._model)
        except WorldFailed as error:
            self._complaints.tell(error)
        return self._route

    def _table(self, route: Route | None, now: float) -> RouteTable | None:
        """The table that should be in force; the one before while its stable arm has not answered yet.

        A canary or a fallback that has never answered, because it still loads or cannot, is left out: after a
        restart the stable arm serves alone until then.
        """
        if route is None:
            return None
        lapsed = self._lease.lapsed(route, now) and not self._only_canary_answers(route)
        divided = route.weight > 0 or route.mirror > 0
        unheard = divided and route.stable is not None and not self._has_answered(route.canary)
        fallback = route.fallback if self._fallback_serves(route) and self._has_answered(route.fallback) else None
        wanted = routing.table(
            rollout=route.rollout,
            revision=route.revision,
            stable=route.stable,
            canary=route.canary,
            fallback=fallback,
            weight=route.weight,
            lapsed=lapsed or unheard,
            mirror=route.mirror,
        )
        known = {server.name for server in self._servers.values() if server.answered}
        if wanted is None or all(name in known for name in wanted.names):
            return wanted
        return self._applied

    def _only_canary_answers(self, route: Route) -> bool:
        """Whether stable was given up while the canary serves: back at stable nobody would be answered."""
        stable, canary = self._servers.get(route.stable or ""), self._servers.get(route.canary or "")
        given_up = stable is not None and stable.error is not None and not stable.ready
        return given_up and canary is not None and canary.ready and route.weight > 0

    def _has_answered(self, digest: str | None) -> bool:
        server = self._servers.get(digest or "")
        return server is not None and server.answered

    def _fallback_serves(self, route: Route) -> bool:
        until = route.fallback_until
        return until is not None and self._workspace.clock.now() < until

    def _configure(self, table: RouteTable | None, wanted: tuple[str, ...]) -> None:
        """Tell the gateway, then unload what neither the route nor the live table needs any more."""
        endpoints = {server.name: server.endpoint for server in self._servers.values() if server.endpoint}
        self._gateway.configure(table, endpoints)
        live = self._gateway.table()
        self._applied = table
        in_use = set(live.names) if live else set()
        for digest in [digest for digest in self._servers if digest not in wanted]:
            if cluster_name(digest) not in in_use:
                self._servers.pop(digest).stop()
                log(f"{self._model}: {cluster_name(digest)} unloaded")

    def _watch_servers(self, wanted: tuple[str, ...]) -> bool:
        changed = False
        for digest in wanted:
            folder = self._workspace.routes.locate(self._model, digest)
            if digest not in self._servers and folder is not None:
                self._servers[digest] = ModelServer(
                    model=self._model,
                    digest=digest,
                    folder=folder,
                    root=self._workspace.root,
                    log=self._logs / f"{cluster_name(digest)}.log",
                    settings=(*_settings(self._workspace), *server_options(self._workspace, digest)),
                )
        for server in self._servers.values():
            if server.look():
                changed = True
                log(f"{self._model}: {server.name}: {'ready' if server.ready else server.error or 'starting'}")
        return changed

    def _tell(self) -> None:
        """Keep the process table true; a row is written only when it changed."""
        rows = [self._server_row(server) for server in self._servers.values()]
        gateway = self.gateway_process
        if gateway.pid is not None:
            ready = self._answers = gateway.ready()
            rows.append(self._row("gateway", gateway.pid, ready=ready, restarts=gateway.restarts, error=gateway.error))
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


def logged_features(workspace: Workspace, wanted: Literal["all"] | tuple[str, ...]) -> tuple[str, ...]:
    """Which inputs a model server may log: those that the schema file names and does not call personal.

    Nothing when the file cannot be read: then nobody can say which are.
    """
    if not wanted:
        return ()
    try:
        schema = read_schema(safe_join(workspace.root, workspace.project.data.schema))
    except GatewrightError as error:
        log(f"{workspace.project.model}: inputs are not logged, as no schema file says which are personal: {error}")
        return ()
    allowed = [name for name, column in schema.columns.items() if not column.personal]
    return ("--log-features", json.dumps(allowed if wanted == "all" else [name for name in wanted if name in allowed]))


def _settings(workspace: Workspace) -> tuple[str, ...]:
    """What a model server is told: whether code may run, and of its log of predictions as the kind that serves says."""
    options = workspace.project.serving.options
    most = getattr(options, "prediction_log_mb", 0)
    folder = str(log_folder(workspace.root, workspace.project.model))
    user_header = getattr(options, "user_header", "")
    allowed = ("--allow-code",) if workspace.project.train.allow_code else ()
    if not most:
        return allowed
    named = logged_features(workspace, getattr(options, "log_features", ()))
    return (
        *allowed,
        *("--prediction-log", folder, "--prediction-log-mb", str(most), "--user-header", user_header),
        *named,
    )


def _content(row: ProcessRow) -> tuple[object, ...]:
    return (row.identity, row.digest, row.port, row.ready, row.restarts, row.error)
