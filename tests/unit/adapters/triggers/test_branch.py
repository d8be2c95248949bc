"""The branch for a pull request: pushed once, and nothing of the user's is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.triggers.branch import BranchTrigger, Options
from gatewright.domain.errors import StartFailed, UnusableInput
from tests.fixtures.repository import git
from tests.unit.adapters.triggers.conftest import ORDER, POINTER

BRANCH = "gatewright/data/people-2026-06-30-0123abcd"


@pytest.fixture
def changed(root: Path) -> Path:
    """A pointer that the upstream has not, beside work of the user that is staged, changed and new."""
    (root / POINTER).write_text("name: other people\n", encoding="utf-8")
    (root / "mine.txt").write_text("staged\n", encoding="utf-8")
    git(root, "add", "mine.txt")
    (root / "mine.txt").write_text("changed\n", encoding="utf-8")
    (root / "new.txt").write_text("new\n", encoding="utf-8")
    return root


def test_the_pointer_is_pushed_on_the_upstream_and_nothing_else(changed: Path, context: Any) -> None:
    before = git(changed, "status", "--porcelain"), git(changed, "branch", "--all"), git(changed, "stash", "list")
    started = BranchTrigger(Options(), context).start(ORDER)
    assert f"gh pr create --head {BRANCH}" in started.what
    assert started.place == BRANCH
    after = git(changed, "status", "--porcelain"), git(changed, "branch", "--all"), git(changed, "stash", "list")
    assert [after[0], after[2]] == [before[0], before[2]]
    assert BRANCH not in git(changed, "branch")
    origin = changed.parents[2] / "origin.git"
    assert git(origin, "show", "--name-only", "--format=%s|%b|%an", BRANCH).split("\n\n") == [
        f"Data: people 2026-06-30-0123abcd|{ORDER.reason}",
        f"Run: {ORDER.run}\n|gatewright",
        f"models/toy/{POINTER}\n",
    ]
    assert git(origin, "rev-parse", f"{BRANCH}^") == git(origin, "rev-parse", "main")
    assert git(origin, "show", f"{BRANCH}:models/toy/{POINTER}") == "name: other people\n"


def test_a_second_push_finds_the_first(changed: Path, context: Any) -> None:
    trigger = BranchTrigger(Options(), context)
    trigger.start(ORDER)
    origin = changed.parents[2] / "origin.git"
    first = git(origin, "rev-parse", BRANCH)
    assert "was pushed before" in trigger.start(ORDER).what
    assert git(origin, "rev-parse", BRANCH) == first


def test_a_branch_with_another_pointer_is_left_alone(changed: Path, context: Any) -> None:
    trigger = BranchTrigger(Options(), context)
    trigger.start(ORDER)
    (changed / POINTER).write_text("name: third people\n", encoding="utf-8")
    with pytest.raises(StartFailed, match="holds another"):
        trigger.start(ORDER)


def test_what_the_upstream_has_needs_no_branch(root: Path, context: Any) -> None:
    assert "already" in BranchTrigger(Options(), context).start(ORDER).what
    assert BRANCH not in git(root, "ls-remote", "--heads", "origin")


def test_a_remote_that_refuses_is_tried_again(changed: Path, context: Any) -> None:
    hook = changed.parents[2] / "origin.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    with pytest.raises(StartFailed, match="git push failed") as failed:
        BranchTrigger(Options(), context).start(ORDER)
    assert failed.value.again


@pytest.mark.usefixtures("changed")
def test_a_remote_that_is_not_there(context: Any) -> None:
    with pytest.raises(StartFailed, match="git ls-remote failed"):
        BranchTrigger(Options(remote="nowhere"), context).start(ORDER)


@pytest.mark.parametrize(
    "version", ["people@../../heads/main", "people@2026-06-30-0123abcd;x", "-x@2026-06-30-0123abcd"]
)
@pytest.mark.usefixtures("changed")
def test_no_version_can_name_another_branch(context: Any, version: str) -> None:
    with pytest.raises(UnusableInput, match="no data version"):
        BranchTrigger(Options(), context).start(replace(ORDER, data_version=version))
