from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.errors import LeaseLost, StateMoved, UnusableInput, WorldFailed
from gatewright.effects.git_ref import RemoteRef
from gatewright.store.database import Database
from gatewright.store.records import Event, Records
from gatewright.store.runs import Handoff, Runs
from gatewright.store.shared import News, SharedDatabase
from gatewright.store.state_ref import StateRef
from gatewright.store.travelling import STAYING, TRAVELLING
from tests.fixtures.clones import SECTION, clone, opened, remote_of
from tests.fixtures.repository import git

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REF = "refs/gatewright/state"
QUARANTINE = "INSERT INTO quarantine (model, digest, rollout, why, at) VALUES ('m', ?, 'r', 'why', 'now')"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return remote_of(tmp_path)


@pytest.fixture
def fresh(tmp_path: Path, remote: Path) -> Callable[[], Path]:
    """A new clone at each call."""
    made: list[Path] = []

    def make() -> Path:
        made.append(clone(remote, tmp_path / f"clone-{len(made)}", shallow=len(made) % 2 == 1))
        return made[-1]

    return make


def event(number: int, kind: str = "note") -> Event:
    return Event(at=NOW, kind=kind, run=f"run-{number}", model="m", why="because")


def runs_of(database: Database) -> list[str]:
    return [record.run for record in Records(database).all()]


def files(remote: Path) -> list[str]:
    return git(remote, "ls-tree", "-r", "--name-only", REF).split()


def state_of(root: Path, squash_at: int, keep: int) -> SharedDatabase:
    """As `opened`, with other bounds."""
    ref = StateRef(RemoteRef(root=root, remote="origin", ref=REF), squash_at=squash_at)
    database = SharedDatabase(root / ".gatewright" / "state.db", ref, root / ".gatewright" / "runs", keep=keep)
    database.refresh()
    return database


def handoff(run: str, status: str = "passed") -> Handoff:
    return Handoff(run=run, stage="validate", status=status, started_at=NOW, ended_at=NOW)


def runs(root: Path, database: Database) -> Runs:
    return Runs(root / ".gatewright" / "runs", database.handing_over)


class TestTravelling:
    def test_every_table_travels_or_is_known_to_stay(self, tmp_path: Path) -> None:
        found = Database(tmp_path / "state.db").rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert {row["name"] for row in found} - {"sqlite_sequence"} == TRAVELLING.keys() | STAYING

    def test_a_change_is_seen_from_a_clone_that_is_made_later(self, fresh: Callable[[], Path]) -> None:
        Records(opened(fresh())).append(event(1))
        later = opened(fresh())
        assert runs_of(later) == ["run-1"]
        assert Records(later).first_broken() is None

    def test_one_that_is_open_sees_it_when_it_looks_again(self, fresh: Callable[[], Path]) -> None:
        first, second = opened(fresh()), opened(fresh())
        Records(first).append(event(1))
        assert runs_of(second) == []
        second.refresh()
        assert runs_of(second) == ["run-1"]

    def test_a_row_that_was_removed_is_removed_everywhere(self, fresh: Callable[[], Path]) -> None:
        first, second = opened(fresh()), opened(fresh())
        with first.transaction("test") as connection:
            connection.execute(QUARANTINE, ("sha256:a/b c",))
        second.refresh()
        assert [row["digest"] for row in second.rows("SELECT digest FROM quarantine")] == ["sha256:a/b c"]
        with first.transaction("test") as connection:
            connection.execute("DELETE FROM quarantine")
        second.refresh()
        assert second.rows("SELECT * FROM quarantine") == []

    def test_a_row_may_be_written_again_however_that_is_said(self, fresh: Callable[[], Path]) -> None:
        first, second = opened(fresh()), opened(fresh())
        for verb, then in (("INSERT", "ON CONFLICT DO UPDATE SET why = excluded.why"), ("INSERT OR REPLACE", "")):
            with first.transaction("test") as connection:
                for why in ("one", "two"):
                    values = "(model, digest, rollout, why, at) VALUES ('m', 'd', 'r', ?, 'now')"
                    connection.execute(f"{verb} INTO quarantine {values} {then}", (f"{why}, {verb}",))
            second.refresh()
            assert [row["why"] for row in second.rows("SELECT why FROM quarantine")] == [f"two, {verb}"]

    def test_what_one_machine_runs_stays_there(self, fresh: Callable[[], Path], remote: Path) -> None:
        database = opened(fresh())
        with database.transaction("process") as connection:
            connection.execute("INSERT INTO arms (model, digest, uri) VALUES ('m', 'd', 'u')")
        assert git(remote, "for-each-ref", REF) == ""

    def test_the_state_of_one_machine_becomes_the_shared_one(self, fresh: Callable[[], Path]) -> None:
        root = fresh()
        alone = Database(root / ".gatewright" / "state.db")
        Records(alone).append(event(1))
        Runs(root / ".gatewright" / "runs").create("run-1").write("lock", handoff("run-1"))
        alone.close()
        Records(opened(root)).append(event(2))
        other = fresh()
        assert runs_of(opened(other)) == ["run-1", "run-2"]
        assert Runs(other / ".gatewright" / "runs").get("run-1").read("lock") is not None

    def test_work_tree_index_and_branches_are_left_alone(self, fresh: Callable[[], Path]) -> None:
        root = fresh()
        before = [git(root, *words) for words in (("status", "--porcelain"), ("branch", "--all"), ("stash", "list"))]
        Records(opened(root)).append(event(1))
        opened(root).refresh()
        after = [git(root, *words) for words in (("status", "--porcelain"), ("branch", "--all"), ("stash", "list"))]
        assert after == before
        assert not (root / ".git" / "FETCH_HEAD").exists()


