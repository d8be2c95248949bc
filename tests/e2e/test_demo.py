"""The demo in its quick form: it comes out as told, fails when an act is played wrongly, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gatewright.effects.processes import wait_until

DEMO = Path(__file__).resolve().parents[2] / "examples" / "employment" / "demo"
LIMIT_S = 200.0
pytestmark = pytest.mark.timeout(LIMIT_S + 20)


class Demo:
    """The demo on a workspace of its own."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "demo"
        self.output = folder / "output.txt"
        self._env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # many short programs: compile them once

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, str(DEMO), "--quick", "--workspace", str(self.workspace), *options]
        with self.output.open("wb") as output:
            return subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, env=self._env)

    def play(self, *options: str) -> int:
        process = self.start(*options)
        try:
            return process.wait(LIMIT_S)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def problems(self) -> list[str]:
        """The checks that did not hold."""
        return [line.strip(" ✘") for line in self.text().splitlines() if line.startswith("  ✘")]

    def processes(self) -> list[str]:
        """Everything that runs in the workspace, or names it."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd"]):
            words = " ".join(process.info["cmdline"] or [])
            if str(self.workspace) in words or (process.info["cwd"] or "").startswith(str(self.workspace)):
                found.append(words or process.name())
        return found


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    assert not demo.processes()


def test_four_acts_come_out_as_told(demo: Demo) -> None:
    assert demo.play() == 0, demo.text()
    text = demo.text()
    for act in (1, 2, 3, 4):
        assert f"Act {act}:" in text
    assert "because data: acs-train" in text
    assert ", 0 failed," in text
    assert "23 of 23 checks hold" in text


def test_a_first_or_second_act_played_wrongly_fails_the_demo_twice_in_a_row_in_one_workspace(demo: Demo) -> None:
    assert demo.play("--acts", "1,2", "--sabotage", "1") == 1, demo.text()
    assert "act 1: the terminal record says promoted" in demo.problems()
    assert demo.play("--acts", "1,2", "--sabotage", "2") == 1, demo.text()
    assert "act 2: the terminal record says promoted" in demo.problems()
    assert not any(problem.startswith("act 1") for problem in demo.problems()), demo.text()


def test_a_third_and_a_fourth_act_played_wrongly_fail_the_demo(demo: Demo) -> None:
    assert demo.play("--acts", "1,3,4", "--sabotage", "3,4") == 1, demo.text()
    problems = demo.problems()
    assert not any(problem.startswith("act 1") for problem in problems), demo.text()
    for expected in (
        "act 3: the slice gate names RAC1P=6",
        "act 3: nothing was registered",
        "act 4: the terminal record says rolled_back",
        "act 4: the digest is quarantined",
    ):
        assert any(problem.startswith(expected) for problem in problems), demo.text()


@pytest.mark.parametrize(
    ("number", "moment", "times"),
    [
        (signal.SIGINT, "► rollout finish", 1),
        pytest.param(signal.SIGTERM, "► train", 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "► train", 2, marks=pytest.mark.slow, id="a run that the watch has started"),
    ],
)
def test_stopped_in_the_middle_it_leaves_no_process(
    demo: Demo, number: signal.Signals, moment: str, times: int
) -> None:
    process = demo.start("--acts", "1,2")
    try:
        assert wait_until(lambda: demo.text().count(moment) >= times or process.poll() is not None, timeout_s=LIMIT_S)
        assert process.poll() is None, demo.text()
        process.send_signal(number)
        assert process.wait(40) == 128 + number, demo.text()
    finally:
        process.kill()
        process.wait()
    assert demo.processes() == []
    assert "nothing is left running" in demo.text()


def test_a_folder_that_is_no_demo_is_not_touched(demo: Demo) -> None:
    demo.workspace.mkdir()
    mine = demo.workspace / "mine.txt"
    mine.write_text("mine")
    assert demo.play() == 2
    assert "no workspace of the demo" in demo.text()
    assert mine.read_text() == "mine"
