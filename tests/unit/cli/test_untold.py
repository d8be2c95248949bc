"""What nobody has taken yet when a rollout ends is told by the next tick of a schedule, though nothing is to drive."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewright.domain.notice import Notice
from gatewright.store.notices import post
from gatewright.workspace import Workspace
from tests.unit.cli.conftest import CONFIG, Shell

NOTIFY = "notify: [{kind: command, command: [python, -c, \"import sys; open('told', 'w').write(sys.stdin.read())\"]}]\n"
NOTICE = Notice(
    id="toy-2-ab/7/promoted",
    at=datetime(2026, 1, 1, tzinfo=UTC),
    kind="promoted",
    model="toy",
    rollout="toy-2-ab",
    run="r1",
    version=2,
    phase="promoted",
    weight=100.0,
    why="all traffic is on it",
    actor="gatewright",
    text="toy version 2 was promoted",
)


@pytest.mark.parametrize("words", [("rollout", "tick"), ("rollout", "finish", "--no-wait")])
def test_it_is_told_although_no_rollout_is_in_progress(shell: Shell, workspace: Path, words: tuple[str, ...]) -> None:
    (workspace / "gatewright.yaml").write_text(CONFIG + NOTIFY, encoding="utf-8")
    opened = Workspace.open(workspace)
    with opened.database.transaction("test") as connection:
        post(connection, [(NOTICE, name) for name in opened.notifiers])
    opened.database.close()
    assert shell(*words).code == 2
    assert '"promoted"' in (workspace / "told").read_text(encoding="utf-8")
