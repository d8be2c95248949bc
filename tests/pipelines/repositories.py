"""A team's repository in small: an origin that the CI reads, a desk where somebody commits, data of the ACS example."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from tests.fixtures.repository import git

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "employment"
EVERY = 6
"""Of the training rows every sixth is used: a pipeline is looked at here, not a model."""
_IGNORED = ".gatewright/\n__pycache__/\n*.py[cod]\n"
_ROLLOUT = {
    "steps": [{"weight": 50, "hold": "1s"}],
    "tick": "1s",
    "lease": "60s",
    "min_requests": 30,
    "max_extension": "90s",
    "errors": {"rollback_margin": 0.1, "promote_margin": 0.3},
    "latency": {"rollback_margin": 0.4, "promote_margin": 0.5},
    "breaker": {"max_error_share": 0.2, "tick": "1s"},
}
_CI = {
    "install": [],
    "schedule": {"watch": "none", "refresh": "none"},
    "runners": {"default": ["ubuntu-24.04"], "deploy": ["self-hosted", "gatewright"]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What an event says of a push: the commits before and after it."""

    before: str
    sha: str


class Team:
    """`desk` is a clone in which the team works; what it pushes is in `origin`, a bare repository."""

    def __init__(self, folder: Path) -> None:
        self.origin = folder / "origin.git"
        self.desk = folder / "desk"
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet", "--bare", str(self.origin))
        git(folder, "clone", "--quiet", str(self.origin), str(self.desk))
        git(self.desk, "checkout", "--quiet", "-B", "main")

    def copied_to(self, folder: Path) -> Team:
        """The same repository once more, with an origin of its own."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.origin.parent, folder)
        copy = Team.__new__(Team)
        copy.origin, copy.desk = folder / "origin.git", folder / "desk"
        git(copy.desk, "remote", "set-url", "origin", str(copy.origin))
        return copy

    def head(self) -> Push:
        """The newest commit as a push of its own."""
        sha = git(self.desk, "rev-parse", "HEAD").strip()
        parents = git(self.desk, "rev-parse", "HEAD^@").split()
        return Push(before=parents[0] if parents else "", sha=sha)

    def run(self, *words: str) -> None:
        """A `gatewright` command of somebody of the team, which has to succeed."""
        program = Path(sys.executable).with_name("gatewright")
        done = subprocess.run([str(program), *words], cwd=self.desk, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def found(self, port: int, ci: Mapping[str, Any] | None = None) -> None:
        """The first model, two data versions and the pipelines generated for all three CI systems, pushed."""
        self.fill(port, ci)
        self.run("data", "add", "acs-eval", "data/acs/eval-2017.parquet", "--role", "eval", "--label", "employed")
        self.add_training("2015")
        for target in ("github", "gitlab", "jenkins"):
            self.run("ci", "generate", "--target", target)
        self.push("The first model: logistic regression on 2015")

    def add_training(self, *years: str) -> None:
        """A version of the training data from the rows of these years."""
        files = [word for year in years for word in ("--file", f"{year}.parquet")]
        self.run("data", "add", "acs-train", "data/acs", *files, "--label", "employed")

    def fill(self, port: int, ci: Mapping[str, Any] | None = None) -> None:
        """The files of the example, few rows of training data, and a configuration that ends within seconds."""
        shutil.copytree(EXAMPLE / "training", self.desk / "training", ignore=shutil.ignore_patterns("__pycache__"))
        (self.desk / "data" / "acs").mkdir(parents=True)
        shutil.copyfile(EXAMPLE / "data" / "schema.yaml", self.desk / "data" / "schema.yaml")
        shutil.copyfile(EXAMPLE / "requirements.txt", self.desk / "requirements.txt")
        for name in ("2015", "2016", "eval-2017"):
            rows = pl.read_parquet(EXAMPLE / "data" / "acs" / f"{name}.parquet")
            chosen = rows if name.startswith("eval") else rows.gather_every(EVERY)
            chosen.write_parquet(self.desk / "data" / "acs" / f"{name}.parquet")
        (self.desk / ".gitignore").write_text(_IGNORED, encoding="utf-8")
        self.configure(port, ci)

    def configure(self, port: int, ci: Mapping[str, Any] | None = None) -> None:
        """gatewright.yaml of the example, with short holds and the section `ci`."""
        project = yaml.safe_load((EXAMPLE / "gatewright.yaml").read_text(encoding="utf-8"))
        project["checks"]["dependencies"] = "none"
        project["evaluation"]["latency_samples"] = 300
        project["serving"]["port"] = port
        project["rollout"] = _ROLLOUT
        project["ci"] = {**_CI, **(ci or {})}
        text = yaml.safe_dump(project, sort_keys=False)
        (self.desk / "gatewright.yaml").write_text(text, encoding="utf-8")

    def set_recipe(self, recipe: str, **hyperparameters: float) -> None:
        """Change the training code."""
        text = json.dumps({"recipe": recipe, **hyperparameters})
        (self.desk / "training" / "recipe.json").write_text(text + "\n", encoding="utf-8")

    def push(self, message: str) -> Push:
        """Commit everything on the desk, and push it."""
        git(self.desk, "add", "--all")
        git(self.desk, "commit", "--quiet", "--no-verify", "--message", message)
        git(self.desk, "push", "--quiet", "origin", "main")
        return self.head()
