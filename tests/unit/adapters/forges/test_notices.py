"""Notices of a rollout as deployments and comments: each by itself, again, late, and without what it needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatewright.adapters.forges import github_notices, gitlab_notices
from gatewright.domain.errors import ServiceFailed, UnusableInput
from gatewright.domain.notice import Notice
from gatewright.ports import Notifier
from tests.fixtures.ci_server import CiServer, Reply
from tests.fixtures.forges import Github, Gitlab
from tests.unit.adapters.forges.conftest import COMMIT, SECRET

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOTICE = Notice(
    id="toy-2-ab/7/progress",
    at=AT,
    kind="progress",
    model="toy",
    rollout="toy-2-ab",
    run="run1",
    version=2,
    phase="progressing",
    weight=5.0,
    why="step 1 of 3 | @acme/team",
    actor="gatewright",
    text="toy version 2 goes on at 5 %",
    commit=COMMIT,
)
PROMOTED = replace(
    NOTICE, kind="promoted", phase="promoted", weight=100.0, at=AT + timedelta(hours=30), why="all traffic is on it"
)


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "BUILD_URL"):
        monkeypatch.delenv(name, raising=False)


def on_github(ci: CiServer, context: Any, **more: Any) -> Notifier:
    options = github_notices.Options(**{"repository": "acme/models", "url": ci.url, **more})
    return github_notices.GithubNotices(options, context)


def on_gitlab(ci: CiServer, context: Any, **more: Any) -> Notifier:
    options = gitlab_notices.Options(**{"project": "acme/models", "url": ci.url, **more})
    return gitlab_notices.GitlabNotices(options, context)


def test_github_shows_the_way_of_a_rollout(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    there.pulls[COMMIT] = [{"number": 7, "state": "closed", "merged_at": "2026-01-01T00:00:00Z"}]
    notifier = on_github(ci, context)
    notifier.tell(NOTICE)
    (made,) = there.deployments
    (comment,) = there.comments["issues/7"]
    assert (made["ref"], made["environment"]) == (COMMIT, "production")
    assert there.statuses[made["id"]][0]["description"] == "version 2 goes on at 5 %: step 1 of 3 | @acme/team"
    assert comment["body"].startswith(f"<!-- gatewright-rollout:toy:toy-2-ab -->\n<!-- {AT.isoformat()} -->\n### ▶️ toy")
    assert "step 1 of 3 \\| @\u200bacme/team" in comment["body"]
    notifier.tell(PROMOTED)
    notifier.tell(PROMOTED)
    notifier.tell(NOTICE)
    assert [each["state"] for each in there.statuses[made["id"]]] == ["in_progress", "success"]
    assert "### ✅ toy version 2 was promoted" in comment["body"], "what is told late does not take its place"
    assert len(there.comments["issues/7"]) == 1


def test_gitlab_shows_the_way_of_a_rollout(ci: CiServer, context: Any) -> None:
    there = Gitlab(ci)
    there.requests = [{"iid": 7, "state": "merged"}]
    notifier = on_gitlab(ci, context, environment="prod")
    notifier.tell(NOTICE)
    notifier.tell(replace(NOTICE, kind="rolled_back", at=AT + timedelta(hours=1), phase="rolled_back", weight=0.0))
    assert [(each["status"], each["environment"]) for each in there.deployments] == [("failed", "prod")]
    (note,) = there.notes
    assert "### ❌ toy version 2 was rolled back" in note["body"]


def test_without_a_request_the_commit_has_the_comment(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    on_github(ci, context).tell(PROMOTED)
    assert list(there.comments) == [f"commits/{COMMIT}"]
    on_github(ci, context, comment=False).tell(replace(PROMOTED, rollout="toy-3-cd"))
    assert len(there.comments[f"commits/{COMMIT}"]) == 1
    assert len(there.deployments) == 2


def test_in_a_job_of_the_forge_nothing_needs_to_be_written(
    ci: CiServer, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Github(ci)
    for name, value in {
        "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/models", "GITHUB_API_URL": ci.url,
        "GITHUB_SERVER_URL": "https://git.example", "GITHUB_RUN_ID": "42",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    github_notices.GithubNotices(github_notices.Options(), context).tell(PROMOTED)
    page = "https://git.example/acme/models/actions/runs/42"
    assert there.statuses[there.deployments[0]["id"]][0]["log_url"] == page
    assert f"[this job]({page})" in there.comments[f"commits/{COMMIT}"][0]["body"]
    monkeypatch.delenv("GITHUB_ACTIONS")
    with pytest.raises(UnusableInput, match="repository of GitHub is not told"):
        github_notices.GithubNotices(github_notices.Options(), context).tell(PROMOTED)
    with pytest.raises(UnusableInput, match="project of GitLab is not told"):
        gitlab_notices.GitlabNotices(gitlab_notices.Options(), context).tell(PROMOTED)


@pytest.mark.parametrize("commit", ["", "no-git", "main"])
def test_without_a_commit_nobody_is_asked(ci: CiServer, context: Any, commit: str) -> None:
    with pytest.raises(UnusableInput, match="commit of run run1 is not known"):
        on_github(ci, context).tell(replace(NOTICE, commit=commit))
    assert not ci.asked


def test_a_commit_with_changes_is_that_commit(ci: CiServer, context: Any) -> None:
    there = Github(ci)
    on_github(ci, context).tell(replace(NOTICE, commit=f"{COMMIT}-dirty.ab"))
    assert there.deployments[0]["ref"] == COMMIT


@pytest.mark.parametrize("make", [on_github, on_gitlab])
def test_a_missing_token_is_met_when_somebody_is_told_not_before(
    ci: CiServer, context: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_TOKEN", "GATEWRIGHT_GITLAB_TOKEN"):
        monkeypatch.delenv(name)
    notifier = make(ci, context)
    with pytest.raises(UnusableInput, match="is not set"):
        notifier.tell(NOTICE)


def test_a_fault_is_told_once_and_left_to_the_outbox(ci: CiServer, context: Any) -> None:
    ci.respond = lambda _: Reply(status=503, body=SECRET.encode())
    with pytest.raises(ServiceFailed) as failed:
        on_github(ci, context).tell(NOTICE)
    assert failed.value.again
    assert len(ci.asked) == 1
    assert SECRET not in str(failed.value)
