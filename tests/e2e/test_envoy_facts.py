"""The facts about a real Envoy that every rollout leans on, each shown under load."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from gatewright.adapters.traffic.envoy import configuration, readback
from gatewright.domain.routing import WHOLE
from tests.fixtures.gateway import CANARY, STABLE, Gateway, ModelServer, drive, near, until

pytestmark = pytest.mark.xdist_group("envoy-facts")


def test_users_stay_and_only_join_the_canary_while_it_grows(gateway: Gateway) -> None:
    joined: set[str] = set()
    for weight in (500, 2_500, 5_000, 9_999):
        gateway.route(weight)
        load = drive(gateway, 0.6)
        assert all(len(arms) == 1 for arms in load.arms.values())
        now = load.canary_users()
        assert joined & load.arms.keys() <= now
        assert near(len(now) / len(load.arms), weight / WHOLE, len(load.arms))
        joined |= now


def test_another_rollout_draws_its_users_anew(gateway: Gateway) -> None:
    drawn = []
    for rollout in ("first", "second"):
        gateway.route(2_500, rollout)
        drawn.append(drive(gateway, 0.8))
    both = drawn[0].arms.keys() & drawn[1].arms.keys()
    twice = drawn[0].canary_users() & drawn[1].canary_users()
    assert near(len(twice) / len(both), 0.25**2, len(both))


def test_requests_without_a_user_are_drawn_one_by_one(gateway: Gateway) -> None:
    gateway.route(5_000)
    answers = drive(gateway, 0.6, with_user=False).answers
    assert near(answers[CANARY] / answers.total(), 0.5, answers.total())


@pytest.mark.parametrize("fault", ["failing", "hanging", "killed"])
@pytest.mark.parametrize(("bad", "weight"), [(CANARY, 500), (CANARY, 5_000), (CANARY, 9_999), (STABLE, 500)])
def test_a_failed_try_is_rescued_by_the_other_arm(gateway: Gateway, bad: str, weight: int, fault: str) -> None:
    good = STABLE if bad == CANARY else CANARY
    table = gateway.route(weight, f"{bad}-{fault}-{weight}")
    server = gateway.servers[bad]
    server.become(fault)
    try:
        load = drive(gateway, 0.35)
    finally:
        server.recover()
    rows = gateway.rows(table, load.answers.total())
    assert load.answers.keys() == {good}
    assert {row["cluster"] for row in rows} == {good}
    assert {row["attempts"] for row in rows} <= {1, 2}
    assert any(row["attempts"] == 2 for row in rows)


def test_a_server_killed_under_load_costs_no_request(gateway: Gateway) -> None:
    gateway.route(5_000)
    try:
        load = drive(gateway, 1.0, gateway.servers[CANARY].kill)
    finally:
        gateway.servers[CANARY].recover()
    assert load.answers[CANARY] > 0


def test_no_request_fails_while_everything_changes(gateway: Gateway) -> None:
    before = gateway.servers[STABLE]
    after = ModelServer(STABLE)

    def move() -> None:
        gateway.servers[STABLE] = after
        gateway.put(gateway.options.cluster_file, gateway.cluster_document("2"))
        until(
            lambda: readback.parse_clusters(gateway.ask(readback.CLUSTERS_QUERY))[STABLE].port == after.port,
            "the clusters' read-back",
        )

    def listen() -> None:
        gateway.put(gateway.options.listener_file, configuration.listener(gateway.options, "2"))

    weights = (500, 2_500, 5_000, 9_999, 1)
    flips = [lambda weight=weight: gateway.route(weight) for weight in weights]
    load = drive(gateway, 1.5, *flips, move, before.kill, listen, lambda: gateway.route(500))
    assert load.answers.keys() == {CANARY, STABLE}


def test_a_line_of_the_log_tells_what_the_evidence_needs(gateway: Gateway) -> None:
    table = gateway.route(9_999, "log")
    headers = {"x-user-id": 'a"b', "x-request-id": "mine"}
    url = f"http://127.0.0.1:{gateway.options.port}/predict?a=b"
    request = urllib.request.Request(url, data=b"{}", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.headers["x-request-id"] == "mine"
    (row,) = gateway.rows(table, 1)
    assert row["start_us"].isdigit()
    assert row["duration_us"] > 0
    known = {"cluster": CANARY, "code": 200, "flags": "-", "attempts": 1, "user": 'a"b', "request": "mine"}
    assert known.items() <= row.items()
    assert (row["method"], row["path"]) == ("POST", "/predict")


def test_a_table_that_is_no_json_leaves_the_old_one_in_force(gateway: Gateway) -> None:
    table = gateway.route(500)
    torn = Path(gateway.options.route_file + ".new")
    torn.write_text("{", encoding="utf-8")
    torn.replace(gateway.options.route_file)
    query = "/stats?filter=rds.gatewright.update_failure"
    until(lambda: not gateway.ask(query).endswith(b": 0\n"), "the refusal")
    assert readback.parse_config_dump(gateway.ask(readback.ROUTES_QUERY)) == table
    drive(gateway, 0.2)