class TestHandoffs:
    def test_they_travel_with_the_rows(self, fresh: Callable[[], Path]) -> None:
        here, there = fresh(), fresh()
        digest = runs(here, opened(here)).create("r1").write("lock", handoff("r1"))
        opened(there)
        assert Runs(there / ".gatewright" / "runs").get("r1").digest("lock") == digest

    def test_two_machines_on_one_run_are_told_apart(self, fresh: Callable[[], Path]) -> None:
        here, there = fresh(), fresh()
        one, two = opened(here), opened(there)
        runs(here, one).create("r1").write("lock", handoff("r1"))
        mine = runs(there, two).create("r1")
        with pytest.raises(LeaseLost, match="another machine works on run r1"):
            mine.write("lock", handoff("r1", status="failed"))
        found = mine.read("lock")
        assert found is not None
        assert found.status == "passed"

    def test_one_that_was_written_before_a_crash_travels_with_the_next_change(self, fresh: Callable[[], Path]) -> None:
        here = fresh()
        database = opened(here)
        with pytest.raises(KeyboardInterrupt), database.handing_over("r1", "lock"):
            _interrupted(Runs(here / ".gatewright" / "runs"))
        Records(opened(here)).append(event(1))
        there = fresh()
        opened(there)
        assert Runs(there / ".gatewright" / "runs").find("r1") is not None

    @pytest.mark.parametrize(
        "path",
        ["runs/../../lock.json", "runs/r1/passwd.json", "runs//lock.json", "notes/x.json", "hello.txt", "ticks/a.json"],
    )
    def test_a_place_with_other_files_is_refused(self, path: str, tmp_path: Path) -> None:
        database = SharedDatabase(tmp_path / "a" / "state.db", Told({path: b"{}"}), tmp_path / "a" / "runs")
        with pytest.raises(UnusableInput, match=r"is no (row|hand-off)"):
            database.refresh()
        assert [entry.name for entry in tmp_path.rglob("*") if entry.suffix != ".db"] == ["a"]


def _interrupted(runs: Runs) -> None:
    runs.create("r1").write("lock", handoff("r1"))
    raise KeyboardInterrupt


