"""A rollout that is driven from several machines, which share nothing but a git remote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.evidence import Look
from gatewright.domain.rollout import Phase, Rollout
from gatewright.testing import FakeMetricSource
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.clones import clone, remote_of
from tests.fixtures.repository import commit_all, git
from tests.scenarios.controlled import World, begun_in

REF = "refs/gatewright/state"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = toy.write_project(tmp_path_factory.mktemp("shared") / "source", port=1)
    toy.configure(root, port=1, state={"kind": "git"})
    commit_all(root)
    return root


@pytest.fixture
def remote(source: Path, tmp_path: Path) -> Path:
    return remote_of(tmp_path, source)


@pytest.fixture
def here(remote: Path, tmp_path: Path) -> World:
    """The machine that has started the rollout."""
    world = begun_in(clone(remote, tmp_path / "here"))
    world.traffic.rollouts = None
    world.workspace = replace(world.workspace, gateway=None)  # one traffic for all, on neither machine
    return world


@pytest.fixture
def there(here: World, remote: Path, tmp_path: Path) -> World:
    """Another machine, of whose clone nobody knew; the same traffic and the same time."""
    return joined(here, clone(remote, tmp_path / "there", shallow=True))


def joined(world: World, root: Path) -> World:
    opened = Workspace.open(root, clock=world.clock)
    parts = {"registry": world.registry, "traffic": world.traffic, "metrics": world.metrics}
    workspace = replace(opened, **parts, gateway=None, owner="there:1")
    rollout = workspace.rollouts.get(world.rollout.id)
    assert rollout is not None
    return replace(world, workspace=workspace, rollout=rollout)


def pushes(remote: Path) -> int:
    return int(git(remote, "rev-list", "--count", REF))


def release(world: World) -> None:
    world.workspace.rollouts.release(world.rollout, world.workspace.owner)


class Interrupting(FakeMetricSource):
    """While it is asked, another machine makes a whole tick."""

    other: World | None = None

    def observe(self, rollout: Rollout, tick: int) -> Look:
        other, self.other = self.other, None
        if other is not None:
            other.tick()
        return FakeMetricSource.observe(self, rollout, tick)


def test_a_tick_from_another_clone_goes_on_where_this_one_was(here: World, there: World) -> None:
    here.tick()
    release(here)
    assert there.tick().revision == here.rollout.revision + 1
    release(there)
    here.until(Phase.PROMOTED)
    there.workspace.rollouts.refresh()
    found = there.workspace.rollouts.get("r1")
    assert found is not None
    assert found.phase is Phase.PROMOTED
    assert there.kinds() == here.kinds()
    assert there.workspace.records.first_broken() is None
    assert len(there.workspace.rollouts.ticks(found)) == len(here.workspace.rollouts.ticks(found))


def test_of_two_ticks_at_the_same_moment_one_acts(here: World, there: World) -> None:
    here.until(Phase.PROGRESSING)
    release(here)
    there.rollout = there.workspace.rollouts.lease(there.rollout, "there:1", there.clock.now(), 1.0)
    release(there)
    slow = Interrupting(past=here.metrics.past)
    slow.other = there
    here.workspace = replace(here.workspace, metrics=slow)
    weights, before = list(here.traffic.weights), here.rollout.revision
    with pytest.raises(LeaseLost):
        here.tick()
    assert there.rollout.revision == before + 1
    assert len(here.traffic.weights) == len(weights) + 1  # the effect of one
    assert here.workspace.rollouts.get("r1") == there.workspace.rollouts.get("r1")


def test_a_lease_that_runs_elsewhere_is_respected(here: World, there: World) -> None:
    here.tick()
    with pytest.raises(LeaseLost, match="is driven by"):
        there.tick()
    there.clock.forward(here.rollout.policy.lease.seconds + 1)
    there.tick()
    with pytest.raises(LeaseLost):
        here.tick()


def test_an_abort_from_elsewhere_is_heard(here: World, there: World) -> None:
    here.until(Phase.PROGRESSING)
    there.workspace.rollouts.refresh()
    there.say("abort", actor="eve")
    here.until(Phase.ROLLED_BACK)
    assert here.traffic.shown == 0.0
    assert "eve" in here.workspace.records.all()[-2].why + here.workspace.records.all()[-2].actor


def test_a_tick_costs_one_push_and_giving_the_lease_back_another(here: World, remote: Path) -> None:
    here.until(Phase.PROGRESSING)
    before = pushes(remote)
    here.tick()
    assert pushes(remote) == before + 1
    release(here)
    assert pushes(remote) == before + 2


def test_while_the_remote_is_down_nothing_is_decided_and_nothing_done(here: World, remote: Path) -> None:
    here.until(Phase.PROGRESSING)
    weights, revision = list(here.traffic.weights), here.rollout.revision
    remote.rename(remote.with_name("away.git"))
    with pytest.raises(WorldFailed):
        here.tick()
    assert here.traffic.weights == weights
    remote.with_name("away.git").rename(remote)
    assert here.tick().revision == revision + 1


def test_what_was_pushed_and_not_told_here_is_not_decided_again(here: World, remote: Path, tmp_path: Path) -> None:
    here.until(Phase.PROGRESSING)
    release(here)
    state = here.workspace.root / ".gatewright" / "state.db"
    before = state.read_bytes()
    revision = here.tick().revision
    here.workspace.database.close()
    state.write_bytes(before)  # killed after the push and before the commit
    again = joined(here, here.workspace.root)
    assert again.rollout.revision == revision
    again.clock.forward(60.0)
    assert again.tick().revision == revision + 1
    assert again.workspace.records.first_broken() is None
