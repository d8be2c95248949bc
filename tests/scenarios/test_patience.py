"""Whoever drives goes on although looks fail: for a while, and with a rollback for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.rollout import Phase
from gatewright.engine.controller import Controller
from gatewright.testing import FakeTraffic, Silent
from tests.scenarios.controlled import World
from tests.scenarios.faults import in_phase


class Returning(FakeTraffic):
    """A router that is down for so many questions."""

    def __init__(self, before: FakeTraffic, failures: int) -> None:
        super().__init__(shown=before.shown, epoch=before.epoch, driven=before.driven, rollouts=before.rollouts)
        self.failures = failures

    def _reach(self) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise WorldFailed("connection refused", fix="")


def driven(world: World, failures: int, progress: Silent) -> Phase:
    workspace = replace(world.workspace, traffic=Returning(world.traffic, failures))
    ends = (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.PAUSED)
    return Controller(workspace, progress).drive(world.rollout, until=ends).phase


def test_a_short_outage_is_lived_with_and_told_once(memory: Path) -> None:
    world, progress = in_phase(memory, Phase.PROMOTING), Silent()
    assert driven(world, 5, progress) is Phase.PROMOTED
    assert progress.told.count("warning: tried again: connection refused") == 1


def test_a_long_one_ends_the_command_and_leaves_the_rollout_as_it_is(memory: Path) -> None:
    world = in_phase(memory, Phase.PROMOTING)
    with pytest.raises(WorldFailed, match="connection refused"):
        driven(world, 10_000, Silent())
    assert 29 <= sum(world.clock.slept) <= 40
    assert world.workspace.rollouts.get("r1").phase is Phase.PROMOTING  # type: ignore[union-attr]


def test_a_rollback_is_never_given_up(memory: Path) -> None:
    world = in_phase(memory, Phase.PROGRESSING)
    world.say("abort")
    assert driven(world, 300, Silent()) is Phase.ROLLED_BACK
    assert sum(world.clock.slept) >= 300


def test_who_lost_the_lease_does_not_try_again(memory: Path) -> None:
    world = in_phase(memory, Phase.PROGRESSING)
    other = Controller(replace(world.workspace, owner="elsewhere:1"), Silent())
    with pytest.raises(LeaseLost):
        other.drive(world.rollout, until=(Phase.PROMOTED,))
    assert world.clock.slept == []
