"""The shared state while many write, and while writers are killed in the middle of a push."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewright.effects.failpoints import failpoint
from gatewright.store.records import Event, Records
from tests.fixtures.clones import clone, opened, remote_of
from tests.fixtures.repository import git

REF = "refs/gatewright/state"
FORK = multiprocessing.get_context("fork")


def event(run: str) -> Event:
    return Event(at=datetime(2026, 3, 1, tzinfo=UTC), kind="note", run=run, model="m", why="because")


def append(root: Path, *runs: str) -> None:
    with closing(opened(root)) as database:
        for run in runs:
            Records(database).append(event(run))


@pytest.mark.parametrize(
    ("writers", "times"), [(4, 3), pytest.param(10, 20, marks=pytest.mark.slow)], ids=["4x3", "10x20"]
)
def test_of_many_writers_none_is_lost(writers: int, times: int, tmp_path: Path) -> None:
    remote = remote_of(tmp_path)
    wanted = [[f"run-{writer}-{count}" for count in range(times)] for writer in range(writers)]
    started = [
        FORK.Process(target=append, args=(clone(remote, tmp_path / f"clone-{writer}"), *runs))
        for writer, runs in enumerate(wanted)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * writers
    with closing(opened(clone(remote, tmp_path / "later"))) as database:
        records = Records(database)
        assert sorted(record.run for record in records.all()) == sorted(run for runs in wanted for run in runs)
        assert records.first_broken() is None


# Where it is killed, and whether others see what it did.
POINTS = [
    ("before-commit:state-begun@1", False),
    ("after-commit:state-begun@1", False),
    ("before-push@1", False),
    ("after-push@1", True),
    ("before-commit:record@1", True),
    ("after-commit:record@1", True),
]


@pytest.mark.parametrize(("point", "seen"), POINTS, ids=[point for point, _ in POINTS])
def test_killed_in_the_middle_it_is_done_wholly_or_not_at_all(point: str, seen: bool, tmp_path: Path) -> None:
    remote = remote_of(tmp_path)
    root = clone(remote, tmp_path / "killed")
    process = FORK.Process(target=_struck, args=(root, point))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (git(remote, "for-each-ref", REF) != "") is seen
    expected = ["run-killed"] if seen else []
    append(root, "run-after")  # in the same folder: nothing is locked, nothing half-done
    with closing(opened(clone(remote, tmp_path / "later"))) as database:
        records = Records(database)
        assert [record.run for record in records.all()] == [*expected, "run-after"]
        assert records.first_broken() is None


def _struck(root: Path, point: str) -> None:
    os.environ |= {"GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": point}
    failpoint("begun")
    append(root, "run-killed")
