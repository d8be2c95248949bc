"""A real Envoy lets testers choose their arm, and nobody else; the log tells them apart."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.domain.routing import WHOLE, RouteTable
from tests.fixtures.gateway import CANARY, STABLE, Gateway, until

pytestmark = pytest.mark.xdist_group("envoy-facts")


def offered(gateway: Gateway, weight: int) -> RouteTable:
    table = gateway.table(weight)
    options = replace(gateway.options, testers=("ada", "eve@example.org"))
    gateway.put(options.route_file, configuration.routes(options, table))
    until(lambda: readback.parse_config_dump(gateway.ask(readback.ROUTES_QUERY)) == table, "the read-back")
    return table


def asked(gateway: Gateway, user: str, arm: str | None = None) -> str:
    headers = {"x-user-id": user} | ({"x-gatewright-arm": arm} if arm else {})
    url = f"http://127.0.0.1:{gateway.options.port}/predict"
    with urllib.request.urlopen(urllib.request.Request(url, b"{}", headers), timeout=5) as answer:
        return str(answer.read().decode())


def test_testers_alone_choose_and_their_requests_have_a_name_of_their_own(gateway: Gateway) -> None:
    table = offered(gateway, 1)  # of 10,000: by chance nobody gets the canary
    assert asked(gateway, "ada", "canary") == CANARY
    assert asked(gateway, "eve@example.org", "canary") == CANARY
    assert asked(gateway, "ada", "stable") == STABLE
    assert {asked(gateway, user, "canary") for user in ("bob", "adam", "xada")} == {STABLE}
    assert asked(gateway, "ada", "neither") == asked(gateway, "ada") == STABLE
    log = Path(gateway.options.access_log)
    until(lambda: log.read_text().count(f'"{table.tester_name}"') == 3, "the three lines of testers")
    assert len(gateway.rows(table, 5)) == 5


def test_a_tester_sees_the_canary_fail(gateway: Gateway) -> None:
    offered(gateway, WHOLE // 2)
    gateway.servers[CANARY].become("failing")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        asked(gateway, "ada", "canary")
    assert asked(gateway, "bob", "canary") == STABLE
