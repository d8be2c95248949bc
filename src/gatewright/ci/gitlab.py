"""GitLab CI: a file of its own, or one that a team's file includes.

`rules: changes` is true for every event that is no push, so it never stands without `$CI_PIPELINE_SOURCE` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gatewright.ci.identities import preparation_of, settings_of, tokens_of
from gatewright.ci.pipeline import REVIEW, STATE, Form, Job, Pipeline, shell
from gatewright.ci.text import Flow, yaml_text

VENV = f"{STATE}/ci-venv"
_HEAD = "Written by `gatewright ci generate --target gitlab`; `--check` tells when it differs from gatewright.yaml."
_BASE = ".gatewright"
_ONLY_GITHUB = "self-hosted"
_BY_HAND = "$CI_PIPELINE_SOURCE =~ /^(web|api|trigger|pipeline)$/"
_MERGE_REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
STAGE_INPUT = {
    "stage": {"description": "The stage in which the jobs are shown; their order is that of `needs`", "default": "test"}
}
_WHICH = "GATEWRIGHT_JOB"


def gitlab_files(pipeline: Pipeline, form: Form, suffix: str = "") -> dict[str, str]:
    """Path below the root of the repository → text."""
    if form == "own":
        return {".gitlab-ci.yml": _own(pipeline)}
    return {f".gitlab/gatewright{suffix}.yml": included(pipeline, STAGE_INPUT)}


def gitlab_include(suffix: str = "") -> str:
    """What a team's .gitlab-ci.yml says to include the reusable form."""
    return yaml_text({"include": [{"local": f".gitlab/gatewright{suffix}.yml", "inputs": {"stage": "test"}}]})


def _own(pipeline: Pipeline) -> str:
    branch = f'$CI_COMMIT_BRANCH == "{pipeline.branch}"'
    events = [{"if": branch}]
    if pipeline.pull_requests:
        events.insert(0, {"if": _MERGE_REQUEST})
    document: dict[str, Any] = {
        "stages": [job.name for job in _all(pipeline)],
        "workflow": {"rules": events},
        "variables": dict(_variables(pipeline)),
        **_jobs(pipeline, None),
    }
    document = {key: item for key, item in document.items() if item}
    return yaml_text(document, tuple(_head(pipeline)))


def _all(pipeline: Pipeline) -> tuple[Job, ...]:
    return (*pipeline.jobs, *([pipeline.report] if pipeline.report else []), *pipeline.scheduled)


def included(pipeline: Pipeline, inputs: Mapping[str, Mapping[str, str]]) -> str:
    """A file to include, with `inputs`, of which one is `stage`."""
    header = yaml_text({"spec": {"inputs": inputs}}, tuple(_head(pipeline)))
    document = {"variables": dict(_variables(pipeline)), **_jobs(pipeline, "$[[ inputs.stage ]]")}
    return f"{header}---\n{yaml_text(document)}"


def _head(pipeline: Pipeline) -> Iterator[str]:
    yield pipeline.head or _HEAD
    if pipeline.scheduled:
        crons = ", ".join(f"{_WHICH}={job.name} at {job.cron}" for job in pipeline.scheduled if not job.needs)
        yield f"Pipeline schedules to make in the project's settings, each with its variable: {crons}."


def _variables(pipeline: Pipeline) -> Iterator[tuple[str, Any]]:
    for each in pipeline.inputs:
        yield each.variable, {"value": each.default, "description": each.about}
    names = ("", *(job.name for job in pipeline.scheduled if not job.needs))
    if pipeline.scheduled:
        about = "Empty: the pipeline; else what the clock starts"
        yield _WHICH, {"value": "", "description": about, "options": list(names)}


def _jobs(pipeline: Pipeline, stage: str | None) -> dict[str, Any]:
    jobs: dict[str, Any] = {_BASE: _base(pipeline)}
    jobs |= {job.name: _job(pipeline, job, stage) for job in _all(pipeline)}
    return jobs


