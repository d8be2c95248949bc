"""Every stage in a fresh clone, as jobs of a CI make them: only the git remote and the store of models are shared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.rollout import Phase
from tests.fixtures import toy
from tests.fixtures.clones import clone, remote_of
from tests.fixtures.live import Project
from tests.fixtures.load import Load
from tests.fixtures.ports import free_port
from tests.fixtures.repository import commit_all, git

REF = "refs/gatewright/state"


class Jobs:
    """A remote, a store of models, and as many fresh clones as there are jobs; `deploy` is the one that stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self.port = free_port()
        source = toy.write_project(folder / "source", port=self.port)
        toy.write_recipe(source, kind="good", seed=1)
        store = {"kind": "local", "store": str(folder / "models")}
        toy.configure(source, port=self.port, state={"kind": "git"}, registry=store, rollout={"lease": "60s"})
        commit_all(source)
        self.remote = remote_of(folder, source)
        self.deploy = self.fresh()

    def fresh(self) -> Project:
        """A new clone, shallow as a CI makes it."""
        self._made += 1
        root = clone(self.remote, self._folder / f"job-{self._made}", shallow=True)
        return Project(root=root, port=self.port)

    def do(self, *words: str, at: Project | None = None) -> Any:
        """One job: a command in a clone of its own, which ends well; its JSON."""
        project = at or self.fresh()
        done = project.command(*words, "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert git(project.root, "status", "--porcelain") == ""
        return json.loads(done.stdout)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path)
    try:
        yield made
    finally:
        made.deploy.command("serve", "stop")


def phase(jobs: Jobs) -> Phase:
    """What the newest rollout is, as the deploy host tells."""
    return jobs.deploy.rollout().phase


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_stage_in_a_clone_of_its_own_up_to_the_promotion(jobs: Jobs) -> None:
    baseline = toy.register(jobs.fresh().root, "good", serving=True)
    run = jobs.do("validate")["run"]
    trained = jobs.do("train", "--run", run)["outputs"]["artifact"]
    judging = jobs.fresh()
    report = jobs.do("evaluate", "--run", run, at=judging)
    assert report["inputs"]["baseline"] == baseline.artifact.digest
    jobs.do("gate", "--run", run, at=judging)
    assert jobs.do("register", "--run", run)["body"]["version"]["number"] == baseline.number + 1
    started = jobs.do("canary", "--run", run, "--detach", at=jobs.deploy)
    assert started["phase"] == "pending"
    assert jobs.do("rollout", "status")["id"] == started["id"]
    with Load(jobs.port, rate=60.0):
        _tick_until_promoted(jobs)
    record = jobs.do("rollout", "finish", "--run", run, "--no-wait", at=jobs.deploy)
    assert record["status"] == "promoted"
    found = jobs.fresh()
    assert [row["state"] for row in jobs.do("runs", "list", at=found)] == ["promoted"]
    assert jobs.do("records", "verify", at=found) is not None
    with found.workspace() as workspace:
        serving = workspace.registry.serving(toy.MODEL)
        assert serving is not None
        assert serving.artifact.digest == trained
    subjects = git(jobs.remote, "log", "--format=%s", REF).splitlines()
    assert "rollout-promoted" in subjects


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_machine_in_place_of_the_one_that_deployed_serves_the_same(jobs: Jobs) -> None:
    jobs.deploy.bootstrap()
    jobs.deploy.command("serve", "stop")
    host = jobs.fresh()
    try:
        (followed,) = jobs.do("serve", "start", at=host)["followed"]
        assert (followed["version"]["number"], followed["moved"]) == (1, True)
        host.until("the version that production serves answers here", host.serves)
        assert jobs.do("status", at=host)["astray"] is None
        assert jobs.do("serve", "start", at=host)["followed"] == []
        _restart_without_the_remote(jobs, host)
    finally:
        host.command("serve", "stop")


def _restart_without_the_remote(jobs: Jobs, host: Project) -> None:
    """A machine that has lost the remote starts again with what it served last, and says so."""
    away = jobs.remote.rename(jobs.remote.with_suffix(".away"))
    try:
        jobs.do("serve", "stop", at=host)
        assert "git ls-remote failed" in jobs.do("serve", "start", at=host)["doubt"]
    finally:
        away.rename(jobs.remote)
    host.until("what was served last answers again", host.serves)


def _tick_until_promoted(jobs: Jobs) -> None:
    for _ in range(100):
        if phase(jobs) is Phase.PROMOTED:
            return
        done = jobs.deploy.command("rollout", "tick")
        assert done.returncode == 0, done.stderr
    raise AssertionError(jobs.deploy.rollout().why)
