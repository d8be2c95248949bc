"""A machine that shares the state serves what production serves: brought, proven, and its route written."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewright.domain.errors import LeaseLost, UnusableInput
from gatewright.domain.rollout import Phase, Rollout
from gatewright.effects.processes import ProcessIdentity
from gatewright.engine.controller import Controller
from gatewright.engine.fleet import Fleet
from gatewright.engine.following import astray, follow
from gatewright.engine.status import view
from gatewright.store.processes import SUPERVISOR, ProcessRow
from gatewright.store.records import Event
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures import promoted, toy
from tests.fixtures.clones import clone, remote_of
from tests.fixtures.repository import commit_all
from tests.scenarios.rollout_story import begun

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Machines:
    """A remote, a store of models beside it, and the clone in which a first model was promoted."""

    def __init__(self, remote: Path) -> None:
        self._made = 0
        self.remote = remote
        self.first = self.fresh()
        promoted.promote(self.first)

    def fresh(self) -> Path:
        self._made += 1
        return clone(self.remote, self.remote.with_name(f"machine-{self._made}"))

    def serve_another(self, content: bytes) -> None:
        """The first machine promotes other bytes."""
        trained = self.first / ".gatewright" / content.decode()
        trained.mkdir()
        (trained / "model.skops").write_bytes(content)
        promoted.promote(self.first, trained, run=f"{promoted.RUN[:-4]}bbbb")


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("following")
    source = toy.write_project(folder / "source", port=1)
    toy.configure(source, port=1, state={"kind": "git"}, registry={"kind": "local", "store": "../models"})
    commit_all(source)
    return remote_of(folder, source)


@pytest.fixture
def machines(remote: Path, tmp_path: Path) -> Machines:
    return Machines(Path(shutil.copytree(remote, tmp_path / remote.name)))


def started(workspace: Workspace, **fields: object) -> Rollout:
    """An open rollout of the model, as some machine began it."""
    version = workspace.registry.serving(toy.MODEL)
    assert version is not None
    rollout = replace(begun(), id="toy-9-aaaaaa", model=toy.MODEL, run="r9", stable=version.artifact.digest)
    event = Event(at=NOW, kind="started", run="r9", model=toy.MODEL, rollout=rollout.id, why="because")
    return workspace.rollouts.start(replace(rollout, **fields), event)  # type: ignore[arg-type]


def test_a_new_machine_serves_what_production_serves(machines: Machines) -> None:
    root = machines.fresh()
    workspace = Workspace.open(root)
    found = follow(workspace)
    version = workspace.registry.serving(toy.MODEL)
    assert version is not None
    assert (found.moved, found.before, found.version) == (True, None, version)
    route = workspace.routes.get(toy.MODEL)
    assert route is not None
    assert (route.stable, route.canary, route.weight) == (version.artifact.digest, None, 0.0)
    folder = workspace.routes.locate(toy.MODEL, version.artifact.digest)
    assert (root / str(folder) / "model.skops").read_bytes() == b"a model"
    assert not follow(workspace).moved


def test_a_machine_that_comes_back_serves_what_was_promoted_meanwhile(machines: Machines) -> None:
    workspace = Workspace.open(machines.fresh())
    before = follow(workspace).version
    machines.serve_another(b"another")
    workspace.database.refresh()
    assert before is not None
    assert view(workspace)["astray"] == (
        f"this machine serves model {before.artifact.digest[7:19]}, production serves version 2"
    )
    found = follow(workspace)
    assert found.version is not None
    assert (found.moved, found.before, found.version.number) == (True, before.artifact.digest, 2)
    assert astray(workspace, found.version) is None


def test_bytes_that_are_not_those_of_the_version_are_never_served(machines: Machines, tmp_path: Path) -> None:
    for model in (tmp_path / "models").rglob("model.skops"):
        model.chmod(0o644)
        model.write_bytes(b"others")
    workspace = Workspace.open(machines.fresh())
    with pytest.raises(UnusableInput):
        follow(workspace)
    assert workspace.routes.get(toy.MODEL) is None


def test_a_version_that_nobody_kept_is_said_to_be_missing(machines: Machines, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "models")
    with pytest.raises(UnusableInput, match="is neither here nor in"):
        follow(Workspace.open(machines.fresh()))


def test_registry_and_records_that_disagree_are_told_and_nothing_is_served(machines: Machines) -> None:
    machines.serve_another(b"another")
    workspace = Workspace.open(machines.fresh())
    workspace.registry.mark_serving(toy.MODEL, workspace.registry.numbered(toy.MODEL, 1))
    with pytest.raises(UnusableInput, match="this machine cannot know"):
        follow(workspace)
    assert workspace.routes.get(toy.MODEL) is None


def test_an_open_rollout_stays_with_the_machine_that_divides_its_traffic(machines: Machines) -> None:
    there = Workspace.open(machines.first)
    rollout = started(there, phase=Phase.PROGRESSING, weight=5.0)
    here = Workspace.open(machines.fresh())
    found = follow(here)
    assert (found.moved, found.climbing) == (True, rollout.id)
    epoch = here.rollouts.get(rollout.id)
    with pytest.raises(LeaseLost, match="another machine divides the traffic"):
        Controller(here, Silent()).tick(rollout)
    assert here.rollouts.get(rollout.id) == epoch  # whoever drives it has lost nothing
    assert view(here)["rollout"]["observed"] is None
    assert view(here)["astray"] is None


def test_the_machine_that_divides_the_traffic_of_a_rollout_is_left_alone(machines: Machines) -> None:
    workspace = Workspace.open(machines.first)
    rollout = started(workspace, phase=Phase.PROGRESSING, weight=5.0)
    version = workspace.registry.serving(toy.MODEL)
    assert version is not None
    workspace.traffic.prepare(rollout, replace(version.artifact, digest=rollout.canary), version.artifact)
    route = workspace.routes.get(toy.MODEL)
    assert not follow(workspace).moved
    assert workspace.routes.get(toy.MODEL) == route


def test_a_canary_whose_rollout_was_aborted_elsewhere_is_taken_out(machines: Machines) -> None:
    workspace = Workspace.open(machines.first)
    rollout = started(workspace, phase=Phase.PROGRESSING, weight=5.0)
    version = workspace.registry.serving(toy.MODEL)
    assert version is not None
    workspace.traffic.prepare(rollout, replace(version.artifact, digest=rollout.canary), version.artifact)
    elsewhere = Workspace.open(machines.fresh())
    elsewhere.rollouts.command(rollout, "abort", "eve", NOW)
    after = Controller(elsewhere, Silent()).tick(rollout)
    assert after.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    ended = elsewhere.rollouts.advance(after, replace(after, phase=Phase.ROLLED_BACK, weight=0.0), (), {}, ())
    workspace.database.refresh()
    assert astray(workspace, version) == "this machine still keeps the canary of a rollout that has ended"
    assert follow(workspace).moved
    route = workspace.routes.get(toy.MODEL)
    assert route is not None
    assert (route.stable, route.canary, route.epoch) == (version.artifact.digest, None, ended.epoch)
    workspace.traffic.set_weight(rollout, 5.0)  # the controller that drove it comes back late
    assert workspace.routes.get(toy.MODEL) == route


class Told:
    """The daemon's journal, kept."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def __call__(self, event: str, **facts: object) -> None:
        self.events.append((event, facts.get("version")))


def test_the_daemon_follows_while_the_runtime_of_its_machine_is_up(machines: Machines) -> None:
    workspace, told = Workspace.open(machines.fresh()), Told()

    def look() -> None:
        daemon = Fleet(
            workspace.rollouts,
            workspace.clock,
            Silent(),
            told,
            open_model=lambda model: workspace,
            keep_runtime=lambda opened: None,
            served_here=(toy.MODEL,),
        )
        daemon.look()
        daemon.look()

    look()
    assert told.events == []
    identity = ProcessIdentity.of(os.getpid())
    assert identity is not None
    workspace.processes.put(ProcessRow(name=SUPERVISOR, identity=identity, started_at=NOW, ready=True))
    look()
    assert told.events == [("follows", 1)]


def test_a_state_of_one_machine_has_nobody_to_follow(tmp_path: Path) -> None:
    root = toy.write_project(tmp_path / "project", port=1)
    promoted.promote(root)
    workspace = Workspace.open(root)
    assert not follow(workspace).moved
    assert workspace.routes.get(toy.MODEL) is None
