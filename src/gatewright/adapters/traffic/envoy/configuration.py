"""What Envoy is told: bootstrap, listener, clusters and routes, as plain documents.

The bootstrap is given once on the command line. The other three are discovery responses in files of one
folder, each replaced by an atomic rename; Envoy re-reads all of them when a name in that folder changes.
Everything that changes during a rollout is in the routes, the rollout's id included, so that the listener
stays as it is and no connection is drained.

Envoy 1.39 is the oldest that knows `refresh_cluster_on_retry`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatewright.adapters.traffic.envoy.options import SECOND_TRY_RESERVE_S, header_name
from gatewright.domain.errors import UnusableInput
from gatewright.domain.routing import Endpoint, RouteTable

Document = dict[str, Any]

NAME = "gatewright"
METADATA_VERSION = "version"
ROUTE_HEADER = "x-gatewright-route"
ARM_HEADER = "x-gatewright-arm"
PREDICTIONS = "/predict|/v2/models/[^/]+/infer"
"""What may be copied: a copied label would be a second one."""

_TYPE = "type.googleapis.com/"
_STATS = ("http.gatewright.", "cluster.model-", "cluster_manager.", "listener_manager.", "server.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """How the gateway listens, waits and logs.

    `folder` holds the discovery files and nothing that is renamed often. A request takes at most `timeout_s`,
    both tries included. A body longer than `max_body_bytes` is passed on but cannot be tried twice.
    """

    host: str = "127.0.0.1"
    port: int
    folder: str
    access_log: str
    user_header: str = "x-user-id"
    try_timeout_s: float = 2.0
    timeout_s: float = 5.0
    max_connections: int = 1024
    max_body_bytes: int = 16 * 1024 * 1024
    testers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not header_name(self.user_header):
            raise UnusableInput(
                f"user header {self.user_header!r} is no header name",
                fix="use lower-case letters, digits and hyphens, for example x-user-id",
            )
        if self.try_timeout_s <= 0 or self.timeout_s < 2 * self.try_timeout_s + SECOND_TRY_RESERVE_S:
            raise UnusableInput(
                f"a time-out of {self.timeout_s} s leaves no room for two tries of {self.try_timeout_s} s",
                fix="raise the time-out above twice the try time-out, or lower the try time-out",
            )

    @property
    def listener_file(self) -> str:
        """Where the listener's discovery response is expected."""
        return f"{self.folder}/listeners.json"

    @property
    def cluster_file(self) -> str:
        """Where the clusters' discovery response is expected."""
        return f"{self.folder}/clusters.json"

    @property
    def route_file(self) -> str:
        """Where the routes' discovery response is expected."""
        return f"{self.folder}/routes.json"


