"""What is written for Envoy, and what is accepted when it is read back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.adapters.traffic.envoy.configuration import GatewayOptions
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.routing import Endpoint, RouteTable, cluster_name

OPTIONS = GatewayOptions(port=8080, folder="/run/discovery", access_log="/run/access.log", user_header="x-customer")
TABLE = RouteTable(
    version="3.7",
    rollout="r-12",
    revision=7,
    clusters=(("model-aaaaaaaaaaaa", 500), ("model-bbbbbbbbbbbb", 9500)),
)
ALONE = RouteTable(version="3.9", rollout="", revision=9, clusters=(("model-bbbbbbbbbbbb", 10_000),))

COPIED = replace(ALONE, rollout="r-12", mirror=("model-aaaaaaaaaaaa", 2_500))
WITH_FALLBACK = replace(
    TABLE, clusters=(("model-bbbbbbbbbbbb", 9_999), ("model-cccccccccccc", 1)), mirror=COPIED.mirror
)


def dumped(table: RouteTable) -> dict[str, Any]:
    """The dump of Envoy after it accepted `table`, as the JSON document of its admin interface."""
    written = json.loads(configuration.encode(configuration.routes(OPTIONS, table)))
    config = {
        "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump.DynamicRouteConfig",
        "version_info": written["version_info"],
        "route_config": written["resources"][0],
        "last_updated": "2026-01-01T00:00:00.000Z",
    }
    return {"configs": [config]}


def only_route(dump: dict[str, Any]) -> dict[str, Any]:
    route: dict[str, Any] = dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"][0]
    return route


@pytest.mark.parametrize("table", [TABLE, ALONE, COPIED, WITH_FALLBACK])
def test_a_table_is_read_back_as_it_was_written(table: RouteTable) -> None:
    assert readback.parse_config_dump(json.dumps(dumped(table)).encode()) == table


def test_no_routes_yet_is_none() -> None:
    assert readback.parse_config_dump(b"{}") is None
    assert readback.parse_config_dump(b'{"configs": []}') is None


def rename(dump: dict[str, Any]) -> None:
    dump["configs"][0]["route_config"]["name"] = "other"


def reweigh(dump: dict[str, Any]) -> None:
    first, second = only_route(dump)["route"]["weighted_clusters"]["clusters"]
    first["weight"], second["weight"] = 600, 9400


def unbalance(dump: dict[str, Any]) -> None:
    only_route(dump)["route"]["weighted_clusters"]["clusters"][0]["weight"] = 501


def make_weight_text(dump: dict[str, Any]) -> None:
    only_route(dump)["route"]["weighted_clusters"]["clusters"][0]["weight"] = "500"


def unstick(dump: dict[str, Any]) -> None:
    del only_route(dump)["route"]["weighted_clusters"]["use_hash_policy"]


def narrow(dump: dict[str, Any]) -> None:
    only_route(dump)["match"] = {"prefix": "/predict"}


def add_route(dump: dict[str, Any]) -> None:
    routes = dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"]
    routes.insert(0, {"match": {"prefix": "/predict"}, "route": {"cluster": "elsewhere"}})


def add_configuration(dump: dict[str, Any]) -> None:
    dump["configs"].append(dump["configs"][0])


def keep_old_version(dump: dict[str, Any]) -> None:
    dump["configs"][0]["version_info"] = "3.6"


def forget_version(dump: dict[str, Any]) -> None:
    del dump["configs"][0]["version_info"]


def name_without_revision(dump: dict[str, Any]) -> None:
    only_route(dump)["name"] = "r-12||500"


def send_elsewhere(dump: dict[str, Any]) -> None:
    only_route(dump)["route"] = {"cluster": "elsewhere"}


@pytest.mark.parametrize(
    "change",
    [
        rename,
        reweigh,
        unbalance,
        make_weight_text,
        unstick,
        narrow,
        add_route,
        add_configuration,
        keep_old_version,
        forget_version,
        name_without_revision,
        send_elsewhere,
    ],
)
def test_what_we_did_not_write_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    dump = dumped(TABLE)
    change(dump)
    with pytest.raises(WorldFailed, match="not one that Gatewright wrote"):
        readback.parse_config_dump(json.dumps(dump).encode())


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"configs": {}}', b'{"configs": [1]}', b"\xff"])
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(WorldFailed):
        readback.parse_config_dump(body)
    with pytest.raises(WorldFailed):
        readback.parse_clusters(body)


def test_clusters_are_read_back() -> None:
    endpoints = {"model-b": Endpoint(port=9002), "model-a": Endpoint(port=9001)}
    written = configuration.clusters(OPTIONS, endpoints, "4")
    dump = {"configs": [{"version_info": "4", "cluster": cluster} for cluster in written["resources"]]}
    assert readback.parse_clusters(json.dumps(dump).encode()) == endpoints
    assert readback.parse_clusters(b"{}") == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"clusters": (("a", 0), ("b", 10_000))}, "not positive"),
        ({"clusters": (("a", 500), ("b", 9_499))}, "not positive with the sum"),
        ({"clusters": (("a", 10_001), ("b", -1))}, "not positive"),
        ({"clusters": (("a", 5_000), ("a", 5_000))}, "different"),
        ({"clusters": (("", 5_000), ("a", 5_000))}, "different"),
        ({"clusters": ()}, "one or two"),
        ({"clusters": (("a", 1), ("b", 1), ("c", 9_998))}, "one or two"),
        ({"rollout": "a|b"}, "signs"),
        ({"rollout": "\\1"}, "signs"),
        ({"revision": -1}, "negative"),
        ({"version": ""}, "no version"),
        ({"mirror": ("b", 100)}, "not another cluster"),
        ({"mirror": ("c", 0)}, "not another cluster"),
        ({"mirror": ("c", 10_001)}, "not another cluster"),
        ({"mirror": ("", 100)}, "not another cluster"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(change: dict[str, Any], why: str) -> None:
    right: dict[str, Any] = {
        "version": "1",
        "rollout": "r",
        "revision": 1,
        "clusters": (("a", 500), ("b", 9_500)),
    }
    with pytest.raises(UnusableInput, match=why):
        RouteTable(**{**right, **change})


def test_the_route_name_is_the_key_of_a_block() -> None:
    assert (TABLE.route_name, TABLE.canary_weight) == ("r-12|7|500", 500)
    assert (ALONE.route_name, ALONE.canary_weight) == ("|9|0", 0)


def test_the_hash_is_of_rollout_and_user_with_the_canary_first() -> None:
    action = only_route(dumped(TABLE))["route"]
    assert [cluster["weight"] for cluster in action["weighted_clusters"]["clusters"]] == [500, 9500]
    (policy,) = action["hash_policy"]
    assert policy["header"]["header_name"] == "x-customer"
    rewrite = policy["header"]["regex_rewrite"]
    hashed = re.sub(rewrite["pattern"]["regex"], rewrite["substitution"], "user-1", count=1)
    assert hashed == "r-12|user-1"


def test_the_model_server_is_told_the_block_and_the_try() -> None:
    (host,) = configuration.routes(OPTIONS, TABLE)["resources"][0]["virtual_hosts"]
    (added,) = host["routes"][0]["request_headers_to_add"]
    assert added["header"] == {"key": "x-gatewright-route", "value": "r-12|7|500"}
    assert added["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert host["include_request_attempt_count"] is True


def test_one_second_try_at_the_other_cluster() -> None:
    action = only_route(dumped(TABLE))["route"]
    assert action["retry_policy"]["refresh_cluster_on_retry"] is True
    assert action["retry_policy"]["num_retries"] == 1
    assert (action["retry_policy"]["per_try_timeout"], action["timeout"]) == ("2.000s", "5.000s")


def test_the_listener_does_not_depend_on_the_rollout() -> None:
    text = configuration.encode(configuration.listener(OPTIONS, "1"))
    manager = json.loads(text)["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["rds"]["config_source"]["path_config_source"]["path"] == "/run/discovery/routes.json"
    assert manager["access_log"][0]["typed_config"]["path"] == "/run/access.log"
    assert '"enable_reuse_port": false' in text
    assert "%REQ(x-customer):256%" in text


def test_the_bootstrap_watches_listener_and_clusters_and_keeps_admin_on_loopback() -> None:
    document = configuration.bootstrap(OPTIONS)
    sources = document["dynamic_resources"]
    paths = {name: source["path_config_source"]["path"] for name, source in sources.items()}
    assert paths == {
        "lds_config": "/run/discovery/listeners.json",
        "cds_config": "/run/discovery/clusters.json",
    }
    assert document["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 0}


@pytest.mark.parametrize("header", ["", "X-User", "x user", "x-user)%", "-x"])
def test_a_header_that_could_break_the_log_format_is_refused(header: str) -> None:
    with pytest.raises(UnusableInput, match="header"):
        GatewayOptions(port=1, folder="f", access_log="a", user_header=header)


def test_the_timeout_must_leave_room_for_two_tries() -> None:
    with pytest.raises(UnusableInput, match="two tries"):
        GatewayOptions(port=1, folder="f", access_log="a", try_timeout_s=2.0, timeout_s=4.0)


def test_clusters_are_named_by_model() -> None:
    assert cluster_name("sha256:0123456789abcdef") == "model-0123456789ab"
    assert cluster_name("0123456789abcdef") == "model-0123456789ab"
