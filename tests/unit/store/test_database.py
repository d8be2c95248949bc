from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.errors import DatabaseBusy, UnusableInput, WorldFailed
from gatewright.effects.locks import writer_of
from gatewright.effects.processes import is_stopped, wait_until
from gatewright.store.database import Database

INSERT = "INSERT INTO quarantine (model, digest, rollout, why, at) VALUES ('m', ?, 'r', 'why', 'now')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".gatewright" / "state.db"


def digests(database: Database) -> list[str]:
    return [row["digest"] for row in database.rows("SELECT digest FROM quarantine ORDER BY digest")]


def insert(database: Database, *digests: str, then: BaseException | None = None) -> None:
    with database.transaction("test") as connection:
        for digest in digests:
            connection.execute(INSERT, (digest,))
        if then is not None:
            raise then


class TestMigrations:
    def test_each_is_applied_once(self, path: Path) -> None:
        with Database(path).transaction("test") as connection:
            connection.execute(INSERT, ("a",))
        again = Database(path)
        assert digests(again) == ["a"]
        count = sum(entry.name.endswith(".sql") for entry in resources.files("gatewright.store.migrations").iterdir())
        assert again.rows("PRAGMA user_version")[0][0] == count

    def test_a_newer_schema_is_refused_and_left_alone(self, path: Path) -> None:
        Database(path).close()
        with sqlite3.connect(path) as newer:
            newer.execute("PRAGMA user_version = 99")
        with pytest.raises(UnusableInput, match="newer Gatewright") as refused:
            Database(path)
        assert "newer version" in refused.value.fix
        with sqlite3.connect(path) as still:
            assert still.execute("PRAGMA user_version").fetchone() == (99,)

    def test_changes_are_durable_before_they_are_told(self, path: Path) -> None:
        database = Database(path)
        assert database.rows("PRAGMA synchronous")[0][0] == 2
        assert database.rows("PRAGMA journal_mode")[0][0] == "delete"
        assert database.rows("PRAGMA foreign_keys")[0][0] == 1


class TestTransaction:
    @pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), UnusableInput("no")])
    def test_an_error_takes_everything_back(self, path: Path, error: BaseException) -> None:
        database = Database(path)
        with pytest.raises(type(error)):
            insert(database, "a", then=error)
        assert digests(database) == []
        with database.transaction("test") as connection:
            connection.execute(INSERT, ("b",))
        assert digests(Database(path)) == ["b"]

    def test_a_broken_constraint_is_for_the_caller_to_explain(self, path: Path) -> None:
        database = Database(path)
        with pytest.raises(sqlite3.IntegrityError):
            insert(database, "a", "a")
        assert digests(database) == []

    def test_others_see_nothing_until_it_is_committed(self, path: Path) -> None:
        database, other = Database(path), Database(path)
        version = other.data_version()
        with database.transaction("test") as connection:
            connection.execute(INSERT, ("a",))
            assert digests(other) == []
        assert digests(other) == ["a"]
        assert other.data_version() != version

    def test_one_inside_of_another_is_committed_with_it_or_taken_back_alone(self, path: Path) -> None:
        database, other = Database(path), Database(path)
        with database.transaction("outer") as connection:
            connection.execute(INSERT, ("a",))
            insert(database, "b")
            with pytest.raises(ValueError, match="no"):
                insert(database, "c", then=ValueError("no"))
            assert digests(other) == []
        assert digests(other) == ["a", "b"]


class TestFaults:
    def test_a_database_that_somebody_holds(self, path: Path) -> None:
        database, other = Database(path), Database(path, busy_s=0.05)
        with database.transaction("test"), pytest.raises(WorldFailed, match="locked") as failed:
            insert(other, "b")
        assert "another process holds it" in failed.value.fix
        with other.transaction("test") as connection:
            connection.execute(INSERT, ("a",))

    def test_a_holder_that_was_stopped_in_mid_write_is_named(self, path: Path) -> None:
        Database(path).close()
        code = (
            f"import pathlib; from gatewright.store.database import Database\n"
            f"with Database(pathlib.Path({str(path)!r})).transaction('test'): pass"
        )
        armed = {"GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": "before-commit:test=stop"}
        with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **armed}) as holder:
            try:
                assert wait_until(lambda: is_stopped(holder.pid), timeout_s=20)
                with pytest.raises(DatabaseBusy, match="locked") as failed:
                    insert(Database(path, busy_s=0.05), "a")
                known = writer_of(path)
                assert known in (holder.pid, None)
                named = (
                    f"process {holder.pid} holds it and was stopped in the middle of a write: kill -CONT {holder.pid}"
                )
                assert failed.value.fix.startswith(named) == (known is not None)
            finally:
                holder.send_signal(signal.SIGCONT)
            assert holder.wait(timeout=20) == 0
        insert(Database(path), "a")

    def test_a_read_only_database(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Database(path).close()
        connect = sqlite3.connect

        def read_only(file: Path, **options: Any) -> sqlite3.Connection:
            return connect(f"file:{file}?mode=ro", uri=True, **options)

        monkeypatch.setattr(sqlite3, "connect", read_only)
        database = Database(path)
        with pytest.raises(WorldFailed, match="readonly") as failed, database.transaction("test") as connection:
            connection.execute(INSERT, ("a",))
        assert "writable" in failed.value.fix
        assert digests(database) == []

    def test_a_file_that_is_no_database(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"this was a database once" * 100)
        with pytest.raises(WorldFailed, match="not a database") as failed:
            Database(path)
        assert "restore it" in failed.value.fix
        assert path.read_bytes().startswith(b"this was")

    def test_a_damaged_page(self, path: Path) -> None:
        database = Database(path)
        with database.transaction("test") as connection:
            for number in range(2000):
                connection.execute(INSERT, (f"{number:08}",))
        database.close()
        damaged = bytearray(path.read_bytes())
        page = int.from_bytes(damaged[16:18], "big")
        damaged[page:] = b"\xff" * (len(damaged) - page)
        path.write_bytes(damaged)
        with pytest.raises(WorldFailed, match="malformed"):
            digests(Database(path))

    def test_a_folder_where_a_file_lies(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(WorldFailed, match="cannot be used"):
            Database(tmp_path / "file" / "state.db")

    def test_a_folder_in_the_place_of_the_file(self, path: Path) -> None:
        path.mkdir(parents=True)
        with pytest.raises(WorldFailed, match="unable to open"):
            Database(path)
