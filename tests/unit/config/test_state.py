"""The section `state:`: names that git takes, one state for all models, and no word of another kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.config.project import read_configuration
from gatewright.domain.errors import ConfigError
from gatewright.domain.state import StateSection
from tests.unit.config.installed import Installed, complete_example, told
from tests.unit.config.test_models import TWO, written

BEFORE = "state: {kind: local}\n"


def with_state(section: str) -> str:
    text = complete_example()
    assert BEFORE in text
    return text.replace(BEFORE, f"state: {section}\n")


def test_without_it_the_state_is_of_this_machine(tmp_path: Path) -> None:
    (project,) = read_configuration(
        written(tmp_path, complete_example().replace(BEFORE, "")), Installed()
    ).projects.values()
    assert project.state == StateSection(kind="local")


@pytest.mark.parametrize(
    "section",
    ["{kind: git}", "{kind: git, remote: upstream, ref: refs/heads/gatewright-state, keep: 3, timeout: 5s}"],
)
def test_a_ref_of_a_remote_is_taken(section: str, tmp_path: Path) -> None:
    assert told(tmp_path, with_state(section)) == []


@pytest.mark.parametrize(
    ("section", "field", "what"),
    [
        ("{kind: git, remote: --upload-pack=sh}", "state.remote", "not the name of a remote"),
        ('{kind: git, remote: "https://user:secret@host/x"}', "state.remote", "not the name of a remote"),
        ("{kind: git, ref: main}", "state.ref", "not a ref of its own"),
        ("{kind: git, ref: refs/tags/state}", "state.ref", "not a ref of its own"),
        ("{kind: git, ref: refs/gatewright/../heads/main}", "state.ref", "not a ref of its own"),
        ("{kind: git, ref: 'refs/a/b:refs/heads/main'}", "state.ref", "not a ref of its own"),
        ("{kind: git, keep: 0}", "state.keep", "0"),
        ("{kind: local, remote: origin}", "state.remote", "belongs to kind: git"),
        ("{ref: refs/gatewright/state}", "state.ref", "belongs to kind: git"),
        ("{kind: gti}", "state.kind", "git"),
        ("{kind: git, branch: x}", "state", "unknown word"),
    ],
)
def test_what_git_could_misunderstand_is_refused(section: str, field: str, what: str, tmp_path: Path) -> None:
    (problem,) = told(tmp_path, with_state(section))
    assert f" {field}" in problem
    assert what in problem


def test_models_share_one_state(tmp_path: Path) -> None:
    both = read_configuration(written(tmp_path, f"state: {{kind: git}}\n{TWO}"), Installed()).projects
    assert {project.state.kind for project in both.values()} == {"git"}
    with pytest.raises(ConfigError) as caught:
        read_configuration(written(tmp_path, f"{TWO}    state: {{kind: git}}\n"), Installed())
    (problem,) = caught.value.problems
    assert problem.field == "models.income.state"
    assert "all share one state" in problem.what
