"""The generated pipelines of three CI systems, really executed: the same commands in the same order, to the same end.

Each target starts from nothing: repository, first deployment by hand, a model that fails its gates, data versions that
are commands, and a better model under live traffic through a real gateway, up to its promotion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatewright.ci.pipeline import RUN, Pipeline, Var, pipeline_of
from gatewright.config.project import read_project
from gatewright.workspace import Plugins
from tests.fixtures.ports import free_port
from tests.pipelines.deployment import MODEL, Deployment, Traffic
from tests.pipelines.github_runner import Github
from tests.pipelines.gitlab_runner import Gitlab
from tests.pipelines.jenkins_runner import Jenkins
from tests.pipelines.recording import Call, Recording, stand_in
from tests.pipelines.repositories import Team
from tests.pipelines.targets import Target

STAGES = ["validate", "train", "evaluate", "gate", "register", "canary"]
JOBS = ["validate", "train", "evaluate", "register", "canary"]
INJECTIONS = ('"; touch pwned; #', "$(touch pwned)")
MORE_INJECTIONS = (
    "`touch pwned`",
    "'; touch pwned; '",
    "--help",
    "2016\ntouch pwned",
    "${MODEL_NAME}",
    "x' || touch pwned",
)
pytestmark = [pytest.mark.usefixtures("runners"), pytest.mark.timeout(1800)]
TARGETS = [
    pytest.param(name, marks=pytest.mark.xdist_group(f"pipelines-{number}"))
    for number, name in enumerate(("github", "gitlab", "jenkins"))
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """`port`: where the gateway of its configuration listens."""

    team: Team
    port: int


def deployment_on(name: str, folder: Path, founded: Founded, interpreter: Path, recording: Recording) -> Deployment:
    team = founded.team.copied_to(folder / "team")
    target: Target
    match name:
        case "github":
            target = Github(folder / name, team.origin, recording)
        case "gitlab":
            target = Gitlab(folder / name, team.origin, recording)
        case _:
            target = Jenkins(folder / name, team.origin, recording, classes=interpreter)
    return Deployment(folder, team, target, founded.port)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """The repository that every test begins with a copy of."""
    founded = Founded(team=Team(tmp_path_factory.mktemp("founded") / "team"), port=free_port())
    founded.team.found(founded.port)
    return founded


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest, tmp_path: Path, founded: Founded, interpreter: Path
) -> Iterator[Deployment]:
    """A repository with its pipeline on the target that the test names; nothing was ever run."""
    recording = Recording(tmp_path / "recording")
    deployment = deployment_on(request.param, tmp_path, founded, interpreter, recording)
    yield deployment
    deployment.stop()
    assert deployment.processes() == []


@pytest.fixture
def rehearsal(request: pytest.FixtureRequest, tmp_path: Path, founded: Founded, interpreter: Path) -> Deployment:
    """The same with a stand-in for gatewright that only says what it was called with, and fails where it is told to."""
    recording = Recording(tmp_path / "recording", real=stand_in(tmp_path / "stand-in"))
    return deployment_on(request.param, tmp_path, founded, interpreter, recording)


def commands(pipeline: Pipeline, values: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The words behind `gatewright` of every stage command, as the neutral pipeline has them."""
    return [
        tuple(values.get(word.name, "") if isinstance(word, Var) else word for word in command[1:])
        for job in pipeline.jobs
        for command in job.commands
        if command[0] == "gatewright"
    ]


def pipeline_on(deployment: Deployment) -> Pipeline:
    project, _ = read_project(deployment.team.desk / "gatewright.yaml", Plugins(), None)
    return pipeline_of(project)


def stages(calls: Sequence[Call]) -> list[str]:
    return [call.stage for call in calls]


@pytest.mark.parametrize("rehearsal", TARGETS, indirect=True)
def test_every_target_calls_the_commands_of_the_neutral_pipeline_in_order(rehearsal: Deployment) -> None:
    ran = rehearsal.dispatch(data_version="2016", bootstrap_by="ada")
    assert [name for name in ran.done() if name in JOBS] == JOBS, ran.log
    values = {"MODEL_NAME": MODEL, "DATA_VERSION": "2016", "BOOTSTRAP_BY": "ada", RUN: "run-1"}
    assert [call.words for call in rehearsal.calls()] == commands(pipeline_on(rehearsal), values)
    rehearsal.team.set_recipe("boosting")
    ran = rehearsal.push("Another model")
    assert [name for name in ran.done() if name in JOBS] == JOBS, ran.log
    assert [call.words for call in rehearsal.calls()] == commands(
        pipeline_on(rehearsal), {"MODEL_NAME": MODEL, RUN: "run-1"}
    )
    rehearsal.tick()
    finish = ("rollout", "finish", "--if-ended", "--run", "run-1")
    assert rehearsal.calls()[-1].words == finish


@pytest.mark.parametrize("rehearsal", TARGETS, indirect=True)
@pytest.mark.parametrize(
    "failing", ["gate", *(pytest.param(name, marks=pytest.mark.slow) for name in STAGES if name != "gate")]
)
def test_a_stage_that_fails_stops_those_behind_it(rehearsal: Deployment, failing: str) -> None:
    rehearsal.target.recording.fail(failing)
    ran = rehearsal.dispatch()
    expected = STAGES[: STAGES.index(failing) + 1]
    calls = rehearsal.calls()
    assert stages(calls) == expected, ran.log
    assert [call.code for call in calls] == [0] * (len(expected) - 1) + [1]
    assert ran.failed == ["evaluate" if failing == "gate" else failing]


