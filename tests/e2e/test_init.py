"""`gatewright init` as a person types it, and the first run after it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.fixtures.ports import free_port
from tests.fixtures.scratch import onnx_repository, reporting_repository, sklearn_repository

GATEWRIGHT = str(Path(sys.executable).with_name("gatewright"))


def gatewright(root: Path, *words: str, limit_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWRIGHT_")}
    return subprocess.run(
        [GATEWRIGHT, *words], cwd=root, env=environment, text=True, capture_output=True, timeout=limit_s, check=False
    )


def well(root: Path, *words: str) -> str:
    done = gatewright(root, *words)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def on_a_free_port(root: Path) -> None:
    with (root / "gatewright.yaml").open("a") as file:
        file.write(f"\nserving: {{kind: envoy, port: {free_port()}}}\n")


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, and again if it came in the moment before `input` waits, in which Python does not notice it."""
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return


def test_ctrl_c_at_a_real_terminal_leaves_nothing(tmp_path: Path) -> None:
    root = sklearn_repository(tmp_path / "shop")
    before = sorted(path for path in root.rglob("*") if ".git/" not in str(path))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [GATEWRIGHT, "init"], cwd=root, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    asked = process.stderr.readline().decode()
    interrupt(process)
    _, rest = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert "The model's name?" in asked
    assert process.returncode == 130, rest
    assert sorted(path for path in root.rglob("*") if ".git/" not in str(path)) == before


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["example", "onnx"])
def test_a_first_run_reaches_production(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "shop"
    if kind == "onnx":
        onnx_repository(root)
    else:
        root.mkdir()
    well(root, "init", "--yes", *(["--example"] if kind == "example" else []))
    on_a_free_port(root)
    try:
        run = gatewright(root, "run", "--bootstrap-by", "ada", limit_s=240.0)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "promoted: all traffic is on the new version, read back" in run.stdout
    finally:
        gatewright(root, "serve", "stop")


def test_the_job_that_init_writes_for_a_report_passes_and_fails_as_the_report_does(tmp_path: Path) -> None:
    root = reporting_repository(tmp_path / "shop")
    well(root, "init", "--yes", "--target", "gitlab")
    job = yaml.safe_load((root / ".gitlab-ci.yml").read_text())["gate"]
    path = f"{Path(GATEWRIGHT).parent}{os.pathsep}{os.environ['PATH']}"

    def ran() -> int:
        words = ["bash", "-e", "-c", "\n".join(job["script"])]
        done = subprocess.run(words, cwd=root, env={**os.environ, "PATH": path}, capture_output=True, check=False)
        return done.returncode

    assert ran() == 2  # nothing to compare with yet
    (root / "baselines").mkdir()
    (root / "baselines" / "production.json").write_bytes((root / "eval.json").read_bytes())
    assert ran() == 0
    script = root / "evaluate.py"
    script.write_text(script.read_text().replace("> 90", "> 110"))
    assert ran() == 1
