"""Jenkins in small: Groovy reads the declarative Jenkinsfile, and its `sh` steps run in a shell (`runners/jenkins`)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fixtures.repository import git
from tests.pipelines.node import install
from tests.pipelines.recording import Recording
from tests.pipelines.repositories import Push
from tests.pipelines.targets import LIMIT_S, RUNNERS, Ran

_JARS = install.PACKAGES / "npm-groovy-lint" / "lib" / "java" / "groovy" / "lib"
_NEEDED = ("groovy-4*.jar", "groovy-json-*.jar", "groovy-cli-*.jar", "ant-1*.jar")
_RESULTS = {"SUCCESS": "success", "FAILURE": "failure", "SKIPPED": "skipped"}


def jars() -> str:
    """The class path of Groovy."""
    return os.pathsep.join(str(path) for pattern in _NEEDED for path in sorted(_JARS.glob(pattern)))


def compile_interpreter(folder: Path) -> Path:
    """The interpreter as classes, kept in .venv until a source changes: compiling takes longer than running."""
    sources = sorted((RUNNERS / "jenkins").glob("*.groovy"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    kept = install.FOLDER / f"jenkins-{digest}"
    if not kept.is_dir():
        command = ["java", "-cp", jars(), "org.codehaus.groovy.tools.FileSystemCompiler", "-d", str(folder)]
        done = subprocess.run(
            [*command, *map(str, sources)], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        with suppress(OSError):  # another worker was faster
            folder.rename(kept)
    return kept


class Jenkins:
    """One controller; an agent is a label, and its workspace stays from build to build."""

    name = "jenkins"
    files = ("Jenkinsfile",)

    def __init__(
        self, folder: Path, origin: Path, recording: Recording, *, classes: Path, label: str = "gatewright"
    ) -> None:
        self.checkout = folder / "work" / label
        self.recording = recording
        self.environment = {"PATH": recording.path, "LANG": "C.UTF-8"}
        self.secrets: dict[str, str] = {}
        self.rejects = False
        self.told: dict[str, Any] = {}
        self._classes = classes
        self._folder = folder
        self._origin = origin
        self._number = 0

    def push(self, push: Push) -> Ran:
        changed = git(self._origin, "diff", "--name-only", push.before, push.sha).split() if push.before else []
        return self.start(push.sha, cause="BranchEventCause", changed=changed)

    def dispatch(self, sha: str, inputs: Mapping[str, str]) -> Ran:
        return self.start(sha, cause="UserIdCause", params={name.upper(): value for name, value in inputs.items()})

    def clock(self, sha: str, cron: str, job: str) -> Ran:
        return self.start(sha, cause="TimerTrigger", cron=cron)

    def start(self, sha: str, *, file: str = "Jenkinsfile", **plan: Any) -> Ran:
        """One build of `file` at this commit."""
        self._number += 1
        here = {name: self._folder / name for name in ("work", "temp", "home", "builds")}
        for path in here.values():
            path.mkdir(parents=True, exist_ok=True)
        log = here["builds"] / f"{self._number}.log"
        source, result = here["builds"] / f"{self._number}.groovy", here["builds"] / f"{self._number}.json"
        source.write_text(git(self._origin, "show", f"{sha}:{file}"), encoding="utf-8")
        document = {
            "repository": str(self._origin),
            "jenkinsfile": str(source),
            "sha": sha,
            "branch": "main",
            "number": self._number,
            "log": str(log),
            "store": str(here["builds"] / str(self._number)),
            "environment": self.environment,
            "secrets": self.secrets,
            "rejects": self.rejects,
            "changed": [],
            **{name: str(here[name]) for name in ("work", "temp", "home")},
            **plan,
        }
        path = here["builds"] / f"{self._number}.plan.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        classes = os.pathsep.join((str(self._classes), jars()))
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, "run", str(path), str(result)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        text = (log.read_text(encoding="utf-8") if log.exists() else "") + done.stderr
        if done.returncode == 2:
            return Ran(jobs={}, log=text, refused=done.stderr.partition("refused: ")[2].strip())
        assert done.returncode == 0, text
        self.told = json.loads(result.read_text(encoding="utf-8"))
        jobs = {stage["name"]: _RESULTS[stage["result"]] for stage in self.told["stages"]}
        if self.told["result"] == "FAILURE" and "failure" not in jobs.values():
            jobs["(build)"] = "failure"
        return Ran(jobs=jobs, log=text)