def encode(document: Mapping[str, Any]) -> str:
    """Write a document as the JSON text of its file."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def bootstrap(options: GatewayOptions) -> Document:
    """What Envoy is started with; the admin interface takes any free port of the loopback address."""
    return {
        "node": {"id": NAME, "cluster": NAME},
        "admin": {"address": _address("127.0.0.1", 0)},
        # Histograms are as old as this; five seconds by default.
        "stats_flush_interval": "1s",
        "dynamic_resources": {
            "lds_config": _watched(options.listener_file, options.folder),
            "cds_config": _watched(options.cluster_file, options.folder),
        },
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"prefix": prefix} for prefix in _STATS]}}},
    }


def listener(options: GatewayOptions, version: str) -> Document:
    """The one listener; it holds nothing that changes while the gateway runs."""
    manager = {
        "@type": f"{_TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": NAME,
        "rds": {
            "route_config_name": NAME,
            "config_source": _watched(options.route_file, options.folder),
        },
        # Late labels name the request that they belong to.
        "always_set_request_id_in_response": True,
        "access_log": [_access_log(options)],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    resource = {
        "@type": f"{_TYPE}envoy.config.listener.v3.Listener",
        "name": NAME,
        "address": _address(options.host, options.port),
        # With port sharing a second gateway would silently take half of the connections.
        "enable_reuse_port": False,
        "filter_chains": [
            {
                "name": "http",
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
            }
        ],
    }
    return {"version_info": version, "resources": [resource]}


def clusters(options: GatewayOptions, endpoints: Mapping[str, Endpoint], version: str) -> Document:
    """One cluster of one model server each, by name; without outlier detection, which would empty it."""
    return {
        "version_info": version,
        "resources": [_cluster(options, name, endpoint) for name, endpoint in sorted(endpoints.items())],
    }


def routes(options: GatewayOptions, table: RouteTable | None) -> Document:
    """All requests to the clusters of `table`, or nowhere without one; a failed try goes to the other cluster.

    Users stay where they are: the share is drawn by a hash of rollout and user, with the canary first,
    so that it only gains users while its weight grows. Requests without the user header are drawn one by one.
    Testers who name an arm have routes of their own, before all others, and predictions that are copied to a canary
    have one before that for all.
    """
    if table is None:
        nowhere = {"@type": f"{_TYPE}envoy.config.route.v3.RouteConfiguration", "name": NAME, "virtual_hosts": []}
        return {"version_info": "none", "resources": [nowhere]}
    resource = {
        "@type": f"{_TYPE}envoy.config.route.v3.RouteConfiguration",
        "name": NAME,
        "validate_clusters": False,
        "virtual_hosts": [
            {
                "name": NAME,
                "domains": ["*"],
                "request_body_buffer_limit": options.max_body_bytes,
                "include_request_attempt_count": True,
                "routes": [
                    *_chosen(options, table),
                    *([_mirrored(options, table, *table.mirror)] if table.mirror else []),
                    _route(table, table.route_name, {"prefix": "/"}, _split(options, table)),
                ],
            }
        ],
    }
    return {"version_info": table.version, "resources": [resource]}


def _route(table: RouteTable, name: str, match: Document, action: Document) -> Document:
    return {
        "name": name,
        "match": match,
        "route": action,
        # The model server logs it beside its answer: which rollout, revision and weight a label belongs to.
        "request_headers_to_add": [_told(name)],
        # Envoy keeps the old version_info when nothing but the version changes; this makes it a change.
        "metadata": {"filter_metadata": {NAME: {METADATA_VERSION: table.version}}},
    }


def _chosen(options: GatewayOptions, table: RouteTable) -> Iterator[Document]:
    """The routes of testers: to the arm that they name and to no other one, also when it fails."""
    named = "|".join(re.escape(tester) for tester in options.testers)
    for arm, cluster in table.arms.items() if named else ():
        headers = [
            {"name": ARM_HEADER, "string_match": {"exact": arm}},
            {"name": options.user_header, "string_match": {"safe_regex": {"regex": named}}},
        ]
        action = {"cluster": cluster, "timeout": _seconds(options.timeout_s)}
        yield _route(table, table.tester_name, {"prefix": "/", "headers": headers}, action)


def _mirrored(options: GatewayOptions, table: RouteTable, cluster: str, share: int) -> Document:
    """The route of the predictions that are copied: drawn here, so that their own logs tell which they were."""
    drawn = {"default_value": {"numerator": share, "denominator": "TEN_THOUSAND"}}
    copy = {"cluster": cluster, "request_headers_mutations": [{"append": _told(table.copy_name)}]}
    return _route(
        table,
        table.mirrored_name,
        {"safe_regex": {"regex": PREDICTIONS}, "runtime_fraction": drawn},
        {**_split(options, table), "request_mirror_policies": [copy]},
    )


def _told(name: str) -> Document:
    return {"header": {"key": ROUTE_HEADER, "value": name}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _split(options: GatewayOptions, table: RouteTable) -> Document:
    return {
        "weighted_clusters": {
            "clusters": [{"name": name, "weight": weight} for name, weight in table.clusters],
            "use_hash_policy": True,
        },
        "hash_policy": [
            {
                "header": {
                    "header_name": options.user_header,
                    # The rollout's id in front makes each rollout draw its users anew.
                    "regex_rewrite": {
                        "pattern": {"regex": "^(.*)$"},
                        "substitution": f"{table.rollout}|\\1",
                    },
                }
            }
        ],
        "timeout": _seconds(options.timeout_s),
        "retry_policy": {
            "retry_on": "5xx,connect-failure,reset,refused-stream",
            "num_retries": 1,
            "per_try_timeout": _seconds(options.try_timeout_s),
            "refresh_cluster_on_retry": True,
            # The second try goes elsewhere: there is nothing to wait for.
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
        },
    }


def _cluster(options: GatewayOptions, name: str, endpoint: Endpoint) -> Document:
    protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    limit = options.max_connections
    return {
        "@type": f"{_TYPE}envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "0.5s",
        # The default of three retries at a time would give up on the users of a hanging canary.
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": limit,
                    "max_pending_requests": limit,
                    "max_requests": limit,
                    "max_retries": limit,
                }
            ]
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(endpoint.host, endpoint.port)}}]}],
        },
        # Shorter than the keep-alive of model servers (uvicorn: 5 s), whose close could cross a request.
        "typed_extension_protocol_options": {
            protocol: {
                "@type": f"{_TYPE}{protocol}",
                "common_http_protocol_options": {"idle_timeout": "4s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _access_log(options: GatewayOptions) -> Document:
    fields = {
        "start_us": "%START_TIME(%s%6f)%",
        "duration_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
        "duration_ms": "%DURATION%",
        "cluster": "%UPSTREAM_CLUSTER_RAW%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "route": "%ROUTE_NAME%",
        "user": f"%REQ({options.user_header}):256%",
        "request": "%REQ(x-request-id):128%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ):256%",
    }
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{_TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": options.access_log,
            "log_format": {"json_format": fields},
        },
    }


def _watched(path: str, folder: str) -> Document:
    return {
        "path_config_source": {"path": path, "watched_directory": {"path": folder}},
        "resource_api_version": "V3",
    }


def _address(host: str, port: int) -> Document:
    return {"socket_address": {"address": host, "port_value": port}}


def _seconds(value: float) -> str:
    return f"{value:.3f}s"
