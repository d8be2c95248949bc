"""What Envoy really does: its configuration dumps, read strictly.

The bodies come from the admin interface, asked with the two queries below. Whatever is not of the form that
`configuration` writes is refused: traffic that somebody else shaped must never be taken for a weight.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gatewright.adapters.traffic.envoy.configuration import ARM_HEADER, METADATA_VERSION, NAME, PREDICTIONS
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.routing import TESTER, Endpoint, RouteTable

ROUTES_QUERY = "/config_dump?resource=dynamic_route_configs"
CLUSTERS_QUERY = "/config_dump?resource=dynamic_active_clusters"


def parse_config_dump(body: bytes) -> RouteTable | None:
    """Read the route table in force; None when it routes nothing, WorldFailed when it is not one of ours."""
    configs = _configs(body)
    if not configs:
        return None
    config = _only(configs, "route configurations")
    version = _text(config, "version_info")
    resource = _mapping(config, "route_config")
    if _text(resource, "name") != NAME:
        raise _foreign(f"its route configuration is called {resource['name']!r}")
    if not resource.get("virtual_hosts"):
        return None
    host = _only(_list(resource, "virtual_hosts"), "virtual hosts")
    *before, route = map(_as_mapping, _list(host, "routes") or [None])
    chosen = [each for each in before if _text(each, "name").endswith(f"|{TESTER}")]
    mirrored = before[len(chosen) :]
    if host.get("domains") != ["*"] or route.get("match") != {"prefix": "/"}:
        raise _foreign("its route does not take all requests")
    written = _mapping(_mapping(_mapping(route, "metadata"), "filter_metadata"), NAME)
    if _text(written, METADATA_VERSION) != version:
        raise _foreign(f"the table in force is {written[METADATA_VERSION]!r}, its file {version!r}")
    table = _table(version, _text(route, "name"), _mapping(route, "route"))
    if mirrored:
        table = _with_mirror(table, _only(mirrored, "routes beside the one for all"))
    for each, named in zip(chosen, before, strict=False):
        _check_chosen(table, each, named)
    return table


def parse_clusters(body: bytes) -> dict[str, Endpoint]:
    """Read the endpoint of each cluster in force, by cluster name; WorldFailed when one is not ours."""
    found: dict[str, Endpoint] = {}
    for config in _configs(body):
        cluster = _mapping(config, "cluster")
        group = _only(_list(_mapping(cluster, "load_assignment"), "endpoints"), "groups of endpoints")
        member = _only(_list(group, "lb_endpoints"), "endpoints")
        address = _mapping(_mapping(_mapping(member, "endpoint"), "address"), "socket_address")
        found[_text(cluster, "name")] = Endpoint(host=_text(address, "address"), port=_integer(address, "port_value"))
    return found


def _table(version: str, route_name: str, action: Mapping[str, Any]) -> RouteTable:
    weighted = _mapping(action, "weighted_clusters")
    if weighted.get("use_hash_policy") is not True:
        raise _foreign("its shares are not drawn by user")
    shares = tuple(
        (_text(cluster, "name"), _integer(cluster, "weight"))
        for cluster in map(_as_mapping, _list(weighted, "clusters"))
    )
    rollout, _, rest = route_name.partition("|")
    revision = rest.partition("|")[0]
    if not (revision.isascii() and revision.isdigit()):
        raise _foreign(f"its route is called {route_name!r}")
    try:
        table = RouteTable(version=version, rollout=rollout, revision=int(revision), clusters=shares)
    except UnusableInput as error:
        raise _foreign(error.what) from error
    if table.route_name != route_name:
        raise _foreign(f"its route is called {route_name!r} but has the weights of {table.route_name!r}")
    return table


def _with_mirror(table: RouteTable, route: Mapping[str, Any]) -> RouteTable:
    """The table with the cluster that gets copies; the answers must come from where all answers come from."""
    match, action = _mapping(route, "match"), _mapping(route, "route")
    drawn = _mapping(_mapping(match, "runtime_fraction"), "default_value")
    copy = _only(_list(action, "request_mirror_policies"), "mirrors")
    shares = _list(_mapping(action, "weighted_clusters"), "clusters")
    if _mapping(match, "safe_regex") != {"regex": PREDICTIONS} or drawn.get("denominator") != "TEN_THOUSAND":
        raise _foreign("its first route does not take predictions alone")
    if [(share.get("name"), share.get("weight")) for share in map(_as_mapping, shares)] != list(table.clusters):
        raise _foreign("what is copied is answered by others")
    try:
        found = replace(table, mirror=(_text(copy, "cluster"), _integer(drawn, "numerator")))
    except UnusableInput as error:
        raise _foreign(error.what) from error
    if _text(route, "name") != found.mirrored_name:
        raise _foreign(f"its first route is called {route['name']!r}")
    return found


def _check_chosen(table: RouteTable, route: Mapping[str, Any], first: Mapping[str, Any]) -> None:
    """Testers, and nobody else, get an arm of this table by naming it; their routes come before all others."""
    match = _mapping(route, "match")
    named = [header.get("name") for header in map(_as_mapping, _list(match, "headers"))]
    arm = _mapping(_as_mapping(_list(match, "headers")[0]), "string_match").get("exact")
    if route is not first or _text(route, "name") != table.tester_name or len(named) != 2 or named[0] != ARM_HEADER:
        raise _foreign(f"its route {route['name']!r} is none of testers")
    if arm not in table.arms or _mapping(route, "route").get("cluster") != table.arms[arm]:
        raise _foreign(f"testers of arm {arm!r} are sent elsewhere")


def _configs(body: bytes) -> list[Mapping[str, Any]]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise _foreign("the answer is not JSON") from error
    document = _as_mapping(document)
    return [_as_mapping(config) for config in _list(document, "configs")] if "configs" in document else []


def _only(items: Sequence[Any], what: str) -> Mapping[str, Any]:
    if len(items) != 1:
        raise _foreign(f"there are {len(items)} {what}, not one")
    return _as_mapping(items[0])


def _as_mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _foreign(f"{value!r:.80} is no object")
    return value


def _mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if not isinstance(value, dict):
        raise _foreign(f"there is no object {key!r}")
    return value


def _list(parent: Mapping[str, Any], key: str) -> list[Any]:
    value = parent.get(key)
    if not isinstance(value, list):
        raise _foreign(f"there is no list {key!r}")
    return value


def _text(parent: Mapping[str, Any], key: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str) or not value:
        raise _foreign(f"there is no text {key!r}")
    return value


def _integer(parent: Mapping[str, Any], key: str) -> int:
    value = parent.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _foreign(f"there is no whole number {key!r}")
    return value


def _foreign(why: str) -> WorldFailed:
    return WorldFailed(
        f"Envoy's configuration is not one that Gatewright wrote: {why}",
        fix="restart the gateway: gatewright serve stop, then gatewright serve start",
    )
