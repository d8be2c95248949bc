"""Combinations of the options of section `ci:`, as a team could write them; every one has to pass every linter.

Each row is what differs from the default. `REPRESENTATIVE` are those that `make test` looks at.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from gatewright.ci.gate_only import SUFFIX, gate_pipeline
from gatewright.ci.github import github_files
from gatewright.ci.gitlab import gitlab_files
from gatewright.ci.jenkins import jenkins_files
from gatewright.ci.pipeline import Form, Pipeline, pipeline_of
from gatewright.config.project import read_project
from gatewright.workspace import Plugins

BASE = {
    "model": "employment",
    "data": {"train": "acs-train", "evaluation": "acs-eval"},
    "train": {"command": ["python", "training/train.py", "--output-dir", "{output.dir}"]},
    "evaluation": {"label": "employed"},
    "gates": {"slices": "none", "fairness": "none"},
}
IMAGE = "ghcr.io/acme/trainer@sha256:" + "0123456789abcdef" * 4
AWS = {"role": "arn:aws:iam::123456789012:role/gatewright", "region": "eu-west-1"}
GCP = {
    "provider": "projects/123456789012/locations/global/workloadIdentityPools/ci/providers/main",
    "service_account": "gatewright@acme.iam.gserviceaccount.com",
}
AZURE = {name: f"00000000-0000-0000-0000-00000000000{n}" for n, name in enumerate(("client", "tenant", "subscription"))}
SECRETS = ["WAREHOUSE_TOKEN", "MLFLOW_TRACKING_TOKEN"]
EVERYTHING: dict[str, Any] = {
    "branch": "release/1.x",
    "paths": ["models/**", "src/**/*.py"],
    "jobs": [
        {"name": "test", "run": ["make", "test", "ARGS=-k 'not slow'"]},
        {"name": "gpu_smoke", "run": ["python", "-c", 'print("it\'s $HOME")'], "runner": "train", "timeout": 5},
    ],
    "image": IMAGE,
    "runners": {"default": ["ubuntu-24.04"], "train": ["self-hosted", "gpu"], "deploy": ["self-hosted", "edge"]},
    "environments": {"approval": True, "canary": "live-canary", "rollout": "live"},
    "credentials": {"aws": AWS, "gcp": GCP, "azure": AZURE, "secrets": SECRETS},
    "schedule": {"tick": "*/5 * * * *", "watch": "none", "refresh": "0 4 1 * *"},
}
COMBINATIONS: dict[str, tuple[Mapping[str, Any], Form]] = {
    "default": ({}, "own"),
    "reusable": ({}, "reusable"),
    "after": ({"after": ["build", "unit-tests"]}, "own"),
    "after-reusable": ({"after": ["build"]}, "reusable"),
    "own-jobs": ({"jobs": EVERYTHING["jobs"][:1]}, "own"),
    "own-job-on-deploy": ({"jobs": [{"name": "lint", "run": ["ruff", "check", "."], "runner": "deploy"}]}, "own"),
    "no-python": ({"python": "none"}, "own"),
    "no-install": ({"python": "none", "install": []}, "own"),
    "two-installs": ({"install": [["pip", "install", "uv"], ["uv", "pip", "sync", "requirements.txt"]]}, "own"),
    "image": ({"image": IMAGE}, "own"),
    "gpu": (
        {"runners": {"default": ["ubuntu-24.04"], "train": ["self-hosted", "gpu", "a100"]}},
        "own",
    ),
    "gpu-by-label": ({"runners": {"train": ["gpu-large"], "deploy": ["edge"]}}, "own"),
    "gpu-image": ({"image": IMAGE, "runners": {"train": ["self-hosted", "gpu"]}}, "own"),
    "state-git": ({}, "own"),
    "state-git-reusable": ({}, "reusable"),
    "gates-only": ({"last": "gate"}, "own"),
    "gates-only-hosted": (
        {"last": "gate", "schedule": {"tick": "none", "watch": "none", "refresh": "none"}},
        "own",
    ),
    "register-only": ({"last": "register"}, "own"),
    "no-schedule": ({"schedule": {"tick": "none", "watch": "none", "refresh": "none"}}, "own"),
    "tick-only": ({"schedule": {"tick": "3-58/5 * * * *", "watch": "none", "refresh": "none"}}, "own"),
    "same-time": ({"schedule": {"tick": "0 * * * *", "watch": "0 * * * *", "refresh": "0 * * * *"}}, "own"),
    "environments": ({"environments": {"canary": "eu/canary", "rollout": "eu/live", "approval": True}}, "own"),
    "aws": ({"credentials": {"aws": AWS}}, "own"),
    "gcp": ({"credentials": {"gcp": GCP}}, "own"),
    "azure": ({"credentials": {"azure": AZURE}}, "own"),
    "secrets": ({"credentials": {"secrets": SECRETS}}, "own"),
    "secrets-reusable": ({"credentials": {"secrets": SECRETS}, "after": ["build"]}, "reusable"),
    "three-clouds": ({"credentials": {"aws": AWS, "gcp": GCP, "azure": AZURE}}, "own"),
    "no-cache": ({"cache": False}, "own"),
    "no-pull-requests": ({"pull_requests": False}, "own"),
    "timeouts": ({"timeouts": {"train": 1440, "canary": 5}}, "own"),
    "everything": (EVERYTHING, "own"),
    "everything-reusable": ({**EVERYTHING, "after": ["build"]}, "reusable"),
}
_REPORTS: tuple[tuple[str, str, str | None, Form], ...] = (
    ("report", "", None, "own"),
    ("report-below", "services/employment", "requirements.txt", "own"),
    ("report-reusable", "", "requirements.txt", "reusable"),
)
REPORTS: dict[str, tuple[Pipeline, Form]] = {
    name: (
        gate_pipeline(
            model="employment",
            branch="main",
            folder=folder,
            commands=(("python", "tools/evaluate it.py"), ("gatewright", "gate", "eval.json")),
            install=(("pip", "install", "gatewright==1.0"),),
            requirements=requirements,
        ),
        form,
    )
    for name, folder, requirements, form in _REPORTS
}
"""What `init` writes for a team that has a report of its own."""
REPRESENTATIVE = ("default", "after", "gates-only-hosted", "secrets-reusable", "everything")
WRITERS: dict[str, Callable[..., Mapping[str, str]]] = {
    "github": github_files,
    "gitlab": gitlab_files,
    "jenkins": jenkins_files,
}
_PLUGINS = Plugins()
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SHARED = ("gpu", "gpu-by-label", "gpu-image", "state-git", "state-git-reusable", "gates-only-hosted", "three-clouds")
"""Combinations whose state travels; those with everything do so, too."""
SUBFOLDER = "two-installs"
"""The combination whose workspace is not the root of its repository."""


@cache
def pipeline(name: str) -> Pipeline:
    """The pipeline of a combination, from a gatewright.yaml that says so."""
    section, _ = COMBINATIONS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gatewright.yaml"
        kind = "git" if name in SHARED or name.startswith("everything") else "local"
        path.write_text(json.dumps({**BASE, "state": {"kind": kind}, "ci": section}), encoding="utf-8")
        project, _ = read_project(path, _PLUGINS)
    return pipeline_of(project, "services/employment" if name == SUBFOLDER else "")


@cache
def files(target: str, name: str) -> Mapping[str, str]:
    """The files of a combination, or of a report's gates, for one CI."""
    if name in REPORTS:
        return WRITERS[target](*REPORTS[name], SUFFIX)
    return WRITERS[target](pipeline(name), COMBINATIONS[name][1])


@cache
def parsed(target: str, name: str) -> Mapping[str, Any]:
    """The same, each file of GitHub or GitLab as plain values; without the header of a file to include."""
    return {path: _plain(text) for path, text in files(target, name).items()}


def _plain(text: str) -> Any:
    # YAML 1.1 takes `on` for true, GitHub does not.
    return yaml.load(text.rpartition("\n---\n")[2].replace("\non:\n", '\n"on":\n'), Loader=_Loader)
