"""The pipeline file of the CI system, as `gatewright ci generate` would write it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gatewright.ci.gate_only import SUFFIX, gate_pipeline
from gatewright.ci.github import github_files
from gatewright.ci.gitlab import gitlab_files, gitlab_include
from gatewright.ci.jenkins import jenkins_files
from gatewright.ci.pipeline import Form, Pipeline, pipeline_of
from gatewright.config.project import read_project
from gatewright.domain.adoption import Target
from gatewright.effects.git import top_of
from gatewright.rules.adoption.own_report import OwnReport
from gatewright.rules.adoption.proposal import Proposal
from gatewright.workspace import CONFIG, Plugins

_MARKS = ("Written by `gatewright ci generate", "Written by `gatewright init`")
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
    return _placed(top, pipeline_of(project, here.relative_to(top).as_posix() if here != top else ""), target, "")


def gates_of_report(root: Path, proposal: Proposal, report: OwnReport) -> PipelineFiles | None:
    """The files of the one job that asks the gates; None without a CI system, or when they would be a guess."""
    if proposal.target == "none" or report.calls is None:
        return None
    here = root.resolve()
    top = top_of(here) or here
    pipeline = gate_pipeline(
        model=proposal.model,
        branch=proposal.branch or "main",
        folder=here.relative_to(top).as_posix() if here != top else "",
        commands=report.calls,
        install=proposal.install,
        requirements=proposal.requirements,
    )
    return _placed(top, pipeline, proposal.target, SUFFIX)


def _placed(top: Path, pipeline: Pipeline, target: Target, suffix: str) -> PipelineFiles:
    own = top / _OWN[target] if target in _OWN else None
    text = own.read_text(encoding="utf-8", errors="replace") if own is not None and own.is_file() else None
    theirs = text is not None and not any(mark in text for mark in _MARKS)
    files = _files(pipeline, target, "reusable" if theirs else "own", suffix)
    return PipelineFiles(
        top=top,
        files=files,
        what=f"the pipeline for {target}" + (f", to be used by your {_OWN[target]}" if theirs else ""),
        joint=_joint(target, next(iter(files)), suffix, "params" if pipeline.inputs else "") if theirs else None,
    )


def _files(pipeline: Pipeline, target: Target, form: Form, suffix: str) -> dict[str, str]:
    match target:
        case "gitlab":
            return gitlab_files(pipeline, form, suffix)
        case "jenkins":
            return jenkins_files(pipeline, form, suffix)
        case _:
            return github_files(pipeline, form, suffix)


def _joint(target: Target, path: str, suffix: str, given: str) -> str:
    if target == "gitlab":
        return "Include it in your .gitlab-ci.yml:\n" + gitlab_include(suffix).rstrip()
    load = f"def gatewright = node {{ checkout scm; load('{path}') }}"
    return f"Load it in a scripted Jenkinsfile, or in a script block of yours:\n{load}\ngatewright.stages({given})"
