"""1,000 random mutations of the log of records, each found against the head that was kept."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatewright.domain.documents import canonical_json, read_json, sha256
from gatewright.store.database import Database
from gatewright.store.records import GENESIS, Event, Records

MUTATIONS = 1000
LENGTH = 12
Row = tuple[int, str, int, str, str, str]
Rows = list[Row]
EVENT = Event(at=datetime(2026, 1, 1, tzinfo=UTC), kind="step", run="run", model="m", why="25 % – fine")


def edited(rows: Rows, draw: random.Random) -> Rows:
    """One character of one column becomes another."""
    index, column = draw.randrange(len(rows)), draw.choice((1, 3, 4, 5))
    row = list(rows[index])
    text = str(row[column])
    at = draw.randrange(len(text))
    row[column] = text[:at] + draw.choice([sign for sign in "0a9 x{" if sign != text[at]]) + text[at + 1 :]
    return [*rows[:index], tuple(row), *rows[index + 1 :]]  # type: ignore[list-item]


def flagged(rows: Rows, draw: random.Random) -> Rows:
    """The mark of a terminal record is turned over."""
    index = draw.randrange(len(rows))
    seq, run, terminal, *rest = rows[index]
    return [*rows[:index], (seq, run, 1 - terminal, *rest), *rows[index + 1 :]]  # type: ignore[list-item]


def spaced(rows: Rows, draw: random.Random) -> Rows:
    """The same content, written in another way."""
    index = draw.randrange(len(rows))
    seq, run, terminal, body, *rest = rows[index]
    return [*rows[:index], (seq, run, terminal, body.replace(",", ", ", 1), *rest), *rows[index + 1 :]]  # type: ignore[list-item]


def deleted(rows: Rows, draw: random.Random) -> Rows:
    index = draw.randrange(len(rows))
    return [*rows[:index], *rows[index + 1 :]]


def closed(rows: Rows, draw: random.Random) -> Rows:
    """One deleted, and the numbers of those behind it moved up."""
    index = draw.randrange(len(rows))
    return [*rows[:index], *((row[0] - 1, *row[1:]) for row in rows[index + 1 :])]


def swapped(rows: Rows, draw: random.Random) -> Rows:
    first, second = sorted(draw.sample(range(len(rows)), 2))
    found = list(rows)
    found[first], found[second] = (rows[first][0], *rows[second][1:]), (rows[second][0], *rows[first][1:])
    return found


def inserted(rows: Rows, draw: random.Random) -> Rows:
    """A record of its own, with a digest that fits what is before it."""
    index = draw.randrange(len(rows))
    forged = linked([*bodies(rows[:index]), {**bodies(rows)[index], "why": "nothing happened"}])[index]
    return [*rows[:index], forged, *((row[0] + 1, *row[1:]) for row in rows[index:])]


def truncated(rows: Rows, draw: random.Random) -> Rows:
    return rows[: draw.randrange(len(rows))]


def rewritten(rows: Rows, draw: random.Random) -> Rows:
    """One edited, and the whole chain made anew from there: only a kept head can tell."""
    index, found = draw.randrange(len(rows)), bodies(rows)
    found[index]["why"] = f"another story {draw.random()}"
    return linked(found)


def bodies(rows: Rows) -> list[dict[str, object]]:
    return [read_json(row[3].encode()) for row in rows]


def linked(found: list[dict[str, object]]) -> Rows:
    rows: Rows = []
    previous = GENESIS
    for seq, body in enumerate(found, start=1):
        text = canonical_json({**body, "seq": seq})
        digest = sha256(previous.encode() + text)
        rows.append((seq, str(body["run"]), int(body["kind"] == "promoted"), text.decode(), previous, digest))
        previous = digest
    return rows


HARMS: tuple[Callable[[Rows, random.Random], Rows], ...] = (
    edited, flagged, spaced, deleted, closed, swapped, inserted, truncated, rewritten,
)  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "state.db")
    records = Records(database)
    for number in range(LENGTH):
        kind = "promoted" if number % 4 == 3 else "step"
        at = EVENT.at + timedelta(seconds=number)
        records.append(replace(EVENT, at=at, kind=kind, run=f"run{number // 4}", details={"weight": number * 1.5}))
    return database


def test_every_mutation_is_found(database: Database) -> None:
    records = Records(database)
    rows: Rows = [tuple(row) for row in database.rows("SELECT * FROM records ORDER BY seq")]
    head = rows[-1][5]
    assert records.first_broken(head) is None
    assert linked(bodies(rows)) == rows
    connection = sqlite3.connect(database.path, isolation_level=None)
    connection.executescript(
        "PRAGMA synchronous = OFF; DROP TRIGGER records_are_not_edited; DROP TRIGGER records_are_not_deleted; "
        "DROP INDEX one_terminal_record; ALTER TABLE records RENAME TO kept; "
        "CREATE TABLE records (seq INTEGER, run TEXT, terminal INTEGER, body TEXT, previous TEXT, digest TEXT)"
    )
    draw, made, missed = random.Random(20260314), Counter[str](), list[tuple[str, Rows]]()
    for _ in range(MUTATIONS):
        harm = draw.choice(HARMS)
        changed = harm(rows, draw)
        assert changed != rows
        connection.execute("BEGIN")
        connection.execute("DELETE FROM records")
        connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", changed)
        connection.execute("COMMIT")
        made[harm.__name__] += 1
        if records.first_broken(head) is None:
            missed.append((harm.__name__, changed))
    connection.close()
    assert (missed, sum(made.values()), len(made)) == ([], MUTATIONS, len(HARMS))


def test_only_a_kept_head_tells_of_a_cut_and_of_a_chain_made_anew(database: Database) -> None:
    records = Records(database)
    head = records.all()[-1].digest
    with sqlite3.connect(database.path) as connection:
        connection.execute("DROP TRIGGER records_are_not_deleted")
        connection.execute("DELETE FROM records WHERE seq > 10")
    assert records.first_broken() is None
    assert records.first_broken(head) == (11, f"no record has the digest {head}, which was kept elsewhere")
    assert records.first_broken(records.all()[3].digest) is None