CALLERS = {
    "github": (
        ".github/workflows/gatewright.yml",
        """
on:
  workflow_dispatch:
    inputs: {data_version: {type: string}, bootstrap_by: {type: string}}
permissions: {contents: read}
jobs:
  lint:
    runs-on: ubuntu-24.04
    steps: [{run: echo linted}]
  models:
    needs: lint
    uses: ./.github/workflows/gatewright-stages.yml
    with: {data_version: "${{ inputs.data_version }}", bootstrap_by: "${{ inputs.bootstrap_by }}"}
""",
    ),
    "gitlab": (".gitlab-ci.yml", "include: [{local: .gitlab/gatewright.yml, inputs: {stage: test}}]\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("rehearsal", TARGETS[:2], indirect=True)
def test_the_reusable_form_calls_the_same_commands(rehearsal: Deployment) -> None:
    path, text = CALLERS[rehearsal.target.name]
    rehearsal.team.run("ci", "generate", "--target", rehearsal.target.name, "--form", "reusable")
    (rehearsal.team.desk / path).write_text(text, encoding="utf-8")
    rehearsal.push("A pipeline of our own")
    assert rehearsal.calls() == []
    ran = rehearsal.dispatch(data_version="2016", bootstrap_by="ada")
    values = {"MODEL_NAME": MODEL, "DATA_VERSION": "2016", "BOOTSTRAP_BY": "ada", RUN: "run-1"}
    assert [call.words for call in rehearsal.calls()] == commands(pipeline_on(rehearsal), values), ran.log


@pytest.mark.slow
@pytest.mark.parametrize("rehearsal", TARGETS, indirect=True)
def test_a_push_beside_the_paths_starts_no_stage(rehearsal: Deployment) -> None:
    (rehearsal.team.desk / "README.md").write_text("words\n", encoding="utf-8")
    rehearsal.push("A page")
    assert rehearsal.calls() == []


@pytest.mark.parametrize("deployment", TARGETS, indirect=True)
@pytest.mark.parametrize("injections", [INJECTIONS, pytest.param(MORE_INJECTIONS, marks=pytest.mark.slow)])
def test_a_data_version_that_is_a_command_is_refused_and_not_carried_out(
    deployment: Deployment, injections: Sequence[str]
) -> None:
    for injection in injections:
        ran = deployment.dispatch(data_version=injection, bootstrap_by="ada")
        calls = deployment.calls()
        assert stages(calls) == ["validate"], ran.log
        assert calls[0].code == 2, ran.log
        # GitLab itself puts in the values of variables that a value names; no shell has seen them.
        given = "employment" if (deployment.target.name, injection) == ("gitlab", "${MODEL_NAME}") else injection
        assert calls[0].words[calls[0].words.index("--data-version") + 1] == given
        assert given != injection or "names no data version" in ran.log
        assert ran.failed == ["validate"]
    assert list(deployment.folder.rglob("*pwned*")) == []


@pytest.mark.parametrize("deployment", TARGETS[:1], indirect=True)
def test_the_first_deployment_in_six_stages(deployment: Deployment) -> None:
    first_deployment(deployment)
    assert deployment.share(str(deployment.serving())) == 100.0


@pytest.mark.slow
@pytest.mark.parametrize("deployment", TARGETS, indirect=True)
def test_six_stages_up_to_a_promoted_canary(deployment: Deployment) -> None:
    first_deployment(deployment)
    first = deployment.serving()
    assert first is not None
    with Traffic(deployment) as traffic:
        traffic.wait_for(100)
        bad_model(deployment)
        assert (deployment.serving(), deployment.versions(), deployment.ends()) == (first, 1, ["promoted", "stopped"])
        better_model(deployment)
        assert deployment.ends() == ["promoted", "stopped", "promoted"]
        second = deployment.serving()
        assert second not in (None, first)
        assert deployment.share(str(second)) >= 99.99
    seen = traffic.summary()
    assert seen["failed"] == {}
    assert {first.removeprefix("sha256:")[:12], str(second).removeprefix("sha256:")[:12]} <= set(seen["models"])


def first_deployment(deployment: Deployment) -> None:
    """By hand, and allowed by somebody: nothing serves yet that it could be compared with."""
    ran = deployment.dispatch(bootstrap_by="ada")
    calls = deployment.calls()
    assert stages(calls) == STAGES, ran.log
    assert [call.code for call in calls] == [0] * 6
    deployment.tick_to_the_end()
    assert deployment.ends() == ["promoted"]


def bad_model(deployment: Deployment) -> None:
    """Its gates fail: the jobs behind do not run, and nothing is registered."""
    deployment.team.set_recipe("boosting", n_estimators=1, max_depth=1)
    ran = deployment.push("One stump is enough")
    calls = deployment.calls()
    assert stages(calls) == ["validate", "train", "evaluate", "gate"], ran.log
    assert [call.code for call in calls] == [0, 0, 0, 1]
    assert ran.failed == ["evaluate"]


def better_model(deployment: Deployment) -> None:
    """New data and another recipe, started by the push; then the clock carries the canary on."""
    deployment.team.set_recipe("boosting", n_estimators=40)
    deployment.team.add_training("2015", "2016")
    ran = deployment.push("Boosting on 2015 and 2016")
    calls = deployment.calls()
    assert stages(calls) == STAGES, ran.log
    rollout = deployment.rollout()
    assert rollout is not None
    calls += deployment.tick_to_the_end()
    ticks = stages(calls)[len(STAGES) :]
    assert ticks == ["rollout tick"] * (len(ticks) - 1) + ["rollout finish"]
    assert all(call.code == 0 for call in calls)
