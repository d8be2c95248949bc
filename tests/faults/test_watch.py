"""Two watchers at once, killed at any moment: every change of data starts one run, and none starts twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from gatewright.domain.claim import Claim
from gatewright.store.claims import Claims
from gatewright.store.database import Database
from tests.fixtures.watched import begun, change, starts, watched_project

CHANGES, SEED, KILLS = 50, 20261126, 6
# Where a kill hurts most: around the claim, before and after the start, around the confirmation.
POINTS = (
    "before-commit:claim",
    "after-commit:claim",
    "before-spawn:sh",
    "before-commit:claim-started",
    "after-commit:pin",
)


class Watcher:
    """`gatewright data watch` in a process of its own, which may be told to die at a point of its work."""

    def __init__(self, root: Path, number: int) -> None:
        self._root = root
        self._number = number
        self.kills = 0
        self.start()

    def start(self, point: str | None = None) -> None:
        words = ["data", "watch", "--every", "60ms", "--settle", "0", "--output", "json", "-C", str(self._root)]
        armed = {"GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": point} if point else {}
        with (self._root / ".gatewright" / f"watcher-{self._number}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from gatewright.cli.main import main; main()", *words],
                stdout=log,
                stderr=log,
                env={**os.environ, **armed},
            )

    def replace_if_killed(self) -> None:
        """A supervisor would start it again."""
        if self.process.poll() is not None:
            assert self.process.returncode == -signal.SIGKILL, "a watcher ended by itself"
            self.kills += 1
            self.start()

    def kill(self, then_at: str | None) -> None:
        """SIGKILL, and another one, which dies at the point `then_at`."""
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start(then_at)

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


def wait(condition: Callable[[], bool], watchers: list[Watcher]) -> None:
    """Until it holds; killed watchers are replaced meanwhile."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the change was never claimed"
        for watcher in watchers:
            watcher.replace_if_killed()
        pause(0.01)


def pause(seconds: float) -> None:
    """Give the processor away: nobody ever sets this event."""
    Event().wait(seconds)


def test_two_watchers_start_one_run_for_each_of_fifty_changes_also_when_killed(tmp_path: Path) -> None:
    root, draw = watched_project(tmp_path / "w"), random.Random(SEED)
    database = Database(root / ".gatewright" / "state.db")
    claims = Claims(database)
    killed_at = set(draw.sample(range(2, CHANGES), KILLS))
    points = iter(draw.sample(POINTS * 2, KILLS))

    def settled() -> list[Claim]:
        return [claim for claim in claims.all() if claim.state == "started"]

    watchers = [Watcher(root, number) for number in (1, 2)]
    try:
        for number in range(1, CHANGES + 1):
            change(root, number)
            if number in killed_at:
                pause(draw.uniform(0, 0.3))  # the kill comes at any moment of the work on this change
                watchers[draw.randrange(2)].kill(next(points))
            wait(lambda number=number: len(settled()) >= number, watchers)  # type: ignore[misc]
        ends = [watcher.end() for watcher in watchers]
    finally:
        for watcher in watchers:
            watcher.process.kill()
            watcher.process.wait()
    found, runs = starts(root), settled()
    assert set(ends) <= {0, -signal.SIGTERM}  # one that was replaced a moment ago does not listen yet
    assert [claim.state for claim in claims.all()] == ["started"] * CHANGES
    assert len({claim.subject.data_digest for claim in runs}) == CHANGES
    assert begun(root) == {claim.run for claim in runs}
    assert len(begun(root)) == CHANGES
    assert {data: set(ids) for data, ids in found.items()} == {claim.data: {claim.run} for claim in runs}
    kills = sum(watcher.kills for watcher in watchers)
    assert kills >= KILLS
    assert CHANGES <= sum(map(len, found.values())) <= CHANGES + kills
    database.close()
