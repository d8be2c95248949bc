"""The small GitHub, GitLab and Jenkins do what the large ones do, as far as the other tests rely on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gatewright.effects.processes import wait_until
from tests.pipelines.github_runner import Github
from tests.pipelines.gitlab_runner import Gitlab
from tests.pipelines.jenkins_runner import Jenkins
from tests.pipelines.recording import Recording
from tests.pipelines.repositories import Push, Team
from tests.pipelines.targets import Target

pytestmark = [pytest.mark.usefixtures("runners"), pytest.mark.xdist_group("pipelines-2")]
SAMPLES = Path(__file__).resolve().parent / "samples"
PLACES = {"github": ("workflow.yml", ".github/workflows/gatewright.yml"), "gitlab": ("gitlab-ci.yml", ".gitlab-ci.yml")}
PLACES["jenkins"] = ("Jenkinsfile", "Jenkinsfile")
ACTION = ("action.yml", "action/action.yml")
KEPT, KILLED = ["sleep", "301"], ["sleep", "300"]


class Sample:
    """A repository with the sample pipelines, and the target that runs one of them."""

    def __init__(self, folder: Path, target: Target, team: Team) -> None:
        self.target = target
        self.team = team
        for name, place in (*PLACES.values(), ACTION):
            self.write(place, (SAMPLES / name).read_text(encoding="utf-8"))
        self.first = team.push("the pipelines")

    def write(self, path: str, text: str) -> None:
        file = self.team.desk / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def change(self, path: str, text: str = "new") -> Push:
        self.write(path, text)
        return self.team.push(f"change {path}")

    def edit(self, old: str, new: str) -> Push:
        """Another pipeline: the sample with a part replaced."""
        name, place = PLACES[self.target.name]
        text = (SAMPLES / name).read_text(encoding="utf-8")
        assert old in text
        return self.change(place, text.replace(old, new))

    def seen(self) -> list[str]:
        file = self.target.checkout / "seen"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


ALL = pytest.mark.parametrize("sample", ["github", "gitlab", "jenkins"], indirect=True)


@pytest.fixture
def sample(request: pytest.FixtureRequest, tmp_path: Path, recording: Recording, interpreter: Path) -> Iterator[Sample]:
    team = Team(tmp_path / "team")
    target: Target
    match request.param:
        case "github":
            target = Github(tmp_path / "github", team.origin, recording)
        case "gitlab":
            target = Gitlab(tmp_path / "gitlab", team.origin, recording)
        case _:
            target = Jenkins(tmp_path / "jenkins", team.origin, recording, classes=interpreter)
            target.secrets["token"] = "secret"
    yield Sample(tmp_path, target, team)
    for process in sleepers(tmp_path):
        process.kill()


def sleepers(folder: Path) -> list[psutil.Process]:
    """Processes that jobs in `folder` have left."""
    found = psutil.process_iter(["cmdline", "cwd"])
    ours = [process for process in found if process.info["cmdline"] in (KEPT, KILLED)]
    return [process for process in ours if (process.info["cwd"] or "").startswith(str(folder))]


@ALL
def test_jobs_run_in_order_and_hand_over_what_they_made(sample: Sample) -> None:
    ran = sample.target.push(sample.change("models/m.txt"))
    assert not ran.refused, ran.log
    assert [name for name in ran.done() if name in ("first", "second", "third")] == ["first", "second", "third"], (
        ran.log
    )
    assert [line.replace(" here-too", "") for line in sample.seen()] == ["r-1 usual", "third"]


@ALL
def test_an_input_reaches_the_jobs_and_a_failed_one_stops_those_behind_it(sample: Sample) -> None:
    ran = sample.target.dispatch(sample.first.sha, {"word": "broken"})
    assert ran.jobs["second"] == "failure", ran.log
    assert ran.jobs["third"] == "skipped"
    assert sample.seen()[0].startswith("r-1 broken")
    assert "third" not in sample.seen()
    assert (
        sample.seen()[1:] == {"github": ["failed", "report"], "gitlab": [], "jenkins": ["failed"]}[sample.target.name]
    )


@pytest.mark.slow
@ALL
def test_a_push_that_touches_no_model_starts_no_first_job(sample: Sample) -> None:
    ran = sample.target.push(sample.change("README.md"))
    assert not ran.refused, ran.log
    assert "first" not in ran.done()


@pytest.mark.parametrize("sample", ["github", "jenkins"], indirect=True)
def test_what_a_job_leaves_running_ends_with_it_unless_it_says_otherwise(sample: Sample, tmp_path: Path) -> None:
    sample.target.push(sample.change("models/m.txt"))
    assert wait_until(lambda: [process.cmdline() for process in sleepers(tmp_path)] == [KEPT], timeout_s=10)


@pytest.mark.parametrize(
    ("sample", "old", "new", "word"),
    [
        ("github", "actions/checkout@0123456789012345678901234567890123456789", "actions/checkout@v5", "pinned"),
        ("github", "actions/download-artifact@", "somebody/download@", "stand-in"),
        ("github", "runs-on: ubuntu-24.04", "runs_on: ubuntu-24.04", "runs_on"),
        ("gitlab", "needs: [first]", "needs: [nobody]", "nobody"),
        pytest.param("jenkins", "stash name:", "stach name:", "stach", marks=pytest.mark.slow),
        pytest.param("jenkins", "options {", "option {", "option", marks=pytest.mark.slow),
        ("jenkins", "sh 'echo r-1 > run.txt'", 'sh "echo ${params.WORD} > run.txt"', "Groovy string"),
    ],
    indirect=["sample"],
)
def test_what_a_runner_does_not_know_is_refused(sample: Sample, old: str, new: str, word: str) -> None:
    ran = sample.target.dispatch(sample.edit(old, new).sha, {"word": "usual"})
    assert word in ran.refused, (ran.refused, ran.log)
    assert sample.seen() == []


@ALL
def test_an_input_inside_a_command_would_be_carried_out(sample: Sample) -> None:
    """So that a test which finds no such file means something."""
    unsafe = {
        "github": (
            "        if: inputs.word == 'broken'\n        run: exit 3",
            '        run: echo "${{ inputs.word }}"',
        ),
        "gitlab": ('test "$WORD" != broken', 'eval "echo $WORD"'),
        "jenkins": ("sh 'test \"$WORD\" != broken'", "sh 'eval \"echo $WORD\"'"),
    }
    pushed = sample.edit(*unsafe[sample.target.name])
    ran = sample.target.dispatch(pushed.sha, {"word": "$(touch pwned)"})
    assert (sample.target.checkout / "pwned").exists(), ran.log
