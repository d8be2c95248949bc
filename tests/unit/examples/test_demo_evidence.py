from __future__ import annotations

import http.server
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from evidence import broken_link, live_route, path_of

from gatewright.store.database import Database
from gatewright.store.records import Event, Records


@pytest.fixture
def chained(tmp_path: Path) -> Database:
    database = Database(tmp_path / "state.db")
    for number in range(3):
        at = datetime(2026, 1, 1, number, tzinfo=UTC)
        Records(database).append(Event(at=at, kind="stopped", run=f"run-{number}", model="m", why="größer → kleiner"))
    return database


def broken(database: Database) -> str:
    return broken_link(database.rows("SELECT * FROM records ORDER BY seq"))


def test_a_chain_that_gatewright_wrote_verifies(chained: Database) -> None:
    assert broken(chained) == ""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET body = replace(body, 'kleiner', 'ganz') WHERE seq = 2",
        "UPDATE records SET terminal = 0 WHERE seq = 2",
        "UPDATE records SET run = 'another' WHERE seq = 2",
        "UPDATE records SET previous = digest WHERE seq = 2",
        "DELETE FROM records WHERE seq = 2",
    ],
)
def test_a_changed_record_is_found(chained: Database, change: str) -> None:
    with chained.transaction("test") as connection:
        connection.execute("DROP TRIGGER records_are_not_edited")
        connection.execute("DROP TRIGGER records_are_not_deleted")
        connection.execute(change)
    assert "does not fit" in broken(chained)


def test_no_record_at_all_is_no_chain(tmp_path: Path) -> None:
    assert broken(Database(tmp_path / "state.db")) == "there is no record"


@pytest.mark.parametrize(
    ("weights", "path"),
    [
        ([0.0, 0.0, 5.0, 5.0, 25.0, 50.0, 99.99, 100.0], [5.0, 25.0, 50.0, 100.0]),
        ([0.0, 5.0, None, 5.0, 0.0], [5.0]),
        ([5.0, 0.0, 5.0], [5.0, 0.0, 5.0]),
        ([], []),
    ],
)
def test_the_path_of_weights(weights: list[float | None], path: list[float]) -> None:
    assert path_of(weights) == path


def test_a_gateway_that_does_not_answer_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be read" in live_route(tmp_path / "admin.address")[1]


def test_shares_are_read_from_the_config_dump(tmp_path: Path) -> None:
    clusters = [{"name": "model-a", "weight": 9999}, {"name": "model-b", "weight": 1}]
    hosts = [{"routes": [{"route": {"weighted_clusters": {"clusters": clusters}}}]}]
    body = json.dumps({"configs": [{"route_config": {"virtual_hosts": hosts}}]}).encode()

    class Admin(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Admin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = tmp_path / "admin.address"
        address.write_text(f"127.0.0.1:{server.server_port}")
        assert live_route(address) == ({"model-a": 99.99, "model-b": 0.01}, "")
    finally:
        server.shutdown()
        server.server_close()
