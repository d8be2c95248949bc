"""How output looks: tables, long lines, closed pipes, progress in a log and on a terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import click
import pytest

from gatewright.cli import output, render
from gatewright.cli.output import fit, span, table, wrapped
from gatewright.cli.render import Live, Plain, Quiet, progress_for
from tests.unit.cli.snapshots import assert_snapshot

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (65, "1 min 05 s"), (3599.6, "1 h 00 min"), (86400, "24 h 00 min")],
)
def test_spans_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_tables_align_and_lose_no_word_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    table([("a", "1", "x" * 300), ("long", "22", "")], head=("NAME", "N", "WHY"), indent="  ", name="t")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["t NAME  N   WHY", f"  a     1   {'x' * 300}", "  long  22"]


def test_on_a_terminal_the_last_column_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "terminal_width", lambda: 40)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert fit("x" * 50, used=10) == "x" * 29 + "…"
    assert fit("first\nsecond", used=10) == "first"


def test_long_warnings_hang() -> None:
    lines = wrapped("word " * 60, first="  ! ", rest="    ").splitlines()
    assert lines[0].startswith("  ! word")
    assert all(line.startswith("    word") and len(line) <= 120 for line in lines[1:])


def test_a_reader_that_leaves_does_not_end_the_work() -> None:
    code = (
        "import sys\nfrom gatewright.cli.output import say\nsys.stdin.read()\n"
        "for _ in range(3): say('x' * 100_000)\nsys.stderr.write('done')"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert worker.stdout is not None
    worker.stdout.close()
    worker.stdout = None
    _, said = worker.communicate(timeout=60)
    assert (worker.returncode, said) == (0, b"done")


def test_an_old_locale_loses_a_mark_not_the_command() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    code = "import sys; sys.argv[1:] = ['gate', '→.json']\nfrom gatewright.cli.main import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ?.json does not exist")


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    ticking = Ticking()
    monkeypatch.setattr(render, "time", ticking)
    return ticking


def a_run(progress: Plain, clock: Ticking) -> None:
    progress.stage("validate", "skipped", "proven done")
    progress.stage("train", "started")
    progress.line("epoch 1\repoch 2\n")
    clock.now += 61
    progress.stage("train", "passed", "model dba926510592 in 60.9 s")
    progress.stage("gate", "started")
    progress.warning("dependencies were NOT audited: " + "the service could not be reached; " * 5)
    progress.warning("dependencies were NOT audited: " + "the service could not be reached; " * 5)
    progress.stage("gate", "passed", "overall pass, slices pass, fairness pass, latency pass")
    progress.stage("canary", "started")
    for second in range(3600):
        clock.now += 1
        progress.waiting(f"progressing at 5 %: hold {second} of 3600 s")
    progress.waiting("progressing at 25 %: hold 0 of 3600 s")
    progress.stage("canary", "failed", "rolled back: errors: the canary fails 4.00% of its requests\nand more")


def test_a_run_in_a_log(clock: Ticking, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(Plain(), clock)
    assert_snapshot("progress/log", capsys.readouterr().out)


def test_a_run_for_programs(clock: Ticking, capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_for("json")
    assert isinstance(progress, Quiet)
    progress.stage("train", "started")
    progress.waiting("this")
    progress.line("that")
    progress.warning("mind")
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err) == {"warning": "mind"}


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Within a test: pytest puts its own standard output back after each fixture."""
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(render, "terminal_width", lambda: 80)
    return screen


def test_on_a_terminal_a_live_line_comes_and_goes(clock: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, live = on_terminal(monkeypatch), Live()
    live.stage("canary", "started")
    live.waiting("progressing at 5 %: hold 0 of 8 s, " + "much more to wait for " * 9)
    live.waiting("progressing at 25 %: healthy")
    live.line("a line stays")
    live.stage("canary", "passed", "healthy")
    live.close()
    text = screen.getvalue()
    assert "canary  0.0 s" in text
    assert text.count(HIDE) == text.count(SHOW) == 1
    assert "progressing at 25 %: healthy" in text
    assert text.index("    | a line stays\n") < text.index("✔")
    assert click.unstyle(text).rstrip().endswith("0.0 s  healthy")


def test_the_live_line_ends_with_the_command(clock: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_terminal(monkeypatch)
    with click.Context(click.Command("run")):
        progress_for("text").stage("canary", "started")
    assert screen.getvalue().count(HIDE) == screen.getvalue().count(SHOW) == 1
