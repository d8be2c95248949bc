"""Testers choose their arm: what is asked of Envoy for them, and what is accepted when it is read back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.adapters.traffic.envoy.options import user_name
from gatewright.domain.errors import WorldFailed
from gatewright.domain.routing import RouteTable
from tests.unit.adapters.traffic.test_envoy_configuration import COPIED, OPTIONS, dumped

TESTERS = replace(OPTIONS, testers=("ada", "eve@example.org"))
SPLIT = RouteTable(version="9", rollout="r-12", revision=9, clusters=(("model-new", 500), ("model-old", 9500)))


def routes(table: RouteTable) -> list[dict[str, Any]]:
    (host,) = configuration.routes(TESTERS, table)["resources"][0]["virtual_hosts"]
    found: list[dict[str, Any]] = host["routes"]
    return found


def dump_of(table: RouteTable) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    dump = dumped(table)
    found = dump["configs"][0]["route_config"]["virtual_hosts"][0]
    found["routes"] = routes(table)
    return dump, found["routes"]


@pytest.mark.parametrize(("table", "canary", "stable"), [
    (SPLIT, "model-new", "model-old"), (COPIED, "model-aaaaaaaaaaaa", "model-bbbbbbbbbbbb"),
])  # fmt: skip
def test_each_arm_has_a_route_for_those_who_name_it(table: RouteTable, canary: str, stable: str) -> None:
    *chosen, _ = [route for route in routes(table) if "request_mirror_policies" not in route["route"]]
    named = {route["match"]["headers"][0]["string_match"]["exact"]: route["route"]["cluster"] for route in chosen}
    assert named == {"canary": canary, "stable": stable}
    for route in chosen:
        assert "retry_policy" not in route["route"]
        assert route["name"].endswith("|0|tester")
        who = re.compile(route["match"]["headers"][1]["string_match"]["safe_regex"]["regex"])
        assert who.fullmatch("eve@example.org")
        assert not who.fullmatch("eve@exampleXorg")
        assert not who.fullmatch("bob")
    dump, _ = dump_of(table)
    assert readback.parse_config_dump(json.dumps(dump).encode()) == table


def test_outside_a_rollout_there_is_nothing_to_choose() -> None:
    assert len(routes(replace(SPLIT, clusters=(("model-old", 10_000),)))) == 1
    assert len(configuration.routes(OPTIONS, SPLIT)["resources"][0]["virtual_hosts"][0]["routes"]) == 1


Change = Callable[[list[dict[str, Any]]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found[0]["match"]["headers"].pop(),
        lambda found: found[0]["match"]["headers"].reverse(),
        lambda found: found[0]["match"]["headers"][0].update(name="x-other"),
        lambda found: found[0]["match"].pop("headers"),
        lambda found: found[0]["match"]["headers"][0]["string_match"].update(exact="both"),
        lambda found: found[0]["route"].update(cluster="model-old"),
        lambda found: found[1].update(name="r-12|8|0|tester"),
        lambda found: found[0].update(name="r-12|9|500"),
    ],
)
def test_choices_that_we_did_not_offer_are_refused(change: Change) -> None:
    dump, found = dump_of(SPLIT)
    change(found)
    with pytest.raises(WorldFailed, match="not one that Gatewright wrote"):
        readback.parse_config_dump(json.dumps(dump).encode())


@pytest.mark.parametrize(("text", "fine"), [
    ("ada", True), ("eve+test@example.org", True), ("", False), ("-x", False), ("a b", False), ("a|b", False),
    (".*", False), ("a" * 129, False),
])  # fmt: skip
def test_names_of_testers(text: str, fine: bool) -> None:
    assert user_name(text) is fine
