"""`gatewright report` in every form."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gatewright.store.runs import Runs
from tests.unit.cli.conftest import Shell
from tests.unit.cli.snapshots import assert_snapshot
from tests.unit.web.judgements import handoffs


@pytest.fixture
def run(workspace: Path) -> str:
    folder = Runs(workspace / ".gatewright" / "runs").create("r1")
    for name, handoff in handoffs().items():
        folder.write(name, handoff)
    return "r1"


def test_text(shell: Shell, run: str) -> None:
    assert_snapshot("views/report-text", shell("report", run, "--format", "text").out)


def test_markdown_is_the_default(shell: Shell, run: str) -> None:
    told = shell("report")
    assert told.code == 0
    assert told.out.startswith("# toy: open\n")
    assert told.out == shell("report", run, "--format", "markdown").out


def test_json_by_both_names(shell: Shell, run: str) -> None:
    told = shell("report", run, "--output", "json").out
    assert told == shell("report", run, "--format", "json").out
    assert json.loads(told)["handoffs"]["verdict"]["body"]["verdict"] == "fail"


def test_html_and_junit(shell: Shell, run: str) -> None:
    assert shell("report", run, "--format", "html").out.startswith("<!DOCTYPE html>")
    assert ET.fromstring(shell("report", run, "--format", "junit").out).tag == "testsuites"


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json", "junit"])
def test_a_file_holds_what_would_have_been_printed(form: str, shell: Shell, run: str, tmp_path: Path) -> None:
    printed = shell("report", run, "--format", form).out
    told = shell("report", run, "--format", form, "--file", "below/report")
    assert (told.code, told.out) == (0, "")
    assert (tmp_path / "below" / "report").read_text(encoding="utf-8") == printed


def test_a_verdict_that_cannot_be_read_is_unusable(shell: Shell, workspace: Path) -> None:
    folder = Runs(workspace / ".gatewright" / "runs").create("r1")
    found = handoffs()
    folder.write("lock", found["lock"])
    folder.write("verdict", type(found["verdict"])(
        run="r1", stage="gate", status="passed", started_at=found["lock"].started_at,
        ended_at=found["lock"].ended_at, body={"verdict": "maybe", "results": []},
    ))  # fmt: skip
    told = shell("report", "r1")
    assert told.code == 2
    assert "verdict: is 'maybe'; allowed: pass, fail, inconclusive" in told.err


def test_no_run_yet(shell: Shell, workspace: Path) -> None:
    assert shell("report", "--format", "html").code == 2
