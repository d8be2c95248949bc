"""One pipeline, three CI systems: the same stage commands in the same order, and what each option does to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatewright.ci.gitlab_component import PATH, component
from gatewright.ci.pipeline import Pipeline, shell
from tests.pipelines.combinations import COMBINATIONS, files, parsed, pipeline

ROOT = Path(__file__).resolve().parents[3]
TARGETS = ("github", "gitlab", "jenkins")


def stage_commands(target: str, name: str) -> list[str]:
    """The lines with a stage command, in the order of the files."""
    found: list[str] = []
    if target == "jenkins":
        steps = [step for text in files(target, name).values() for step in re.findall(r"sh '((?:\\.|[^'\\])*)'", text)]
        found = [re.sub(r"\\(.)", r"\1", step) for step in steps]
    for file in parsed(target, name).values() if target != "jenkins" else ():
        jobs = [job for job in file.get("jobs", file).values() if isinstance(job, dict)]
        found += [line for job in jobs for line in job.get("script", ())]
        found += [step["run"] for job in jobs for step in job.get("steps", ()) if "run" in step]
    return [line for line in found if line.startswith("gatewright ")]


def commands(found: Pipeline) -> list[str]:
    lines = [shell(command) for job in (*found.jobs, *found.scheduled) for command in job.commands]
    return [line for line in lines if line.startswith("gatewright ")]


@pytest.mark.parametrize("name", COMBINATIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_the_stage_commands_are_the_same_everywhere(target: str, name: str) -> None:
    found = stage_commands(target, name)
    assert [line for line in found if not line.startswith("gatewright ci ")] == commands(pipeline(name))


def test_the_six_stages_stand_in_their_order() -> None:
    words = [line.split()[1] for line in commands(pipeline("default"))]
    assert words[:6] == ["validate", "train", "evaluate", "gate", "register", "canary"]
    assert words[6:] == ["rollout", "rollout", "data", "evalset"]


def test_every_job_waits_for_what_it_needs() -> None:
    found = pipeline("everything")
    seen: set[str] = set()
    for job in found.jobs:
        assert set(job.needs) <= seen
        seen.add(job.name)
    assert found.jobs[2].needs == ("test", "gpu_smoke")


def test_the_last_stage_ends_the_pipeline() -> None:
    assert [job.name for job in pipeline("gates-only").jobs] == ["validate", "train", "evaluate"]
    assert [job.name for job in pipeline("gates-only").scheduled] == ["watch", "refresh"]
    assert [job.name for job in pipeline("register-only").jobs][-1] == "register"
    assert pipeline("no-schedule").scheduled == ()


def test_with_a_local_state_every_stage_runs_where_it_lies() -> None:
    found = pipeline("own-jobs")
    assert {job.runner for job in (*found.jobs, *found.scheduled) if job.stage} == {("self-hosted", "gatewright")}
    shared = pipeline("gpu")
    assert {job.name: job.runner for job in shared.jobs}["train"] == ("self-hosted", "gpu", "a100")


def test_a_workspace_below_the_root_is_entered() -> None:
    workflow = parsed("github", "two-installs")[".github/workflows/gatewright.yml"]
    assert workflow["defaults"]["run"]["working-directory"] == "services/employment"
    assert "services/employment/models/**" in workflow["on"]["push"]["paths"]
    before = parsed("gitlab", "two-installs")[".gitlab-ci.yml"][".gatewright"]["before_script"]
    assert before[0] == "cd services/employment"
    assert "dir('services/employment') {" in files("jenkins", "two-installs")["Jenkinsfile"]


def test_jobs_that_it_waits_for_make_a_workflow_that_is_called() -> None:
    assert next(iter(files("github", "after"))) == ".github/workflows/gatewright-stages.yml"
    jobs = parsed("gitlab", "after")[".gitlab-ci.yml"]
    optional = [need for need in jobs["validate"]["needs"] if isinstance(need, dict)]
    assert optional == [{"job": "build", "optional": True}, {"job": "unit-tests", "optional": True}]
    assert "upstreamProjects: 'build, unit-tests'" in files("jenkins", "after")["Jenkinsfile"]


def test_approval_is_asked_before_the_canary_only() -> None:
    jobs = parsed("gitlab", "environments")[".gitlab-ci.yml"]
    manual = {
        name
        for name, job in jobs.items()
        if isinstance(job, dict) and any(rule.get("when") == "manual" for rule in job.get("rules", ()))
    }
    assert manual == {"canary"}
    text = files("jenkins", "environments")["Jenkinsfile"]
    assert text.count("input {") == 1
    assert "message 'Start the canary of employment?'" in text


def test_an_identity_is_given_to_the_stages_that_need_it() -> None:
    workflow = parsed("github", "aws")[".github/workflows/gatewright.yml"]
    trusted = {name for name, job in workflow["jobs"].items() if "id-token" in job["permissions"]}
    assert trusted == {"validate", "train", "evaluate", "register", "canary"}
    jobs = parsed("gitlab", "aws")[".gitlab-ci.yml"]
    assert jobs["train"]["id_tokens"] == {"GATEWRIGHT_AWS_TOKEN": {"aud": "sts.amazonaws.com"}}
    assert "id_tokens" not in jobs["report"]


def test_secrets_stand_behind_an_environment() -> None:
    for workflow in parsed("github", "secrets").values():
        for job in workflow["jobs"].values():
            assert any("secrets." in value for value in job.get("env", {}).values()) <= ("environment" in job)


def test_the_component_is_what_would_be_written_now() -> None:
    assert (ROOT / PATH).read_text(encoding="utf-8") == component()
