"""What is wrong, where, what is allowed, what to do; the exit code tells the kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatewright.cli import failures
from gatewright.cli.main import gatewright
from tests.unit.cli.conftest import CONFIG, Shell
from tests.unit.cli.snapshots import assert_snapshot


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("misspelt-command", ("stauts",)),
        ("misspelt-verb", ("rollout", "fnish")),
        ("misspelt-option", ("run", "--resum", "x")),
        ("bad-value", ("run", "--output", "xml")),
        ("missing-argument", ("runs", "show")),
        ("no-such-folder", ("status", "-C", "nowhere")),
        ("gate-of-run-and-file", ("gate", "eval.json", "--run", "x")),
        ("resume-and-bootstrap", ("run", "--resume", "x", "--bootstrap-by", "ada")),
        ("no-config", ("status",)),
        ("no-report", ("gate",)),
        ("no-run", ("runs", "show", "nope")),
    ],
)
def test_nothing_is_there(name: str, words: tuple[str, ...], shell: Shell, empty: Path) -> None:
    told = shell(*words)
    assert (told.code, told.out) == (2, "")
    assert_snapshot(f"errors/{name}", told.err.replace(str(empty), "WORKSPACE"))


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("no-data", ("run",), 2),
        ("run-not-found", ("run", "--resume", "nope"), 2),
        ("no-open-run", ("train",), 2),
        ("supervisor-down", ("serve", "status"), 4),
        ("no-rollout", ("rollout", "tick"), 2),
        ("no-such-gate", ("run", "--skip", "speed"), 2),
    ],
)
def test_a_fresh_workspace(name: str, words: tuple[str, ...], code: int, shell: Shell, workspace: Path) -> None:
    told = shell(*words)
    assert (told.code, told.out) == (code, "")
    assert_snapshot(f"errors/{name}", told.err.replace(str(workspace), "WORKSPACE"))


@pytest.mark.parametrize("text", ["", "model: [\n", "modell: toy\n", CONFIG.replace("y}", "y, metric: f2}")])
def test_a_bad_configuration_names_line_column_and_remedy(text: str, shell: Shell, workspace: Path) -> None:
    (workspace / "gatewright.yaml").write_text(text, encoding="utf-8")
    told = shell("config", "check")
    assert told.code == 2
    assert "gatewright.yaml:1:1" in told.err or "gatewright.yaml:2:1" in told.err or "gatewright.yaml:4:" in told.err
    assert "\n   do: " in told.err
    assert "see: docs/configuration.md (exit 2)" in told.err


@pytest.mark.parametrize(
    "words", [("stauts", "--output", "json"), ("config", "check", "--output=json"), ("rollout", "--output", "json")]
)
def test_an_error_for_programs_is_one_line_of_json(words: tuple[str, ...], shell: Shell, workspace: Path) -> None:
    (workspace / "gatewright.yaml").write_text("modell: toy\n", encoding="utf-8")
    told = shell(*words)
    assert (told.code, told.out) == (2, "")
    document = json.loads(told.err)
    assert document["exit_code"] == 2
    assert document["fix"]
    if document["kind"] == "ConfigError":
        assert {problem["line"] for problem in document["problems"]} == {1}


def test_no_command_shows_the_help(shell: Shell) -> None:
    told = shell("rollout")
    assert told.code == 2
    assert "Usage: gatewright rollout" in told.err


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "data"), 4, "data: Permission denied"),
        (ValueError("odd"), 5, "internal error: ValueError: odd"),
    ],
)
def test_what_ends_a_command(
    raised: BaseException, code: int, words: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(gatewright, "invoke", fail)
    told = shell("status")
    assert told.code == code
    assert words in told.err
    assert "Traceback" not in told.err


def test_every_error_names_a_remedy_even_if_its_author_did_not() -> None:
    error = failures.BadCommand("odd")
    assert failures._document(error)["fix"] == "mend what is named; docs/commands.md says what is allowed"


def test_a_first_deployment_is_asked_about_before_anything_is_trained(shell: Shell, workspace: Path) -> None:
    (workspace / "rows.csv").write_text("id,y\n1,0\n2,1\n", encoding="utf-8")
    for name, role in (("toy-train", "train"), ("toy-eval", "eval")):
        assert shell("data", "add", name, "rows.csv", "--role", role, "--data-to", "2026-03-14").code == 0
    told = shell("run")
    assert (told.code, told.out) == (2, "")
    assert_snapshot("errors/first-deployment", told.err)
    assert shell("runs", "list").out == "no run yet: gatewright run\n"
    assert json.loads(shell("run", "--output", "json").err)["fix"].endswith("--bootstrap-by NAME")
