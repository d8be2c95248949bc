"""Section `ci`: what is written into the file of a CI system has a form that cannot end, quote or replace anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gatewright.config.problems import Path, shown
from gatewright.config.values import Finding, Values
from gatewright.domain.ci import NEVER

_CRON_PART = r"(?:\*|\d{1,2}(?:-\d{1,2})?(?:,\d{1,2}(?:-\d{1,2})?)*)(?:/\d{1,2})?"
_CLOUD: Path = ("ci", "credentials")
_FORMS: dict[Path, tuple[str, str]] = {
    ("ci", "branch"): (r"[A-Za-z0-9][A-Za-z0-9._/-]*", "a branch has letters, digits, and . _ / -"),
    ("ci", "python"): (rf"\d+\.\d+|{NEVER}", "write a version like '3.12', or none"),
    ("ci", "image"): (
        rf"[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{{64}}|{NEVER}",
        "an image is pinned by its digest: NAME@sha256:64 hex digits; a tag can be moved to other bytes",
    ),
    (*_CLOUD, "aws", "role"): (r"arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]+", "write the ARN of a role"),
    (*_CLOUD, "aws", "region"): (r"[a-z]{2}(?:-[a-z]+)+-\d", "write a region like eu-west-1"),
    (*_CLOUD, "gcp", "provider"): (
        r"projects/\d+/locations/[a-z0-9-]+/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+",
        "write projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
    ),
    (*_CLOUD, "gcp", "service_account"): (r"[a-z0-9-]+@[a-z0-9.-]+", "write the address of the service account"),
    **{
        (*_CLOUD, "azure", name): (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "write its id, a UUID")
        for name in ("client", "tenant", "subscription")
    },
    **{
        ("ci", "environments", name): (r"[A-Za-z0-9][A-Za-z0-9._/-]*", "a name has letters, digits, and . _ / -")
        for name in ("stages", "canary", "rollout")
    },
    **{
        ("ci", "schedule", name): (
            rf"{_CRON_PART}(?: {_CRON_PART}){{4}}|{NEVER}",
            "write five fields of numbers, * - , and /, in UTC, or none",
        )
        for name in ("tick", "watch", "refresh")
    },
}
_LISTS: dict[Path, tuple[str, str]] = {
    ("ci", "paths"): (r"[A-Za-z0-9*._][A-Za-z0-9*._/-]*", "a pattern has letters, digits, and * . _ / -"),
    ("ci", "after"): (r"[A-Za-z_][A-Za-z0-9_-]*", "the id of a job has letters, digits, _ and -"),
    (*_CLOUD, "secrets"): (r"[A-Z_][A-Z0-9_]*", "the name of a secret has capitals, digits and _"),
    **{
        ("ci", "runners", name): (r"[A-Za-z0-9][A-Za-z0-9._-]*", "a label has letters, digits, and . _ -")
        for name in ("default", "train", "deploy")
    },
}
_JOB = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_TAKEN = ("validate", "train", "evaluate", "register", "canary", "tick", "rollout", "watch", "refresh", "report")
_RESERVED = re.compile(
    r"(?!GITHUB_TOKEN$|GATEWRIGHT_GITLAB_TOKEN$)(?:GITHUB|GATEWRIGHT|CI|RUNNER|PATH|LD|GIT)(?:_.*)?"
    "|MODEL_NAME|DATA_VERSION|RUN_ID|REASON|BOOTSTRAP_BY"
)
_EXPRESSION = re.compile(r"\$\{\{|\$\[\[|\n|\r")


def pipeline(values: Values) -> Iterator[Finding]:
    """What is wrong with the section `ci`."""
    for path, form in _FORMS.items():
        yield from _misfit(path, values.at(path), *form)
    for path, form in _LISTS.items():
        for index, entry in enumerate(values.entries(path)):
            yield from _misfit((*path, index), entry, *form)
    for index, name in enumerate(values.entries((*_CLOUD, "secrets"))):
        if isinstance(name, str) and _RESERVED.fullmatch(name):
            yield (*_CLOUD, "secrets", index), f"{shown(name)} belongs to the pipeline itself: name it otherwise"
    yield from _jobs(values)
    yield from _commands(values)
    yield from _machines(values)


def _misfit(path: Path, value: Any, form: str, rule: str) -> Iterator[Finding]:
    if isinstance(value, str) and value and not re.fullmatch(form, value):
        yield path, f"{shown(value)} does not fit: {rule}"


def _jobs(values: Values) -> Iterator[Finding]:
    if values.at(("ci", "last")) == "jobs" and not values.entries(("ci", "jobs")):
        yield ("ci", "last"), "leaves nothing to do: name your own jobs, or write another last stage"
    seen: set[str] = set()
    for index, job in enumerate(values.entries(("ci", "jobs"))):
        name = job.get("name") if isinstance(job, dict) else None
        if not isinstance(name, str):
            continue
        where: Path = ("ci", "jobs", index, "name")
        if not _JOB.fullmatch(name):
            yield where, f"{shown(name)} does not fit: the id of a job has letters, digits, _ and -"
        elif name in _TAKEN or name in seen:
            yield where, f"{shown(name)} is the name of another job: choose one that is free"
        seen.add(name)


def _commands(values: Values) -> Iterator[Finding]:
    """Words of a command are quoted for the shell; an expression of the CI would be replaced before that."""
    commands: list[tuple[Path, Any]] = [
        (("ci", "install", index), words) for index, words in enumerate(values.entries(("ci", "install")))
    ]
    for index, job in enumerate(values.entries(("ci", "jobs"))):
        commands.append((("ci", "jobs", index, "run"), job.get("run") if isinstance(job, dict) else None))
    for path, words in commands:
        for index, word in enumerate(words if isinstance(words, list) else ()):
            if isinstance(word, str) and _EXPRESSION.search(word):
                yield (*path, index), f"{shown(word)} would be replaced by the CI: hand it over by the environment"


def _machines(values: Values) -> Iterator[Finding]:
    """With the state on one machine, every stage has to run there."""
    if values.at(("state", "kind")) in (None, "local") and values.entries(("ci", "runners", "train")):
        what = "trains on another machine than the one that holds the state: write state: {kind: git}, or leave it out"
        yield ("ci", "runners", "train"), what
