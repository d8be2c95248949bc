from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.domain.records import TERMINAL_KINDS
from gatewright.store.database import Database
from gatewright.store.records import GENESIS, Event, Records, link

EVENT = Event(at=datetime(2025, 1, 1, tzinfo=UTC), kind="step", run="run1", model="employment", why="25 %")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "state.db")


@pytest.fixture
def chain(database: Database) -> Records:
    """Four records: three of run1, of which the last is terminal, and one of run2."""
    records = Records(database)
    records.append(EVENT)
    records.append(replace(EVENT, kind="promoting", why="100 %", details={"weight": 100.0, "names": ["é"]}))
    records.append(replace(EVENT, kind="promoted", before="sha256:1", after="sha256:2"))
    records.append(replace(EVENT, run="run2", kind="started"))
    return records


def tamper(database: Database, *statements: str) -> None:
    """Change records as somebody with the file in his hands could: the triggers dropped."""
    with sqlite3.connect(database.path) as connection:
        connection.execute("DROP TRIGGER records_are_not_edited")
        connection.execute("DROP TRIGGER records_are_not_deleted")
        for statement in statements:
            connection.execute(statement)


def test_each_record_names_the_one_before(chain: Records) -> None:
    first, second, *_ = chain.all()
    assert (first.seq, first.previous) == (1, GENESIS)
    assert (second.seq, second.previous) == (2, first.digest)
    assert (second.details, second.at) == ({"weight": 100.0, "names": ["é"]}, EVENT.at)
    assert chain.first_broken() is None


def test_an_empty_chain_is_whole(database: Database) -> None:
    assert Records(database).first_broken() is None


@pytest.mark.parametrize("statement", ["UPDATE records SET run = 'x'", "DELETE FROM records WHERE seq = 4"])
def test_the_database_refuses_to_change_records(chain: Records, database: Database, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"), database.transaction("test") as connection:
        connection.execute(statement)
    assert len(chain.all()) == 4


@pytest.mark.parametrize(
    ("statements", "seq", "why"),
    [
        (["UPDATE records SET body = replace(body, '100 %', '10 %') WHERE seq = 2"], 2, "content does not give"),
        (["UPDATE records SET digest = 'sha256:0' WHERE seq = 2"], 2, "content does not give"),
        (["UPDATE records SET body = '{' WHERE seq = 3"], 3, "cannot be read"),
        (["UPDATE records SET terminal = 0 WHERE seq = 3"], 3, "index columns"),
        (["UPDATE records SET run = 'run2' WHERE seq = 1"], 1, "index columns"),
        (["DELETE FROM records WHERE seq = 1"], 1, "missing"),
        (["DELETE FROM records WHERE seq = 2"], 2, "missing"),
        (["DELETE FROM records WHERE seq = 2", "UPDATE records SET seq = seq - 1 WHERE seq > 2"], 2, "predecessor"),
        (
            [
                "UPDATE records SET seq = 9 WHERE seq = 1",
                "UPDATE records SET seq = 1 WHERE seq = 2",
                "UPDATE records SET seq = 2 WHERE seq = 9",
            ],
            1,
            "predecessor",
        ),
    ],
    ids=["edited", "digest", "unreadable", "flag", "run", "first deleted", "deleted", "deleted and closed", "swapped"],
)
def test_tampering_is_found_and_placed(
    chain: Records, database: Database, statements: list[str], seq: int, why: str
) -> None:
    tamper(database, *statements)
    found = chain.first_broken()
    assert found is not None
    assert found[0] == seq
    assert why in found[1]


def test_a_forged_record_with_a_digest_of_its_own_breaks_the_next_link(chain: Records, database: Database) -> None:
    other = Database(database.path.with_name("forged.db"))
    Records(other).append(replace(EVENT, why="5 %"))
    forged = other.rows("SELECT * FROM records")[0]
    tamper(database, "DELETE FROM records WHERE seq = 1")
    with database.transaction("test") as connection:
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", tuple(forged))
    assert chain.first_broken() == (2, "it does not name its predecessor's digest")


@pytest.mark.parametrize("kind", TERMINAL_KINDS)
def test_a_run_ends_once(chain: Records, kind: str) -> None:
    promoted = chain.terminal("run1")
    assert promoted is not None
    assert chain.append(replace(EVENT, kind=kind, why="again")) == promoted
    assert len(chain.all()) == 4
    assert chain.terminal("run2") is None


def test_a_second_end_inside_another_change_takes_that_change_back(chain: Records, database: Database) -> None:
    def change() -> None:
        with database.transaction("test") as connection:
            link(connection, replace(EVENT, run="run3"))
            link(connection, replace(EVENT, kind="aborted"))

    with pytest.raises(UnusableInput, match="run1 has ended already"):
        change()
    assert len(chain.all()) == 4


def test_what_cannot_be_compared_is_not_recorded(chain: Records) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        chain.append(replace(EVENT, details={"e": float("nan")}))
    assert len(chain.all()) == 4
