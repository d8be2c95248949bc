"""What a real Envoy does with copies: how many, of which requests, and that no client ever feels them."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.domain.routing import WHOLE, RouteTable
from tests.fixtures.gateway import CANARY, STABLE, Gateway, drive, near, until

pytestmark = pytest.mark.xdist_group("envoy-facts")


def mirror(gateway: Gateway, share: int) -> RouteTable:
    gateway.revision += 1
    table = RouteTable(
        version=f"1.{gateway.revision}",
        rollout="r1",
        revision=gateway.revision,
        clusters=((STABLE, WHOLE),),
        mirror=(CANARY, share),
    )
    patient = replace(gateway.options, try_timeout_s=0.9)  # stable is alone here: on a busy machine nobody rescues it
    gateway.put(patient.route_file, configuration.routes(patient, table))
    until(lambda: readback.parse_config_dump(gateway.ask(readback.ROUTES_QUERY)) == table, "the read-back")
    return table


def counted(gateway: Gateway) -> Callable[[], int]:
    """How many requests the canary was sent from now on; they are counted a little later than they are answered."""

    def total() -> int:
        said = gateway.ask(f"/stats?filter=cluster.{CANARY}.upstream_rq_total").decode()
        return int(said.partition(": ")[2] or 0)

    before = total()
    return lambda: total() - before


def test_every_prediction_is_copied_and_answered_by_stable_alone(gateway: Gateway) -> None:
    table = mirror(gateway, WHOLE)
    copies = counted(gateway)
    load = drive(gateway, 0.5)
    assert load.answers.keys() == {STABLE}
    until(lambda: copies() == load.answers.total(), "a copy of each")
    rows = gateway.rows(_named(table), load.answers.total())
    assert {(row["route"], row["cluster"]) for row in rows} == {(table.mirrored_name, STABLE)}


def test_a_share_of_them_is_drawn_and_named_in_the_log(gateway: Gateway) -> None:
    table = mirror(gateway, 2_500)
    copies = counted(gateway)
    load = drive(gateway, 1.0)
    assert load.answers.keys() == {STABLE}
    until(lambda: copies() > 0, "some copies")
    plain = gateway.rows(table, 1)
    until(lambda: len(gateway.rows(_named(table), 1)) + len(gateway.rows(table, 1)) == load.answers.total(), "all rows")
    drawn = len(gateway.rows(_named(table), 1))
    assert plain
    until(lambda: copies() == drawn, "as many copies as the log names")
    assert near(drawn / load.answers.total(), 0.25, load.answers.total())


def test_what_asks_for_no_prediction_is_not_copied(gateway: Gateway) -> None:
    table = mirror(gateway, WHOLE)
    copies = counted(gateway)
    for path in ("/", "/feedback", "/v2/models/toy", "/predict/x"):
        urllib.request.urlopen(f"http://127.0.0.1:{gateway.options.port}{path}", data=b"{}", timeout=5).close()
    url = f"http://127.0.0.1:{gateway.options.port}/v2/models/toy/infer?a=b"
    urllib.request.urlopen(url, data=b"{}", timeout=5).close()
    assert len(gateway.rows(table, 4)) == 4
    until(lambda: copies() == 1, "the copy of the one prediction")


@pytest.mark.parametrize("fault", ["failing", "hanging", "killed"])
def test_a_canary_that_fails_on_copies_costs_no_client_anything(gateway: Gateway, fault: str) -> None:
    table = mirror(gateway, WHOLE)
    server = gateway.servers[CANARY]
    server.become(fault)
    try:
        load = drive(gateway, 0.5)
    finally:
        server.recover()
    assert load.answers.keys() == {STABLE}
    rows = gateway.rows(_named(table), load.answers.total())
    assert {(row["attempts"], row["code"]) for row in rows} == {(1, 200)}


class _Named:
    """The name of the route that copies, where the log is asked for lines of a table."""

    def __init__(self, table: RouteTable) -> None:
        self.route_name = table.mirrored_name


def _named(table: RouteTable) -> RouteTable:
    return _Named(table)  # type: ignore[return-value]
