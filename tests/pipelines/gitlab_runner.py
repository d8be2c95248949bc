"""GitLab in small: gitlab-ci-local reads .gitlab-ci.yml and runs its jobs in a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.fixtures.repository import git
from tests.pipelines.node import install
from tests.pipelines.recording import Recording
from tests.pipelines.repositories import Push
from tests.pipelines.targets import LIMIT_S, Ran

PROGRAM = install.PROGRAMS / "gitlab-ci-local"
_ENDED = re.compile(r"^\s*(PASS|FAIL|WARN)\s+(\S.*?)\s*$", re.MULTILINE)
_RESULTS = {"PASS": "success", "WARN": "success", "FAIL": "failure"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STATE = ".gitlab-ci-local"
_CLEAN = re.compile(r"""GIT_CLEAN_FLAGS: ["']?([^"'\n]*)""")


class Gitlab:
    """One runner with the shell executor.

    `isolated`: each job gets the tracked files alone, in a folder of its own, and artifacts are all that goes on.
    Without, the jobs share the runner's build folder, as they do where it fetches and does not clean.
    """

    name = "gitlab"
    files = (".gitlab-ci.yml",)

    def __init__(self, folder: Path, origin: Path, recording: Recording, *, isolated: bool = False) -> None:
        self.checkout = folder / "builds" / "models"
        self.recording = recording
        self.isolated = isolated
        self.variables: dict[str, str] = {}
        self._valid: set[str] = set()
        self._home = folder / "home"
        self._origin = origin
        self._home.mkdir(parents=True, exist_ok=True)

    def push(self, push: Push) -> Ran:
        return self.start(push.sha, before=push.before, source="push")

    def dispatch(self, sha: str, inputs: Mapping[str, str]) -> Ran:
        return self.start(sha, source="web", variables={name.upper(): value for name, value in inputs.items()})

    def clock(self, sha: str, cron: str, job: str) -> Ran:
        return self.start(sha, source="schedule", variables={"GATEWRIGHT_JOB": job})

    def start(
        self, sha: str, *, source: str, before: str = "", variables: Mapping[str, str] | None = None, manual: str = ""
    ) -> Ran:
        """The pipeline at this commit, as started by `source`."""
        self.fetch(sha, before)
        given = {"CI_PIPELINE_SOURCE": source, **self.variables, **(variables or {})}
        options = [f"--variable={name}={value}" for name, value in given.items()]
        if manual:
            options.append(f"--manual={manual}")
        known = ["--no-json-schema-validation"] if sha in self._valid else []  # two seconds each time
        listed = self._run(*options, *known, "--list-json")
        if listed.returncode:
            return Ran(jobs={}, log=listed.stdout + listed.stderr, refused=_COLOUR.sub("", listed.stderr).strip())
        self._valid.add(sha)
        table = listed.stdout[listed.stdout.index("[\n") :]  # warnings stand before it
        names = [job["name"] for job in json.loads(table) if job["when"] != "never"]
        done = self._run(*options, "--no-json-schema-validation", *(["--shell-isolation"] if self.isolated else []))
        log = _COLOUR.sub("", done.stdout + done.stderr)
        ended = {name: _RESULTS[word] for word, name in _ENDED.findall(log)}
        return Ran(jobs={name: ended.get(name, "skipped") for name in names}, log=log)

    def fetch(self, sha: str, before: str = "") -> None:
        """What the runner does before its jobs: the build folder at the commit, cleaned as the file says."""
        if not (self.checkout / ".git").exists():
            self.checkout.mkdir(parents=True)
            git(self.checkout, "init", "--quiet", "--initial-branch=main")
            git(self.checkout, "remote", "add", "origin", str(self._origin))
        git(self.checkout, "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*")
        git(self.checkout, "checkout", "--quiet", "--force", "-B", "main", sha)
        flags = _CLEAN.search((self.checkout / ".gitlab-ci.yml").read_text(encoding="utf-8"))
        git(self.checkout, "clean", "--quiet", *shlex.split(flags[1] if flags else "-ffdx"), "-e", _STATE)
        # gitlab-ci-local takes for changed what differs from the default branch of the origin.
        git(self.checkout, "update-ref", "refs/remotes/origin/main", before or sha)
        git(self.checkout, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        rsync = install.rsync()
        assert rsync is not None
        environment = {
            "PATH": os.pathsep.join((self.recording.path, str(rsync.parent))),
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
        }
        return subprocess.run(
            ["node", str(PROGRAM), "--force-shell-executor", "--concurrency=1", *options],
            cwd=self.checkout,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=LIMIT_S,
            check=False,
        )
