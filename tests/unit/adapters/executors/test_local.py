"""LocalExecutor: output, codes, time limits, and above all: nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest

from gatewright.adapters.executors.local import LocalExecutor, Options
from gatewright.domain.errors import Interrupted, WorldFailed
from gatewright.effects.processes import wait_until
from gatewright.ports import Context, Job

SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
# Forks, leaves the session, forks again and lets the middle process end: the classic daemon.
DAEMON = f"""
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.closerange(0, 3)
        os.execv(sys.executable, [sys.executable, "-c", {STUBBORN!r}, MARK])
    os._exit(0)
os.wait()
"""


class Lines:
    """A Progress that keeps what it is told."""

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self.lines: list[str] = []
        self._on_line = on_line

    def line(self, text: str) -> None:
        self.lines.append(text)
        if self._on_line:
            self._on_line(text)

    def stage(self, name: str, state: str, note: str = "") -> None: ...

    def waiting(self, what: str) -> None: ...

    def warning(self, text: str) -> None: ...


@pytest.fixture
def mark() -> str:
    """A word on the command line by which a test finds the processes it caused."""
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture
def executor(tmp_path: Path) -> LocalExecutor:
    return LocalExecutor(Options(), cast("Context", SimpleNamespace(root=tmp_path)))


def living(mark: str) -> list[int]:
    """Pids of processes with `mark` on their command line, zombies left out."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if mark in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def job(tmp_path: Path, code: str, *arguments: str, timeout_s: float = 30.0, **env: str) -> Job:
    argv = (sys.executable, "-c", textwrap.dedent(code), *arguments)
    return Job(argv=argv, cwd=tmp_path, log=tmp_path / "logs" / "job.log", timeout_s=timeout_s, env=env)


def test_output_goes_to_the_log_and_line_by_line_to_the_progress(executor: LocalExecutor, tmp_path: Path) -> None:
    progress = Lines()
    code = "import sys; print('one'); print('two', file=sys.stderr); print('é', end='')"
    result = executor.run(job(tmp_path, code, PYTHONUNBUFFERED="1", PYTHONUTF8="1"), progress)
    assert (result.code, result.ended) == (0, "exited")
    assert progress.lines == ["one", "two", "é"]
    assert (tmp_path / "logs" / "job.log").read_text(encoding="utf-8") == "one\ntwo\né"


def test_lines_arrive_while_the_command_runs(executor: LocalExecutor, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    code = """
        import pathlib, sys, time
        print("ready", flush=True)
        while not pathlib.Path("answer").exists():
            time.sleep(0.01)
    """
    progress = Lines(on_line=lambda _: answer.touch())
    assert executor.run(job(tmp_path, code), progress).code == 0


def test_a_progress_bar_is_lines_and_an_endless_line_is_cut(executor: LocalExecutor, tmp_path: Path) -> None:
    progress = Lines()
    code = "import sys; sys.stdout.write('10%\\r20%\\r\\n' + 'x' * 200_000)"
    executor.run(job(tmp_path, code), progress)
    assert progress.lines[:2] == ["10%", "20%"]
    assert "".join(progress.lines[2:]) == "x" * 200_000
    assert len(progress.lines) > 3


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("import os, signal; os.killpg(0, signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_the_code_is_the_command_s_own(executor: LocalExecutor, tmp_path: Path, code: str, expected: int) -> None:
    result = executor.run(job(tmp_path, code), Lines())
    assert (result.code, result.ended) == (expected, "exited")


def test_the_command_sees_its_environment_and_our_interpreter(executor: LocalExecutor, tmp_path: Path) -> None:
    progress = Lines()
    argv = ("python", "-c", "import os, sys; print(os.environ['SEED'], os.getcwd()); print(sys.prefix)")
    result = executor.run(Job(argv=argv, cwd=tmp_path, log=tmp_path / "log", timeout_s=30, env={"SEED": "7"}), progress)
    assert result.code == 0
    assert progress.lines == [f"7 {tmp_path}", sys.prefix]


@pytest.mark.parametrize("program", ["no-such-program", "./no-such-program"])
def test_a_missing_program_is_told(executor: LocalExecutor, tmp_path: Path, program: str) -> None:
    with pytest.raises(WorldFailed, match="no-such-program"):
        executor.run(Job(argv=(program,), cwd=tmp_path, log=tmp_path / "log", timeout_s=5), Lines())


def test_a_program_below_the_workspace_is_found_there(executor: LocalExecutor, tmp_path: Path) -> None:
    script = tmp_path / "train.sh"
    script.write_text("#!/bin/sh\necho trained\n", encoding="utf-8")
    script.chmod(0o755)
    progress = Lines()
    executor.run(Job(argv=("./train.sh",), cwd=tmp_path, log=tmp_path / "log", timeout_s=5), progress)
    assert progress.lines == ["trained"]


def test_a_log_that_cannot_be_written_is_told(executor: LocalExecutor, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(WorldFailed, match=r"cannot write .*job\.log"):
        executor.run(job(tmp_path, "print(1)"), Lines())


def test_the_time_limit_ends_a_stubborn_command_and_its_children(
    executor: LocalExecutor, tmp_path: Path, mark: str
) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}, sys.argv[1]])"
    result = executor.run(job(tmp_path, code, mark, timeout_s=1.0), Lines())
    assert result.ended == "timeout"
    assert result.code == -signal.SIGKILL
    assert result.seconds < 10
    assert living(mark) == []


