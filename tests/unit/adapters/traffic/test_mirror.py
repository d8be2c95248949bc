"""Copies of requests: what is asked of Envoy, what is accepted when it is read back, and who asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.adapters.traffic.envoy.traffic import EnvoyTraffic
from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.rollout import Phase
from gatewright.domain.routing import cluster_name
from gatewright.ports import Context
from gatewright.rules import routing
from gatewright.store.routes import Routes
from tests.unit.adapters.traffic.test_envoy_configuration import COPIED, OPTIONS, dumped
from tests.unit.adapters.traffic.test_traffic import NEW, OLD, ROLLOUT, context, route, traffic

__all__ = ["context", "traffic"]


def routes() -> list[dict[str, Any]]:
    (host,) = configuration.routes(OPTIONS, COPIED)["resources"][0]["virtual_hosts"]
    found: list[dict[str, Any]] = host["routes"]
    return found


def test_predictions_alone_are_copied_and_answered_as_all_others() -> None:
    first, rest = routes()
    assert first["match"]["safe_regex"] == {"regex": "/predict|/v2/models/[^/]+/infer"}
    assert first["match"]["runtime_fraction"]["default_value"]["numerator"] == 2_500
    (mirror,) = first["route"].pop("request_mirror_policies")
    assert mirror["cluster"] == "model-aaaaaaaaaaaa"
    assert first["route"] == rest["route"]
    assert rest["match"] == {"prefix": "/"}


def test_the_original_and_the_copy_are_told_what_they_are() -> None:
    first, rest = routes()
    (mirror,) = first["route"]["request_mirror_policies"]
    told = [each["request_headers_to_add"][0]["header"]["value"] for each in (first, rest)]
    copy = mirror["request_headers_mutations"][0]["append"]
    assert (told, copy["header"]["value"]) == (["r-12|9|0|mirrored", "r-12|9|0"], "r-12|9|0|copy")
    assert copy["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert COPIED.names == ("model-bbbbbbbbbbbb", "model-aaaaaaaaaaaa")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda first: first["match"].update(safe_regex={"regex": ".*"}),
        lambda first: first["match"]["runtime_fraction"]["default_value"].update(denominator="HUNDRED"),
        lambda first: first["match"].pop("runtime_fraction"),
        lambda first: first["route"].pop("request_mirror_policies"),
        lambda first: first["route"]["request_mirror_policies"].append({"cluster": "c"}),
        lambda first: first["route"]["request_mirror_policies"][0].update(cluster="model-bbbbbbbbbbbb"),
        lambda first: first["route"]["weighted_clusters"]["clusters"][0].update(name="model-aaaaaaaaaaaa"),
        lambda first: first.update(name="r-12|9|0"),
    ],
)
def test_copies_that_we_did_not_ask_for_are_refused(change: Change) -> None:
    dump = dumped(COPIED)
    change(dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"][0])
    with pytest.raises(WorldFailed, match="not one that Gatewright wrote"):
        readback.parse_config_dump(json.dumps(dump).encode())


def test_three_routes_are_not_ours() -> None:
    dump = dumped(COPIED)
    routes = dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"]
    routes.insert(0, routes[0])
    with pytest.raises(WorldFailed, match="2 routes beside the one for all"):
        readback.parse_config_dump(json.dumps(dump).encode())


def test_the_table_has_copies_only_for_a_canary_without_weight_under_a_lease() -> None:
    asked: dict[str, Any] = {
        "rollout": "r", "revision": 1, "stable": OLD.digest, "canary": NEW.digest, "fallback": None,
        "weight": 0.0, "lapsed": False, "mirror": 0.25,
    }  # fmt: skip
    copied = routing.table(**asked)
    assert copied is not None
    assert copied.mirror == (cluster_name(NEW.digest), 2_500)
    assert (copied.mirrored_share(NEW.digest), copied.mirrored_share(OLD.digest), copied.share(NEW.digest)) == (
        0.25,
        0,
        0,
    )
    for change in ({"mirror": 0.0}, {"lapsed": True}, {"weight": 5.0}, {"canary": None}, {"canary": OLD.digest}):
        table = routing.table(**{**asked, **change})
        assert table is not None
        assert table.mirror is None
    tiny = routing.table(**{**asked, "mirror": 1e-6})
    assert tiny is not None
    assert tiny.mirror == (cluster_name(NEW.digest), 1)


def test_copies_are_asked_for_with_the_weight_and_end_with_the_rollout(traffic: EnvoyTraffic, context: Context) -> None:
    shadowing = replace(ROLLOUT, phase=Phase.SHADOWING, mirror=0.5)
    traffic.set_weight(shadowing, 0.0)
    before = route(context)
    traffic.set_weight(shadowing, 0.0)
    after = route(context)
    assert (after.mirror, after.weight, after.revision, after.renewals) == (
        0.5,
        0.0,
        before.revision,
        before.renewals + 1,
    )
    traffic.set_weight(replace(ROLLOUT, mirror=0.0), 5.0)
    assert (route(context).mirror, route(context).revision) == (0.0, after.revision + 1)
    traffic.set_weight(shadowing, 0.0)
    traffic.finish(replace(ROLLOUT, phase=Phase.ROLLED_BACK))
    assert (route(context).mirror, route(context).canary) == (0.0, None)


def test_a_quarantined_model_gets_no_copies(traffic: EnvoyTraffic, context: Context) -> None:
    with context.database.transaction("test") as connection:
        connection.execute(
            "INSERT INTO quarantine (model, digest, rollout, why, at) VALUES ('toy', ?, 'r', 'bad', 'now')",
            (NEW.digest,),
        )
    with pytest.raises(LeaseLost, match="quarantined: bad"):
        traffic.set_weight(replace(ROLLOUT, mirror=1.0), 0.0)
    found = Routes(context.database).get("toy")
    assert found is not None
    assert found.mirror == 0.0
