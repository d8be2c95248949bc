"""Where am I? The CI job that a command runs in, as its environment tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gatewright.domain.forge import ForgeKind

_GITHUB_CHANGE = re.compile(r"(https?://[^/\s]+)/([\w.-]+/[\w.-]+)/pull/(\d+)/?")
_GITLAB_CHANGE = re.compile(r"(https?://[^/\s]+)/([\w./-]+?)/-/merge_requests/(\d+)/?")
_MERGE_REF = re.compile(r"refs/pull/(\d+)/(?:merge|head)")
_OPEN_REQUEST = re.compile(r"([\w./-]+)!(\d+)")
GITHUB = "https://github.com"
GITHUB_API = "https://api.github.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class CiJob:
    """`system` runs it, `forge` holds the code; texts are empty and numbers None where nothing is told.

    `url` is what an adapter of `forge` wants as its address, `change` the pull or merge request, `fork` whether that
    comes from another repository, `run_url` where the job can be seen, `summary` the file for Markdown of this step.
    """

    system: Literal["github", "gitlab", "jenkins", "none"] = "none"
    forge: ForgeKind | None = None
    url: str = ""
    repository: str = ""
    change: int | None = None
    fork: bool = False
    commit: str = ""
    run_url: str = ""
    summary: str = ""


def job_in(environment: Mapping[str, str], event: Mapping[str, object]) -> CiJob:
    """The job; `event` is the document that GitHub writes for it (GITHUB_EVENT_PATH), empty elsewhere."""
    if environment.get("GITHUB_ACTIONS"):
        return _github(environment, event)
    if environment.get("GITLAB_CI"):
        return _gitlab(environment)
    if environment.get("JENKINS_URL") or (environment.get("BUILD_URL") and environment.get("JOB_NAME")):
        return _jenkins(environment)
    return CiJob()


def _github(environment: Mapping[str, str], event: Mapping[str, object]) -> CiJob:
    server, repository = environment.get("GITHUB_SERVER_URL", GITHUB), environment.get("GITHUB_REPOSITORY", "")
    number = environment.get("GITHUB_RUN_ID", "")
    return CiJob(
        system="github",
        forge="github",
        url=environment.get("GITHUB_API_URL", GITHUB_API),
        repository=repository,
        change=_pull(environment, event),
        fork=_from_fork(event),
        commit=_text(event, "pull_request", "head", "sha") or environment.get("GITHUB_SHA", ""),
        run_url=f"{server}/{repository}/actions/runs/{number}" if repository and number else "",
        summary=environment.get("GITHUB_STEP_SUMMARY", ""),
    )


def _pull(environment: Mapping[str, str], event: Mapping[str, object]) -> int | None:
    """By the event; a comment's event names an issue, which may be a pull request."""
    places = [("pull_request", "number")]
    if _at(event, "issue", "pull_request") is not None:
        places.append(("issue", "number"))
    for place in places:
        if isinstance(found := _at(event, *place), int):
            return found
    merge = _MERGE_REF.fullmatch(environment.get("GITHUB_REF", ""))
    return int(merge[1]) if merge else None


def _from_fork(event: Mapping[str, object]) -> bool:
    """A fork that was deleted meanwhile is null, and still no repository of ours."""
    if not isinstance(_at(event, "pull_request", "head"), Mapping):
        return False
    head = _text(event, "pull_request", "head", "repo", "full_name")
    return head != _text(event, "pull_request", "base", "repo", "full_name")


def _gitlab(environment: Mapping[str, str]) -> CiJob:
    """In a pipeline of a fork the request belongs to another project than the job."""
    project = environment.get("CI_PROJECT_PATH", "") or environment.get("CI_PROJECT_ID", "")
    target = environment.get("CI_MERGE_REQUEST_PROJECT_PATH", "") or environment.get("CI_MERGE_REQUEST_PROJECT_ID", "")
    source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "")
    change = _number(environment.get("CI_MERGE_REQUEST_IID", ""))
    # A pipeline of a branch names the open requests of the branch instead.
    opened = _OPEN_REQUEST.match(environment.get("CI_OPEN_MERGE_REQUESTS", ""))
    if change is None and opened:
        target, change = opened[1], int(opened[2])
    api = environment.get("CI_API_V4_URL", "").removesuffix("/")
    return CiJob(
        system="gitlab",
        forge="gitlab",
        url=api.removesuffix("/api/v4") or environment.get("CI_SERVER_URL", "https://gitlab.com"),
        repository=target or project,
        change=change,
        fork=bool(source and target and source != target),
        commit=environment.get("CI_COMMIT_SHA", ""),
        run_url=environment.get("CI_JOB_URL", "") or environment.get("CI_PIPELINE_URL", ""),
    )


def _jenkins(environment: Mapping[str, str]) -> CiJob:
    """A build of a multibranch job names the page of the request, which tells forge, repository and number."""
    page = environment.get("CHANGE_URL", "")
    job = CiJob(
        system="jenkins",
        change=_number(environment.get("CHANGE_ID", "")),
        fork=bool(environment.get("CHANGE_FORK")),
        commit=environment.get("GIT_COMMIT", ""),
        run_url=environment.get("BUILD_URL", ""),
    )
    if found := _GITHUB_CHANGE.fullmatch(page):
        url = GITHUB_API if found[1] == GITHUB else f"{found[1]}/api/v3"
        return replace(job, forge="github", url=url, repository=found[2], change=int(found[3]))
    if found := _GITLAB_CHANGE.fullmatch(page):
        return replace(job, forge="gitlab", url=found[1], repository=found[2], change=int(found[3]))
    return job


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _at(found: object, *names: str) -> object:
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _text(found: object, *names: str) -> str:
    value = _at(found, *names)
    return value if isinstance(value, str) else ""