def test_what_a_finished_command_left_running_is_ended(executor: LocalExecutor, tmp_path: Path, mark: str) -> None:
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}, sys.argv[1]]); print('done')"
    progress = Lines()
    result = executor.run(job(tmp_path, code, mark), progress)
    assert (result.code, result.ended, progress.lines) == (0, "exited", ["done"])
    assert living(mark) == []


def test_a_daemon_that_left_the_session_and_ignores_sigterm_is_ended(
    executor: LocalExecutor, tmp_path: Path, mark: str
) -> None:
    code = DAEMON.replace("MARK", repr(mark)) + "print('started')\n"
    progress = Lines()
    result = executor.run(job(tmp_path, code), progress)
    assert (result.code, progress.lines) == (0, ["started"])
    assert living(mark) == []


def test_ctrl_c_ends_the_tree_and_is_told_as_interrupted(executor: LocalExecutor, tmp_path: Path, mark: str) -> None:
    code = DAEMON.replace("MARK", repr(mark)) + f"print('started', flush=True)\n{SLEEP}\n"
    main = threading.main_thread().ident
    assert main is not None
    progress = Lines(on_line=lambda _: signal.pthread_kill(main, signal.SIGINT))
    with pytest.raises(Interrupted):
        executor.run(job(tmp_path, code, mark), progress)
    assert living(mark) == []


def test_nothing_survives_when_we_are_killed(tmp_path: Path, mark: str) -> None:
    """SIGKILL of the process that runs the executor: the keeper ends the job by itself."""
    code = DAEMON.replace("MARK", repr(mark)) + f"print('started', flush=True)\n{SLEEP}\n"
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom gatewright.effects.commands import run_streaming\n"
        f"run_streaming([sys.executable, '-c', {code!r}, {mark!r}], cwd=Path('.'), env={{}}, log=Path('log'),\n"
        "              timeout_s=60, on_line=lambda line: print(line, flush=True), grace_s=0.2)\n",
        encoding="utf-8",
    )
    runner = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, stdout=subprocess.PIPE)
    assert runner.stdout is not None
    assert runner.stdout.readline() == b"started\n"
    assert wait_until(lambda: len(living(mark)) >= 2, timeout_s=10)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    runner.stdout.close()
    assert wait_until(lambda: living(mark) == [], timeout_s=15)


def test_a_killed_keeper_takes_its_session_with_it(executor: LocalExecutor, tmp_path: Path, mark: str) -> None:
    code = f"import os; print(os.getppid(), flush=True)\n{SLEEP}"
    progress = Lines(on_line=lambda text: os.kill(int(text), signal.SIGKILL))
    result = executor.run(job(tmp_path, code, mark), progress)
    assert result.code == -signal.SIGKILL
    assert living(mark) == []
