"""The nursery: it scores as a process of its own does, leaves nothing behind, and is done without when it must be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from gatewright.effects.files import measure_artifact
from gatewright.effects.processes import wait_until
from gatewright.engine.nursery import NurseryProcess
from gatewright.engine.status import orphans
from gatewright.serving import nursery as program
from gatewright.store.processes import NURSERY
from gatewright.workspace import Workspace
from tests.fixtures import asker, toy
from tests.fixtures.live import stray_processes

pytestmark = pytest.mark.xdist_group("nursery")


class Kept:
    """A workspace with its nursery, kept as the supervisor does."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace.open(root)
        self.root = self.workspace.root
        self.process = NurseryProcess(self.root, self.workspace.processes, self.workspace.clock)
        self.until_ready()

    def until_ready(self) -> None:
        def ready() -> bool:
            self.process.look()
            row = self.workspace.processes.get(NURSERY)
            return row is not None and row.ready and row.identity.alive()

        assert wait_until(ready, timeout_s=60), (self.root / ".gatewright" / "logs" / "nursery.log").read_text()

    @property
    def pid(self) -> int:
        row = self.workspace.processes.get(NURSERY)
        assert row is not None
        return row.identity.pid

    def start(self, job: Path, *settings: str) -> subprocess.Popen[str]:
        argv = [sys.executable, asker.__file__, str(self.root), str(job), *settings]
        return subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.root)

    def ask(self, job: Path, *settings: str) -> tuple[Any, list[str]]:
        """How the job ended, and the lines it said."""
        return heard(self.start(job, *settings))

    def log(self) -> str:
        return (self.root / "evaluate.log").read_text()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def until_scoring(self) -> None:
        assert wait_until(lambda: len(self.children()) == 2, timeout_s=20), "no keeper with its child"

    def until_calm(self) -> None:
        assert wait_until(lambda: self.children() == [], timeout_s=20), self.children()


def heard(process: subprocess.Popen[str]) -> tuple[Any, list[str]]:
    out, err = process.communicate(timeout=60)
    assert err == ""
    *lines, last = map(json.loads, out.splitlines())
    return last, lines


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    # Longer than the 108 bytes that the address of a socket may have.
    root = toy.write_project(tmp_path_factory.mktemp("n" * 100) / "project", port=1)
    kept = Kept(root)
    yield kept
    kept.process.end()
    assert stray_processes(kept.root, {os.getpid()}) == []
    assert not (kept.root / ".gatewright" / "nursery" / "socket").exists()


@pytest.fixture(scope="module")
def job(kept: Kept) -> Path:
    """A job that ends at once."""
    folder = kept.root / "model"
    folder.mkdir()
    (folder / "model.skops").write_bytes((kept.root / "training" / "good.skops").read_bytes())
    signature = {
        "format": "skops", "task": "binary", "classes": [0, 1], "example": {"AGE": 40, "SEX": 1, "REGION": 2},
        "inputs": [{"name": name, "datatype": "FP64"} for name in ("AGE", "SEX", "REGION")],
        "outputs": [{"name": "employed", "datatype": "INT64"}],
    }  # fmt: skip
    (folder / "signature.json").write_text(json.dumps(signature))
    model = {"folder": str(folder), "digest": measure_artifact(folder).digest, "answers": None}
    path = kept.root / "job.json"
    words = {
        "candidate": model, "baseline": None, "golden": None, "data": "data/eval.parquet", "id": "id",
        "label": "employed", "keep": ["REGION"], "task": None, "positive": 1, "latency_samples": 299, "seed": 0,
        "allow_code": False, "evaluation_digest": "sha256:e", "cache": "cache", "output": "out",
    }  # fmt: skip
    path.write_text(json.dumps(words))
    return path


@pytest.fixture
def endless(kept: Kept) -> Iterator[Path]:
    """A job that waits for somebody to write into a pipe."""
    path = kept.root / "endless.json"
    os.mkfifo(path)
    yield path
    path.unlink()
    kept.until_calm()


def test_it_scores_as_a_process_of_its_own_does(kept: Kept, job: Path) -> None:
    result, lines = kept.ask(job)
    assert (result["code"], result["ended"]) == (0, "exited")
    in_nursery = pl.read_parquet(kept.root / "out" / "predictions.parquet")
    shutil.rmtree(kept.root / "cache")
    alone = subprocess.run(
        [sys.executable, "-m", "gatewright.serving.scoring", job], cwd=kept.root, check=True, capture_output=True
    )
    assert pl.read_parquet(kept.root / "out" / "predictions.parquet").equals(in_nursery)
    said = [line.split(":")[0].split(" in ")[0] for line in alone.stdout.decode().splitlines()]
    assert [line.split(":")[0].split(" in ")[0] for line in lines] == said
    assert kept.log().splitlines()[-2:] == lines
    kept.until_calm()


