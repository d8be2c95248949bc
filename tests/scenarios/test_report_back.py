"""A rollout reports back to GitHub: from its first step to its end, also when GitHub is away at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.forges.github_notices import GithubNotices, Options
from gatewright.domain.rollout import Phase
from gatewright.engine import telling
from gatewright.ports import Addressee, Context
from gatewright.testing import Silent
from tests.fixtures.ci_server import CiServer, Reply
from tests.fixtures.forges import Github
from tests.scenarios.controlled import World
from tests.scenarios.faults import in_phase

COMMIT = "c0ffee" * 6 + "c0ff"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Github]:
    monkeypatch.setenv("GITHUB_TOKEN", "s3cr3t")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setattr(telling, "_commit", lambda *_: COMMIT)
    server = CiServer()
    github = Github(server)
    github.pulls[COMMIT] = [{"number": 7, "state": "closed", "merged_at": "2026-01-01T00:00:00Z"}]
    yield github
    server.close()


@pytest.fixture
def world(memory: Path, there: Github) -> World:
    found = in_phase(memory, Phase.PENDING)
    options = Options(repository="acme/models", url=there.server.url)
    workspace = found.workspace
    context = Context(
        root=workspace.root, model=workspace.project.model, database=workspace.database, clock=workspace.clock
    )
    told = Addressee(notifier=GithubNotices(options, context), events=options.events)
    found.workspace = replace(workspace, notifiers={"github": told})
    return found


def states(there: Github) -> list[Any]:
    (made,) = there.deployments
    return [each["state"] for each in there.statuses[made["id"]]]


def test_a_promotion(world: World, there: Github) -> None:
    world.until(Phase.PROMOTED)
    assert set(states(there)[:-1]) == {"in_progress"}
    assert states(there)[-1] == "success"
    (comment,) = there.comments["issues/7"]
    assert "### ✅ toy version 2 was promoted" in comment["body"]


def test_a_rollback(world: World, there: Github) -> None:
    world.until(Phase.PROGRESSING)
    world.until(Phase.ROLLED_BACK, bad=40)
    assert states(there)[-1] == "failure"
    assert "### ❌ toy version 2 was rolled back" in there.comments["issues/7"][0]["body"]


def test_github_is_away_at_the_end_and_hears_of_it_later(world: World, there: Github) -> None:
    world.until(Phase.PROGRESSING)
    there.server.respond = lambda _: Reply(status=503)
    world.until(Phase.ROLLED_BACK, bad=40)
    assert states(there) == ["in_progress"], "and the rollback did not wait for it"
    there.server.respond = there.respond
    world.clock.forward(4000)
    telling.tell_due(world.workspace, Silent())
    assert states(there)[-1] == "failure"
    assert "was rolled back" in there.comments["issues/7"][0]["body"]
