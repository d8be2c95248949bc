"""The pipeline file of the CI system, as `gatewright ci generate` would write it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gatewright.ci.github import github_files
from gatewright.ci.gitlab import gitlab_files, gitlab_include
from gatewright.ci.jenkins import jenkins_files
from gatewright.ci.pipeline import Form, Pipeline, pipeline_of
from gatewright.config.project import read_project
from gatewright.domain.adoption import Target
from gatewright.effects.git import top_of
from gatewright.workspace import CONFIG, Plugins

_MARK = "Written by `gatewright ci generate"
_OWN = {"gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFiles:
    """Path below `top` → text; `joint`: what the pipeline that is there has to say to use them, if it has to."""

    top: Path
    files: Mapping[str, str]
    what: str
    joint: str | None = None


def pipeline_of_text(root: Path, config: str, target: Target) -> PipelineFiles | None:
    """The files that `config`, the text of gatewright.yaml, makes; None without a CI system.

    Where the team's own pipeline has the name that ours would have, ours is the reusable form, which theirs uses.
    """
    if target == "none":
        return None
    here = root.resolve()
    top = top_of(here) or here
    with tempfile.TemporaryDirectory(prefix="gatewright-init-") as name:
        written = Path(name) / CONFIG
        written.write_text(config, encoding="utf-8")
        project, _ = read_project(written, Plugins())
    pipeline = pipeline_of(project, here.relative_to(top).as_posix() if here != top else "")
    own = top / _OWN[target] if target in _OWN else None
    theirs = own is not None and own.is_file() and _MARK not in own.read_text(encoding="utf-8", errors="replace")
    form: Form = "reusable" if theirs else "own"
    return PipelineFiles(
        top=top,
        files=_files(pipeline, target, form),
        what=f"the pipeline for {target}" + (f", to be used by your {_OWN[target]}" if theirs else ""),
        joint=_joint(target) if theirs else None,
    )


def _files(pipeline: Pipeline, target: Target, form: Form) -> dict[str, str]:
    match target:
        case "gitlab":
            return gitlab_files(pipeline, form)
        case "jenkins":
            return jenkins_files(pipeline, form)
        case _:
            return github_files(pipeline, form)


def _joint(target: Target) -> str:
    if target == "gitlab":
        return "Include it in your .gitlab-ci.yml:\n" + gitlab_include().rstrip()
    return "Point a second pipeline job of Jenkins at the script path Jenkinsfile.gatewright."
