"""What may come of a fault, each as a check that goes on from the moment at which it began."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gatewright.domain.errors import WorldFailed
from gatewright.domain.rollout import PauseReason, Phase, Rollout
from tests.scenarios.controlled import World
from tests.scenarios.faults import LATER, WEIGHT, look, mended


def to_the_end(world: World) -> Rollout:
    """On from here with everything mended, by a person's hand where one is asked for."""
    mended(world)
    for _ in range(LATER):
        if look(world).phase.terminal:
            return world.rollout
        if world.rollout.phase is Phase.PAUSED:
            world.say("resume")
    raise AssertionError(f"still {world.rollout.phase}: {world.rollout.why}")


def goes_on(world: World) -> None:
    """It is no matter: the rollout ends as it would have ended anyway, with the fault still there."""
    back = world.rollout.phase is Phase.ROLLING_BACK
    for _ in range(LATER):
        if look(world).phase.terminal:
            break
    assert world.rollout.phase is (Phase.ROLLED_BACK if back else Phase.PROMOTED), world.rollout.why


def holds(world: World) -> None:
    """Neither weight nor hold time move while it lasts; afterwards it goes on to its end."""
    before = world.rollout
    look(world)
    held = world.rollout.held_s
    for _ in range(4):
        after = look(world)
        assert (after.phase, after.step, after.weight, after.held_s) == (before.phase, before.step, before.weight, held)
        assert world.traffic.shown <= before.weight
    assert to_the_end(world).phase is Phase.PROMOTED


def holds_then(reason: PauseReason) -> Callable[[World], None]:
    """It holds; when that has lasted too long, it pauses for this reason, at the weight it had."""

    def check(world: World) -> None:
        before = world.rollout
        look(world)
        held = world.rollout.held_s
        for _ in range(LATER):
            if look(world).phase is Phase.PAUSED:
                break
            assert (world.rollout.phase, world.rollout.weight) == (before.phase, before.weight)
        paused = world.rollout
        assert (paused.phase, paused.pause, paused.weight) == (Phase.PAUSED, reason, before.weight)
        assert paused.held_s == held
        assert to_the_end(world).phase is Phase.PROMOTED

    return check


def begins_then(reason: PauseReason) -> Callable[[World], None]:
    """The first step begins, and then it holds as at any step."""

    def check(world: World) -> None:
        for _ in range(3):
            look(world)
        assert (world.rollout.phase, world.rollout.weight) == (Phase.PROGRESSING, WEIGHT)
        holds_then(reason)(world)

    return check


def waits_at_100(world: World) -> None:
    """It may climb, but it is not promoted as long as that lasts; afterwards it is."""
    for _ in range(LATER):
        assert not look(world).phase.terminal
    assert world.rollout.phase is Phase.PROMOTING
    assert "promoted" not in world.kinds()
    assert to_the_end(world).phase is Phase.PROMOTED


def goes_back(world: World) -> None:
    """Decided within one tick, stable at 100 % within two."""
    assert look(world).phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    look(world)
    assert (world.rollout.phase, world.traffic.shown) == (Phase.ROLLED_BACK, 0.0)


def returns_at_once(world: World) -> None:
    """The traffic is at stable within two ticks; the record of the end waits until it can be written."""
    for _ in range(2):
        look(world)
    assert world.traffic.shown == 0.0
    for _ in range(LATER):
        assert look(world).phase is Phase.ROLLING_BACK
    assert "rolled_back" not in world.kinds()
    assert to_the_end(world).phase is Phase.ROLLED_BACK


def retries(world: World) -> None:
    """It asks again and again; two ticks after it works again the canary is out."""
    for _ in range(LATER):
        assert look(world).phase is Phase.ROLLING_BACK
    assert "rolled_back" not in world.kinds()
    mended(world)
    for _ in range(2):
        look(world)
    assert (world.rollout.phase, world.traffic.shown) == (Phase.ROLLED_BACK, 0.0)


def freezes(world: World) -> None:
    """The weight stays, people are told, and it goes on when somebody resumes it after stable has come back."""
    weight = world.rollout.weight
    for _ in range(5):
        look(world)
        assert (world.rollout.phase, world.rollout.pause) == (Phase.PAUSED, PauseReason.STABLE)
        assert (world.rollout.weight, world.traffic.shown) == (weight, min(weight, 99.99))
        assert "stable" in world.rollout.alerts
    world.say("resume")
    assert look(world).phase is Phase.PAUSED
    assert to_the_end(world).phase is Phase.PROMOTED


def freezes_then_goes_back(world: World) -> None:
    """What still answers keeps its traffic, loudly; with the next look after stable answers again it goes back."""
    weight = world.rollout.weight
    for _ in range(5):
        look(world)
        assert (world.rollout.phase, world.rollout.pause) == (Phase.PAUSED, PauseReason.STABLE)
        assert world.traffic.shown == min(weight, 99.99)
    assert "goes back as soon as stable answers" in world.rollout.why
    world.traffic.stable_error, world.traffic.stable_ready = None, True
    goes_back(world)


def all_or_nothing(world: World) -> None:
    """One clear error a tick, no change of any kind; afterwards it goes on to its end."""
    back = world.rollout.phase is Phase.ROLLING_BACK
    before, kinds, weights = world.workspace.rollouts.get(world.rollout.id), world.kinds(), list(world.traffic.weights)
    for _ in range(3):
        with pytest.raises(WorldFailed, match=re.escape(str(world.workspace.database.path))) as failed:
            world.tick()
        assert failed.value.fix
    assert (world.kinds(), world.traffic.weights) == (kinds, weights)
    assert world.workspace.rollouts.get(world.rollout.id) == before
    assert world.workspace.records.first_broken() is None
    assert to_the_end(world).phase is (Phase.ROLLED_BACK if back else Phase.PROMOTED)