class Told:
    """A place with these files."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.about: Mapping[str, str] = {}
        self._files = files

    def news(self, since: str | None) -> News | None:
        return News(tip="tip", files=self._files, whole=True)

    def offer(self, files: Any, *, since: str | None, message: str, kept: Any) -> str | None:
        return None


class TestComparingAndSetting:
    def test_who_was_slower_is_told_and_nothing_of_it_stays(self, fresh: Callable[[], Path]) -> None:
        fast, slow = opened(fresh()), opened(fresh())
        Records(fast).append(event(1))
        with pytest.raises(StateMoved), slow.transaction("test") as connection:
            connection.execute(QUARANTINE, ("a",))
        assert slow.rows("SELECT * FROM quarantine") == []
        slow.refresh()
        fast.refresh()
        assert fast.rows("SELECT * FROM quarantine") == []
        assert runs_of(slow) == ["run-1"]

    def test_a_store_does_it_again_on_the_newest_state(self, fresh: Callable[[], Path]) -> None:
        fast, slow = opened(fresh()), opened(fresh())
        Records(fast).append(event(1))
        assert Records(slow).append(event(2)).seq == 2
        fast.refresh()
        assert runs_of(fast) == ["run-1", "run-2"]
        assert Records(fast).first_broken() is None

    def test_a_terminal_record_is_written_once_whoever_was_first(self, fresh: Callable[[], Path]) -> None:
        fast, slow = opened(fresh()), opened(fresh())
        first = Records(fast).append(event(1, "stopped"))
        assert Records(slow).append(event(1, "aborted")) == first


class TestTrouble:
    def test_a_remote_that_is_down_is_one_clear_error(self, fresh: Callable[[], Path], remote: Path) -> None:
        root = fresh()
        database = opened(root)
        remote.rename(remote.with_name("elsewhere.git"))
        with pytest.raises(WorldFailed, match="ls-remote failed") as told:
            opened(root)
        assert "by hand" in told.value.fix
        with pytest.raises(WorldFailed, match="failed"):
            Records(database).append(event(1))
        remote.with_name("elsewhere.git").rename(remote)
        assert Records(database).append(event(1)).seq == 1

    def test_a_remote_that_refuses_is_told_in_its_words(self, fresh: Callable[[], Path], remote: Path) -> None:
        hook = remote / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho 'no writing here' >&2\nexit 1\n", encoding="utf-8")
        hook.chmod(0o755)
        with pytest.raises(WorldFailed, match="push failed") as told:
            Records(opened(fresh())).append(event(1))
        assert not isinstance(told.value, StateMoved)
        assert "contents: write" in told.value.fix

    def test_a_ref_that_was_removed_is_not_begun_anew(self, fresh: Callable[[], Path], remote: Path) -> None:
        database = opened(fresh())
        Records(database).append(event(1))
        git(remote, "update-ref", "-d", REF)
        with pytest.raises(WorldFailed, match="is gone") as told:
            Records(database).append(event(2))
        assert "git push origin" in told.value.fix

    def test_a_ref_that_was_set_back_is_found_by_its_records(self, fresh: Callable[[], Path], remote: Path) -> None:
        database = opened(fresh())
        Records(database).append(event(1))
        before = git(remote, "rev-parse", REF).strip()
        Records(database).append(event(2))
        git(remote, "update-ref", REF, before)
        with pytest.raises(WorldFailed, match="record 2 of this machine is not in the shared state"):
            database.refresh()
        assert runs_of(database) == ["run-1", "run-2"]

    def test_a_state_of_ones_own_is_not_mixed_with_another(self, fresh: Callable[[], Path]) -> None:
        root = fresh()
        Records(Database(root / ".gatewright" / "state.db")).append(event(9))
        Records(opened(fresh())).append(event(1))
        with pytest.raises(WorldFailed, match="record 1 of this machine"):
            opened(root)

    def test_another_workspace_of_the_repository_needs_another_ref(self, fresh: Callable[[], Path]) -> None:
        root = fresh()
        Records(opened(root)).append(event(1))
        inner = fresh() / "inner"
        inner.mkdir()
        with pytest.raises(UnusableInput, match="another workspace"):
            opened(inner)

    def test_a_newer_schema_is_refused(self, fresh: Callable[[], Path]) -> None:
        root = fresh()
        database = opened(root)
        database._connection.execute("PRAGMA user_version = 99")
        Records(database).append(event(1))
        with pytest.raises(UnusableInput, match="newer Gatewright"):
            opened(fresh())

    def test_outside_of_a_repository_it_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(UnusableInput, match="no git repository"):
            opened(tmp_path)

    def test_without_the_remote_it_says_so(self, fresh: Callable[[], Path]) -> None:
        root = fresh()
        git(root, "remote", "rename", "origin", "upstream")
        with pytest.raises(UnusableInput, match="no remote 'origin'"):
            opened(root)


class TestGrowth:
    def test_the_line_begins_anew_and_old_looks_are_left_out(self, fresh: Callable[[], Path], remote: Path) -> None:
        root, watching = fresh(), fresh()
        database, other = state_of(root, squash_at=6, keep=1), opened(watching)
        for number in range(4):
            runs(root, database).create(f"r{number}").write("lock", handoff(f"r{number}"))
            Records(database).append(Event(at=NOW, kind="stopped", run=f"r{number}", model="m", why="because"))
        assert int(git(remote, "rev-list", "--count", REF)) == 2
        found = files(remote)
        # The third run had ended, and the fourth begun, when the seventh change began the line anew.
        assert [path for path in found if path.startswith("runs/")] == ["runs/r2/lock.json", "runs/r3/lock.json"]
        assert sum(path.startswith("records/") for path in found) == 4
        other.refresh()
        assert runs_of(other) == ["r0", "r1", "r2", "r3"]
        assert runs_of(opened(fresh())) == ["r0", "r1", "r2", "r3"]
        assert len(Runs(root / ".gatewright" / "runs").all()) == 4

    def test_a_line_that_began_anew_is_no_rival(self, fresh: Callable[[], Path]) -> None:
        one, two = state_of(fresh(), squash_at=2, keep=1), state_of(fresh(), squash_at=2, keep=1)
        for number in range(6):
            Records(one if number % 2 else two).append(event(number))
        one.refresh()
        assert runs_of(one) == [f"run-{number}" for number in range(6)]


def test_a_database_that_was_opened_for_serving_asks_nobody(fresh: Callable[[], Path], remote: Path) -> None:
    from gatewright.store.opening import open_state

    root = fresh()
    Records(opened(root)).append(event(1))
    remote.rename(remote.with_name("gone.git"))
    found: Any = open_state(root, SECTION, here_only=True)
    assert runs_of(found) == ["run-1"]
    found.close()
    with closing(sqlite3.connect(root / ".gatewright" / "state.db")) as plain:
        assert plain.execute("SELECT count(*) FROM unpushed").fetchone() == (0,)
