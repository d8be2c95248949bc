"""What a CI hands over: options that may be empty, values that may be anything, files for the later jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell

EVIL = ('"; touch pwned; #', "$(touch pwned)", "`touch pwned`", "../../x", "2016\n", "a@b@c", "--help")


@pytest.mark.parametrize("text", EVIL)
def test_a_data_version_that_is_none_is_one_clear_error(shell: Shell, workspace: Path, text: str) -> None:
    told = shell("validate", f"--data-version={text}", "--bootstrap-by", "ada")
    assert told.code == 2
    assert "names no data version" in told.err
    assert "gatewright data list" in told.err
    assert not list(workspace.rglob("pwned"))
    assert not list((workspace / ".gatewright").glob("runs/*"))


def test_a_data_set_of_another_model_is_refused(shell: Shell, workspace: Path) -> None:
    told = shell("validate", "--data-version", "other@2016", "--bootstrap-by", "ada")
    assert told.code == 2
    assert "toy does not work on 'other'" in told.err


def test_an_id_that_is_none_is_refused(shell: Shell, workspace: Path) -> None:
    told = shell("validate", "--run-id", "$(touch pwned)", "--bootstrap-by", "ada")
    assert told.code == 2
    assert "is no id of a run" in told.err


@pytest.mark.usefixtures("workspace")
def test_a_model_that_is_none_is_refused(shell: Shell) -> None:
    told = shell("validate", "--model", '"; touch pwned; #')
    assert told.code == 2
    assert "there is no model" in told.err


@pytest.mark.usefixtures("workspace")
def test_empty_values_were_not_given(shell: Shell) -> None:
    empty = ("--model", "", "--data-version", "", "--run-id", "", "--bootstrap-by", "")
    assert shell("validate", *empty).err == shell("validate").err


def test_the_id_of_an_earlier_run_does_not_stay(shell: Shell, workspace: Path) -> None:
    file = workspace / ".gatewright" / "run.env"
    file.parent.mkdir(exist_ok=True)
    file.write_text("GATEWRIGHT_RUN=before\n", encoding="utf-8")
    assert shell("validate", "--env-file", str(file), "--data-version", "?").code == 2
    assert not file.exists()


def test_a_tick_without_a_rollout_is_fine_when_it_is_asked_so(shell: Shell, workspace: Path) -> None:
    assert shell("rollout", "tick").code == 2
    file = workspace / ".gatewright" / "tick.env"
    told = shell("rollout", "tick", "--if-active", "--env-file", str(file))
    assert (told.code, told.out) == (0, "no rollout is in progress: nothing to do\n")
    assert file.read_text(encoding="utf-8") == "GATEWRIGHT_TERMINAL=false\n"


@pytest.mark.usefixtures("workspace")
def test_stage_6_waits_for_an_end_when_it_is_asked_so(shell: Shell) -> None:
    told = shell("rollout", "finish", "--if-ended", "--run", "")
    assert (told.code, told.out) == (0, "no rollout has ended: nothing to finish\n")