def _base(pipeline: Pipeline) -> dict[str, Any]:
    """What every stage has in common."""
    variables = {"GIT_DEPTH": "0", "GIT_STRATEGY": "fetch", "GIT_CLEAN_FLAGS": f"-ffdx -e {STATE}"}
    if pipeline.cache and pipeline.install:
        variables["PIP_CACHE_DIR"] = f"$CI_PROJECT_DIR/{STATE}/pip-cache"
    found: dict[str, Any] = {"variables": variables, "before_script": list(_before(pipeline))}
    if pipeline.cache and pipeline.install:
        found["cache"] = {"key": {"files": [pipeline.requirements]}, "paths": [f"{STATE}/pip-cache"]}
    return {key: item for key, item in found.items() if item}


def _before(pipeline: Pipeline) -> Iterator[str]:
    if pipeline.folder:
        yield shell(("cd", pipeline.folder))
    if pipeline.install:
        yield f"test -x {VENV}/bin/python || python3 -m venv {VENV}"
        yield f". {VENV}/bin/activate"
    for words in pipeline.install:
        yield shell(words)


def _job(pipeline: Pipeline, job: Job, stage: str | None) -> dict[str, Any]:
    trusted = job.trusted and pipeline.credentials.any
    needs: list[Any] = list(job.needs)
    if job is _first(pipeline):
        needs += [{"job": name, "optional": True} for name in pipeline.after]
    found: dict[str, Any] = {
        "extends": _BASE if job.stage else None,
        "stage": stage or job.name,
        "needs": needs or [],
        "rules": list(_rules(pipeline, job)),
        "tags": Flow([label for label in job.runner if label != _ONLY_GITHUB]) if job.runner else None,
        "image": job.image or (None if job.runner else _hosted(pipeline)),
        "timeout": f"{job.timeout} minutes",
        "interruptible": job.when == "always" and job.stage,
        "resource_group": f"gatewright-{pipeline.model}" if job.when == "deploying" else None,
        "environment": _environment(job),
        "id_tokens": tokens_of(pipeline.credentials) if trusted else None,
        "variables": settings_of(pipeline.credentials) if trusted else None,
        "script": [*(preparation_of(pipeline.credentials) if trusted else ()), *map(shell, job.commands)],
        "artifacts": _artifacts(pipeline, job),
    }
    return {key: item for key, item in found.items() if item is not None and item != {}}


def _first(pipeline: Pipeline) -> Job | None:
    return pipeline.jobs[0] if pipeline.after else None


def _hosted(pipeline: Pipeline) -> str:
    return f"python:{pipeline.python or '3.12'}-slim"


def _environment(job: Job) -> dict[str, str] | None:
    """A tick every quarter of an hour is no deployment: its environment is only entered, not deployed to."""
    if job.environment is None:
        return None
    return {"name": job.environment, "action": "start" if job.name == "canary" else "access"}


def _rules(pipeline: Pipeline, job: Job) -> Iterator[dict[str, Any]]:
    branch = f'$CI_COMMIT_BRANCH == "{pipeline.branch}"'
    manual = {"when": "manual", "allow_failure": False} if job.approval else {}
    if job.cron is not None:
        starter = job.needs[0] if job.needs else job.name
        yield {"if": f'${_WHICH} == "{starter}" && {branch}'}
        return
    if pipeline.scheduled:
        yield {"if": f"${_WHICH}", "when": "never"}
    if job.when == "reviewing":
        yield {"if": _MERGE_REQUEST, "changes": list(pipeline.paths), "when": "always"}
        return
    if job.when != "deploying" and pipeline.pull_requests:
        review = {"variables": {REVIEW: "true"}} if job.inputs else {}
        yield {"if": _MERGE_REQUEST, "changes": list(pipeline.paths), **review}
    yield {"if": f'$CI_PIPELINE_SOURCE == "push" && {branch}', "changes": list(pipeline.paths), **manual}
    yield {"if": f"{_BY_HAND} && {branch}", **manual}


def _artifacts(pipeline: Pipeline, job: Job) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    if job.gives:
        found["reports"] = {"dotenv": _below(pipeline, job.gives)}
    if job.keeps:
        found |= {"when": "always", "paths": [_below(pipeline, path) for path in job.keeps], "expire_in": "30 days"}
    return found or None


def _below(pipeline: Pipeline, path: str) -> str:
    return f"{pipeline.folder}/{path}" if pipeline.folder else path