def test_only_its_owner_can_reach_it(kept: Kept) -> None:
    folder = kept.root / ".gatewright" / "nursery"
    assert len(str(folder)) > 108
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o600


def test_it_does_not_fork_with_a_second_thread() -> None:
    ending = threading.Event()
    thread = threading.Thread(target=ending.wait)
    thread.start()
    try:
        objection = program._objection({"surroundings": "same"}, "same")
    finally:
        ending.set()
        thread.join()
    assert objection is not None
    assert "and may fork with one only" in objection


def test_an_asker_with_other_variables_is_sent_away(kept: Kept, job: Path) -> None:
    result, _ = kept.ask(job, "OMP_NUM_THREADS=7")
    assert result is None
    assert "not in the nursery: it was loaded in other surroundings" in kept.log()
    kept.process.look()
    assert psutil.Process(kept.pid).is_running()


@pytest.mark.slow
def test_the_askers_other_variables_hold_in_the_child_and_its_signal_is_told(kept: Kept, job: Path) -> None:
    fatal = ("GATEWRIGHT_TESTING=1", "GATEWRIGHT_FAILPOINTS=before-write:predictions.parquet")
    result, _ = kept.ask(job, *fatal)
    assert (result["code"], result["ended"]) == (-signal.SIGKILL, "exited")
    assert kept.ask(job)[0]["code"] == 0


@pytest.mark.slow
def test_a_refused_job_ends_with_its_code_and_its_words(kept: Kept) -> None:
    bad = kept.root / "bad.json"
    bad.write_text("{}")
    result, lines = kept.ask(bad)
    assert result["code"] == 2
    assert "found other fields" in lines[-1]


@pytest.mark.slow
def test_a_job_out_of_time_is_ended(kept: Kept, endless: Path) -> None:
    result, _ = kept.ask(endless, "timeout_s=1")
    assert (result["code"], result["ended"]) == (-signal.SIGKILL, "timeout")
    assert kept.children() == []


@pytest.mark.slow
def test_a_scoring_in_progress_is_no_orphan_and_ends_with_its_asker(kept: Kept, endless: Path) -> None:
    asking = kept.start(endless)
    kept.until_scoring()
    assert orphans(kept.workspace) == []
    asking.kill()
    asking.communicate()
    kept.until_calm()


@pytest.mark.slow
def test_an_interrupt_ends_it_and_is_told_as_one(kept: Kept, endless: Path) -> None:
    asking = kept.start(endless)
    kept.until_scoring()
    asking.send_signal(signal.SIGINT)
    told, _ = heard(asking)
    assert "interrupted" in told["error"]
    assert kept.children() == []


@pytest.mark.slow
def test_a_nursery_that_is_killed_takes_its_child_along_and_comes_back(kept: Kept, endless: Path, job: Path) -> None:
    asking = kept.start(endless)
    kept.until_scoring()
    before, children = kept.pid, kept.children()
    os.kill(before, signal.SIGKILL)
    assert heard(asking)[0] is None
    assert "the nursery ended meanwhile" in kept.log()
    assert wait_until(lambda: not any(child.is_running() for child in children), timeout_s=10)
    kept.until_ready()
    assert kept.pid != before
    assert kept.ask(job)[0]["code"] == 0


@pytest.mark.slow
def test_a_nursery_that_hangs_is_given_up_after_two_seconds(kept: Kept, job: Path) -> None:
    os.kill(kept.pid, signal.SIGSTOP)
    try:
        assert kept.ask(job)[0] is None
    finally:
        os.kill(kept.pid, signal.SIGCONT)
    assert "not in the nursery: it does not answer" in kept.log()
    assert kept.ask(job)[0]["code"] == 0


@pytest.mark.slow
def test_a_nursery_that_is_out_of_date_is_started_anew(kept: Kept, job: Path) -> None:
    before = kept.pid
    (kept.root / "module.py").write_text("")  # it would come before a library of that name
    assert kept.ask(job)[0] is None
    assert wait_until(lambda: gone(kept, before), timeout_s=10)
    kept.until_ready()
    assert kept.ask(job)[0]["code"] == 0


def gone(kept: Kept, pid: int) -> bool:
    kept.process.look()
    return kept.pid != pid


@pytest.mark.slow
def test_it_ends_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    root = toy.write_project(tmp_path / "project", port=1)
    code = (
        "import sys\nfrom pathlib import Path\nfrom gatewright.engine.nursery import NurseryProcess\n"
        "from gatewright.workspace import Workspace\n"
        f"workspace = Workspace.open(Path({str(root)!r}))\n"
        "NurseryProcess(workspace.root, workspace.processes, workspace.clock).look()\nprint('there', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"there\n"
        assert stray_processes(root, {supervisor.pid, os.getpid()}) != []
        supervisor.kill()
    assert wait_until(lambda: stray_processes(root, {os.getpid()}) == [], timeout_s=20)
