"""Nothing that a person, an event or a configuration says can become a part of a command."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewright.ci.actions import ACTIONS
from gatewright.ci.groovy import quoted
from gatewright.ci.pipeline import Var, shell
from tests.pipelines.combinations import COMBINATIONS, files, parsed, pipeline

EVIL = ('"; touch pwned; #', "$(touch pwned)", "`touch pwned`", "a\nb", "${{ x }}", "'", "\\")


@pytest.fixture(params=COMBINATIONS)
def name(request: pytest.FixtureRequest) -> str:
    """A combination of options."""
    return str(request.param)


def workflows(name: str) -> Iterator[dict[str, Any]]:
    yield from parsed("github", name).values()


def test_no_run_of_a_workflow_holds_an_expression(name: str) -> None:
    for workflow in workflows(name):
        for job in workflow["jobs"].values():
            assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


def test_every_job_of_a_workflow_has_least_rights_and_a_limit(name: str) -> None:
    for workflow in workflows(name):
        assert workflow["permissions"] == {}
        assert "concurrency" in workflow
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] >= 1
            assert set(job["permissions"]) <= {"contents", "id-token", "pull-requests", "deployments"}
            checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
            assert [step["with"]["persist-credentials"] for step in checkouts] == [False]


def test_every_action_is_pinned_by_its_commit(name: str) -> None:
    known = {f"{action.use}  # {action.version}" for action in ACTIONS}
    for text in files("github", name).values():
        used = re.findall(r"uses: (\S.*)$", text, re.MULTILINE)
        assert used
        assert set(used) <= known
    assert all(re.fullmatch(r"[0-9a-f]{40}", action.sha) for action in ACTIONS)


def test_what_deploys_is_never_cancelled_and_never_for_a_pull_request(name: str) -> None:
    for workflow in workflows(name):
        cancels = workflow["concurrency"]["cancel-in-progress"]
        assert cancels in (False, "${{ github.event_name == 'pull_request' }}")
        for job in ("register", "canary"):
            if job in workflow["jobs"]:
                assert workflow["jobs"][job]["if"].startswith(
                    "${{ github.event_name != 'pull_request' && github.ref =="
                )


def test_changes_of_gitlab_never_stand_without_the_event(name: str) -> None:
    (jobs,) = parsed("gitlab", name).values()
    rules = [rule for job in jobs.values() if isinstance(job, dict) for rule in job.get("rules", ())]
    assert rules
    assert all("$CI_PIPELINE_SOURCE ==" in rule["if"] for rule in rules if "changes" in rule)


def test_groovy_has_no_string_in_which_something_is_replaced(name: str) -> None:
    (text,) = files("jenkins", name).values()
    code = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    assert '"' not in re.sub(r"'(?:\\.|[^'\\])*'", "", code)
    assert "$" not in re.sub(r"'(?:\\.|[^'\\])*'", "", code)


def test_every_variable_reaches_a_shell_between_double_quotes(name: str) -> None:
    found = pipeline(name)
    for job in (*found.jobs, *found.scheduled):
        for command in job.commands:
            line = shell(command)
            for word in command:
                if isinstance(word, Var):
                    assert f' "${word.name}"' in line


@pytest.mark.parametrize("word", EVIL)
def test_a_word_stays_one_word_in_a_shell(tmp_path: Path, word: str) -> None:
    line = shell(("printf", "%s|", word, Var("SAID")))
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env={"SAID": word}, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{word}|{word}|"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", EVIL)
def test_a_groovy_string_ends_where_it_should(word: str) -> None:
    inside = quoted(word)[1:-1]
    assert "\n" not in inside
    assert re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), inside) == word
    assert not re.search(r"(?<!\\)(?:\\\\)*'", inside)
