"""Where a command runs, by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gatewright.rules.ci_job import CiJob, job_in
from gatewright.rules.ci_links import safe_link

GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/models", "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "42", "GITHUB_SHA": "merge",
    "GITHUB_STEP_SUMMARY": "/tmp/summary",
}  # fmt: skip
GITLAB = {
    "GITLAB_CI": "true", "CI_API_V4_URL": "https://git.example/gitlab/api/v4", "CI_PROJECT_PATH": "acme/models",
    "CI_COMMIT_SHA": "abc", "CI_JOB_URL": "https://git.example/gitlab/acme/models/-/jobs/3",
}  # fmt: skip
JENKINS = {"JENKINS_URL": "https://ci.example/", "BUILD_URL": "https://ci.example/job/x/7/", "GIT_COMMIT": "abc"}


def pull(head: Any = "acme/models") -> dict[str, Any]:
    repo = {"full_name": head} if head else None
    return {
        "pull_request": {
            "number": 7, "head": {"sha": "tip", "repo": repo}, "base": {"repo": {"full_name": "acme/models"}},
        }
    }  # fmt: skip


def test_a_pull_request_of_github() -> None:
    assert job_in(GITHUB, pull()) == CiJob(
        system="github", forge="github", url="https://api.github.com", repository="acme/models", change=7, commit="tip",
        run_url="https://github.com/acme/models/actions/runs/42", summary="/tmp/summary",
    )  # fmt: skip


@pytest.mark.parametrize("head", ["mallory/models", None])
def test_a_pull_request_from_a_fork(head: str | None) -> None:
    job = job_in(GITHUB, pull(head))
    assert (job.fork, job.repository, job.change) == (True, "acme/models", 7)


@pytest.mark.parametrize(
    ("event", "ref", "change"),
    [
        ({}, "refs/heads/main", None),
        ({}, "refs/pull/12/merge", 12),
        ({"issue": {"number": 9}}, "refs/heads/main", None),
        ({"issue": {"number": 9, "pull_request": {}}}, "refs/heads/main", 9),
        ({"pull_request": {"number": "7; rm"}}, "refs/heads/main", None),
        ({"pull_request": []}, "", None),
    ],
)
def test_which_pull_request_an_event_is_about(event: Mapping[str, Any], ref: str, change: int | None) -> None:
    job = job_in({**GITHUB, "GITHUB_REF": ref}, event)
    assert (job.change, job.fork, job.commit) == (change, False, "merge")


def test_a_merge_request_of_gitlab() -> None:
    job = job_in({**GITLAB, "CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_PROJECT_PATH": "acme/models"}, {})
    assert job == CiJob(
        system="gitlab", forge="gitlab", url="https://git.example/gitlab", repository="acme/models", change=7,
        commit="abc", run_url=GITLAB["CI_JOB_URL"],
    )  # fmt: skip


def test_a_merge_request_from_a_fork_belongs_to_the_target() -> None:
    more = {
        "CI_PROJECT_PATH": "mallory/models", "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_PROJECT_PATH": "acme/models", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "mallory/models",
    }  # fmt: skip
    job = job_in({**GITLAB, **more}, {})
    assert (job.repository, job.change, job.fork) == ("acme/models", 7, True)


def test_a_branch_of_gitlab_names_its_open_requests() -> None:
    job = job_in({**GITLAB, "CI_OPEN_MERGE_REQUESTS": "acme/models!333,acme/other!4"}, {})
    assert (job.repository, job.change) == ("acme/models", 333)
    assert job_in(GITLAB, {}).change is None


@pytest.mark.parametrize(
    ("page", "forge", "url", "repository"),
    [
        ("https://github.com/acme/models/pull/7", "github", "https://api.github.com", "acme/models"),
        ("https://git.example/acme/models/pull/7", "github", "https://git.example/api/v3", "acme/models"),
        ("https://git.example/a/b/c/-/merge_requests/7", "gitlab", "https://git.example", "a/b/c"),
        ("https://bitbucket.example/projects/7", None, "", ""),
    ],
)
def test_a_change_of_jenkins(page: str, forge: str | None, url: str, repository: str) -> None:
    job = job_in({**JENKINS, "CHANGE_ID": "7", "CHANGE_URL": page, "CHANGE_FORK": "mallory"}, {})
    assert (job.system, job.forge, job.url, job.repository, job.change) == ("jenkins", forge, url, repository, 7)
    assert (job.fork, job.commit, job.run_url) == (True, "abc", "https://ci.example/job/x/7/")


def test_nowhere() -> None:
    assert job_in({"HOME": "/root"}, {}) == CiJob()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://github.com/acme/models/actions/runs/42#artifacts", True),
        ("http://127.0.0.1:8080/x?y=%20z", True),
        ("javascript:alert(1)", False),
        ("https://u:p@git.example/", False),
        ("https://git.example/a) [b](c", False),
        ("https://git.example/<b>", False),
        ("https://git.example/" + "a" * 2000, False),
        ("", False),
    ],
)
def test_only_links_are_links(url: str, safe: bool) -> None:
    assert safe_link(url) == (url if safe else "")
