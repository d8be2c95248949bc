"""The demo's workspace: a team's repository in small, made afresh each time, with every command a user would type."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from narration import Narrator
from settings import DemoFailed, Settings, configuration
from started_runs import StartedRuns

EXAMPLE = Path(__file__).resolve().parent.parent
MARKER = ".gatewright-demo"
YEARS = ("2015", "2016")
_QUARTER = timedelta(days=91)
_COPIED = ("training", "data_changes.py", "requirements.txt", "data/schema.yaml", "data/acs/eval-2017.parquet")
_IGNORED = f".gatewright/\n{MARKER}/\n*.parquet\n__pycache__/\n"
_IDENTITY = ("user.name=Demo", "user.email=demo@localhost", "commit.gpgsign=false", "init.defaultBranch=main")
_GATEWRIGHT = str(Path(sys.executable).with_name("gatewright"))
_PARTS = ("gatewright.engine.supervisor", "gatewright.serving.server")
_INTERRUPT_S = 30.0
_LOOK_S = 0.05


class Workspace:
    """A folder with its own git history; commands run in it are shown before they run."""

    def __init__(self, root: Path, narrator: Narrator) -> None:
        self.root = root.resolve()
        self.narrator = narrator
        self.port = 0
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GATEWRIGHT_"))}

    @property
    def summary(self) -> Path:
        """Where the load generator writes what it saw."""
        return self.root / MARKER / "traffic.json"

    def make(self, settings: Settings, *, floor: float | None = None) -> None:
        """Remove the last demo, if this is one, and lay a new repository."""
        self._clear()
        (self.root / MARKER).mkdir(parents=True)
        for name in _COPIED:
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (EXAMPLE / name).is_dir():
                shutil.copytree(EXAMPLE / name, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(EXAMPLE / name, target)
        for year in YEARS:
            self._copy_year(year, settings.every)
        self.port = free_port()
        example = (EXAMPLE / "gatewright.yaml").read_text(encoding="utf-8")
        config = configuration(example, settings, port=self.port, floor=floor)
        (self.root / "gatewright.yaml").write_text(config, encoding="utf-8")
        (self.root / ".gitignore").write_text(_IGNORED, encoding="utf-8")
        self.git("init", "--quiet")

    def gatewright(self, *words: str) -> int:
        """Run `gatewright …` in the workspace with its output shown; returns the exit code."""
        self.narrator.command(shlex.join(("gatewright", *words)))
        return self.run((_GATEWRIGHT, *words))

    def watch(self) -> int:
        """Let `gatewright data watch` start the run of new data, and show what that run says; returns its exit code."""
        words = ("data", "watch", "--once", "--wait")
        self.narrator.command(shlex.join(("gatewright", *words)))
        started = StartedRuns(self.root)
        try:
            code = self.run((_GATEWRIGHT, *words), meanwhile=started.show)
        except BaseException:
            started.interrupt()  # a run outlives the watcher that has started it
            raise
        started.show()
        return code

    def python(self, *words: str) -> None:
        """Run a script of the workspace, which has to succeed."""
        if code := self.run((sys.executable, *words)):
            raise DemoFailed(f"'python {' '.join(words)}' ended with exit code {code}")

    def run(self, argv: Sequence[str], meanwhile: Callable[[], None] = lambda: None) -> int:
        """Run one command to its end. Ctrl-C here is handed on to it once, and waited for."""
        process = subprocess.Popen(argv, cwd=self.root, env=self.env, start_new_session=True)
        try:
            while process.poll() is None:  # not wait(): a signal that another thread takes would not wake it
                time.sleep(_LOOK_S)
                meanwhile()
            return process.returncode
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_INTERRUPT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise

    def must(self, *words: str) -> None:
        """Run `gatewright …`, which has to succeed."""
        code = self.gatewright(*words)
        if code:
            raise DemoFailed(f"'gatewright {' '.join(words)}' ended with exit code {code}")

    def git(self, *words: str) -> None:
        """Run git with an identity of the demo's own, quietly."""
        options = [word for setting in _IDENTITY for word in ("-c", setting)]
        try:
            done = subprocess.run(
                ["git", *options, *words], cwd=self.root, env=self.env, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise DemoFailed(
                "git is needed: a data version is a commit. Install git, then run the demo again"
            ) from None
        if done.returncode:
            raise DemoFailed(f"'git {' '.join(words)}' failed: {done.stderr.strip() or done.stdout.strip()}")

    def commit(self, message: str) -> None:
        """Commit everything, as `git commit -a` of a user would."""
        self.narrator.command(f"git add --all && git commit --message {shlex.quote(message)}")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--message", message)

    def revert(self) -> None:
        """Take the last commit back with a commit."""
        self.narrator.command("git revert HEAD")
        self.git("revert", "--no-edit", "HEAD")

    def set_recipe(self, recipe: str, **hyperparameters: float) -> None:
        """Change the training code."""
        text = json.dumps({"recipe": recipe, **hyperparameters})
        self.narrator.command(f"echo '{text}' > training/recipe.json")
        (self.root / "training" / "recipe.json").write_text(text + "\n", encoding="utf-8")

    def add_evaluation(self) -> None:
        """The rows of 2017 play the last quarter: the evaluation set."""
        self.must("data", "add", "acs-eval", "data/acs/eval-2017.parquet", "--role", "eval", *_told(1))

    def add_training(self, folder: str, years: Sequence[str]) -> None:
        """The rows of 2015 and 2016 play the quarters before; the last of `years` says how new the version is."""
        files = [word for year in years for word in ("--file", f"{year}.parquet")]
        self.must("data", "add", "acs-train", folder, *files, *_told(3 if years[-1] == "2015" else 2, len(years)))

    def records(self) -> list[dict[str, Any]]:
        """The deployment records."""
        done = subprocess.run(
            [_GATEWRIGHT, "records", "--output", "json"], cwd=self.root, env=self.env, capture_output=True, check=False
        )
        if done.returncode:
            raise DemoFailed(f"the records cannot be read: {done.stderr.decode().strip()}")
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def reasons(self, run: str) -> list[str]:
        """Why this run started, as its lock says."""
        lock = self.root / ".gatewright" / "runs" / run / "lock.json"
        found: list[str] = json.loads(lock.read_text(encoding="utf-8"))["reasons"]
        return found

    def stop(self) -> None:
        """Stop the supervisor, also one that was only just starting; nothing of it is left when this returns."""
        deadline = time.monotonic() + 20.0
        while self._serve_stop() and self.processes() and time.monotonic() < deadline:
            time.sleep(0.2)
        for process in (left := self.processes()):
            process.kill()
        psutil.wait_procs(left, timeout=5.0)

    def processes(self) -> list[psutil.Process]:
        """Supervisor, gateway and model servers of this workspace, told by their command lines."""
        gateway = f"{self.root}/.gatewright/gateway/"
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            words = process.info["cmdline"] or []
            here = str(self.root) in words or process.info["cwd"] == str(self.root)
            ours = (here and any(word in _PARTS for word in words)) or any(word.startswith(gateway) for word in words)
            if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def _serve_stop(self) -> bool:
        if not (self.root / "gatewright.yaml").is_file():
            return False
        done = subprocess.run(
            [_GATEWRIGHT, "serve", "stop"],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
        return done.returncode == 0

    def _clear(self) -> None:
        if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
            return
        if not (self.root / MARKER).is_dir():
            raise DemoFailed(f"{self.root} is there already and no workspace of the demo; choose another --workspace")
        self.stop()
        shutil.rmtree(self.root)

    def _copy_year(self, year: str, every: int) -> None:
        name = f"data/acs/{year}.parquet"
        if every == 1:
            shutil.copyfile(EXAMPLE / name, self.root / name)
            return
        import polars as pl

        pl.read_parquet(EXAMPLE / name).gather_every(every).write_parquet(self.root / name)


def _told(quarters_ago: int, quarters: int = 1) -> tuple[str, ...]:
    """Label and time of a data version whose newest rows play the quarter that ended so many quarters ago."""
    end = datetime.now(UTC) - timedelta(days=6) - (quarters_ago - 1) * _QUARTER
    start = end - quarters * _QUARTER
    return "--label", "employed", "--data-from", f"{start:%Y-%m-%d}", "--data-to", f"{end:%Y-%m-%d}"


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
