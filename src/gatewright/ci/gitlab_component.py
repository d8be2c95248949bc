"""GitLab: the component that any project of the instance includes, with its inputs where a project's values stand."""

from __future__ import annotations

from dataclasses import replace

from gatewright.ci.gitlab import STAGE_INPUT, included
from gatewright.ci.pipeline import pipeline_of
from gatewright.domain.ci import CiRunners, CiSection
from gatewright.domain.project import DataSection, EvaluationSection, GatesSection, Project, TrainSection

PATH = "templates/gatewright.yml"
_INPUTS = {
    **STAGE_INPUT,
    "model": {"description": "Model of gatewright.yaml"},
    "branch": {"description": "The branch that deploys", "default": "main"},
    "runner": {"description": "Tag of the machine with the state and the live traffic", "default": "gatewright"},
    "requirements": {"description": "File with the locked packages", "default": "requirements.txt"},
}


def component() -> str:
    """The text of templates/gatewright.yml."""
    words = {name: f"$[[ inputs.{name} ]]" for name in _INPUTS}
    project = Project(
        model=words["model"],
        data=DataSection(train="train", evaluation="evaluation"),
        train=TrainSection(command=("python",)),
        evaluation=EvaluationSection(label="label"),
        gates=GatesSection(),
        ci=CiSection(
            branch=words["branch"],
            runners=CiRunners(deploy=(words["runner"],)),
            install=(("pip", "install", "--require-hashes", "-r", words["requirements"]),),
        ),
    )
    pipeline = replace(pipeline_of(project), requirements=words["requirements"])
    return included(pipeline, _INPUTS)
