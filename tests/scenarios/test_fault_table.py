"""The table of faults: what each does to a rollout, in each of its phases. Compare it with docs/rollout.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.rollout import PauseReason, Phase, Step
from tests.scenarios import faults
from tests.scenarios.controlled import World
from tests.scenarios.faults import FAULTS, in_phase, look
from tests.scenarios.outcomes import (
    all_or_nothing,
    begins_then,
    freezes,
    freezes_then_goes_back,
    goes_back,
    goes_on,
    holds,
    holds_then,
    retries,
    returns_at_once,
    waits_at_100,
)

Check = Callable[[World], None]
blind, unclear = PauseReason.BLIND, PauseReason.INCONCLUSIVE
PHASES = (Phase.PENDING, Phase.PROGRESSING, Phase.PROMOTING, Phase.ROLLING_BACK)

# fmt: off
TABLE: dict[str, tuple[Check, Check, Check, Check]] = {
    #                            pending              progressing             promoting               rolling back
    "registry down":            (holds,               waits_at_100,           waits_at_100,           returns_at_once),
    "registry answers 500":     (holds,               waits_at_100,           waits_at_100,           returns_at_once),
    "registry slow":            (holds,               waits_at_100,           waits_at_100,           returns_at_once),
    "registry answers HTML":    (holds,               waits_at_100,           waits_at_100,           returns_at_once),
    "metrics down":             (holds,               holds_then(blind),      goes_on,                goes_on),
    "metrics stale":            (holds,               holds_then(blind),      goes_on,                goes_on),
    "metrics NaN":              (holds,               holds_then(blind),      goes_on,                goes_on),
    "metrics Inf":              (holds,               holds_then(blind),      goes_on,                goes_on),
    "metrics a string":         (holds,               holds_then(blind),      goes_on,                goes_on),
    "metrics impossible":       (holds,               holds_then(blind),      goes_on,                goes_on),
    "metrics of no weight":     (holds,               holds_then(blind),      goes_on,                goes_on),
    "metrics two series":       (begins_then(blind),  holds_then(blind),      goes_on,                goes_on),
    "metrics empty":            (begins_then(unclear),holds_then(unclear),    goes_on,                goes_on),
    "no data of stable":        (begins_then(unclear),holds_then(unclear),    goes_on,                goes_on),
    "router down":              (holds,               holds_then(blind),      holds_then(blind),      retries),
    "router unreadable":        (holds,               holds_then(blind),      holds_then(blind),      returns_at_once),
    "router does not apply":    (begins_then(blind),  holds_then(blind),      holds_then(blind),      retries),
    "canary crash-loops":       (goes_back,           goes_back,              goes_back,              goes_on),
    "canary of wrong digest":   (goes_back,           goes_back,              goes_back,              goes_on),
    "canary slow to start":     (holds,               goes_on,                goes_on,                goes_on),
    "stable down":              (freezes,             freezes,                goes_on,                goes_on),
    "stable down too":          (goes_back,           freezes_then_goes_back, freezes_then_goes_back, goes_on),
    "state database busy":      (all_or_nothing,   all_or_nothing,      all_or_nothing,      all_or_nothing),
    "state database full":      (all_or_nothing,   all_or_nothing,      all_or_nothing,      all_or_nothing),
    "state database read-only": (all_or_nothing,   all_or_nothing,      all_or_nothing,      all_or_nothing),
    "clock an hour ahead":      (goes_on,             goes_on,                goes_on,                goes_on),
    "clock an hour back":       (goes_on,             goes_on,                goes_on,                goes_on),
    "notifiers down":           (goes_on,             goes_on,                goes_on,                goes_on),
}
# fmt: on
BLINDING = [fault for fault in TABLE if fault.startswith("metrics") and fault != "metrics empty"]


@pytest.mark.parametrize("phase", PHASES, ids=str)
@pytest.mark.parametrize("fault", TABLE)
def test_table(memory: Path, fault: str, phase: Phase) -> None:
    world = in_phase(memory, phase)
    FAULTS[fault](world)
    try:
        TABLE[fault][PHASES.index(phase)](world)
    finally:
        faults.mended(world)
    assert world.workspace.records.first_broken() is None
    assert sum(kind in ("promoted", "rolled_back") for kind in world.kinds()) == 1


@pytest.mark.parametrize("fault", [*BLINDING, "router unreadable"])
def test_what_blinds_for_too_long_brings_stable_back_to_100_percent(memory: Path, fault: str) -> None:
    """With on_blind: rollback, within two ticks after the budget is used up."""
    world = in_phase(memory, Phase.PROGRESSING, on_blind="rollback")
    FAULTS[fault](world)
    while look(world).blind_s <= world.rollout.policy.blind_after.seconds:
        assert world.rollout.phase is Phase.PROGRESSING
    look(world)
    assert world.traffic.shown == 0.0
    assert "nothing could be seen for" in world.rollout.why
    faults.mended(world)
    assert world.until(Phase.ROLLED_BACK).why == world.rollout.why


@pytest.mark.parametrize("fault", TABLE)
def test_an_abort_is_carried_out_whatever_else_is_wrong(memory: Path, fault: str) -> None:
    """Within two ticks after the router and the state database can be told of it."""
    world = in_phase(memory, Phase.PROGRESSING)
    world.say("abort")
    FAULTS[fault](world)
    look(world)
    if fault.startswith(("router", "state database")) and fault != "router unreadable":
        faults.mended(world)
    look(world)
    look(world)
    assert (world.rollout.weight, world.traffic.shown) == (0.0, 0.0)
    assert world.rollout.why == "aborted by ada"


def test_a_router_that_drifts_is_corrected_in_one_tick(memory: Path) -> None:
    world = in_phase(memory, Phase.PROGRESSING)
    for shown in (0.0, 12.5, 99.99):
        world.traffic.shown = shown
        look(world)
        assert world.traffic.shown == faults.WEIGHT


def test_a_router_that_fails_on_the_advance_is_asked_again(memory: Path) -> None:
    steps = tuple(Step(weight=weight, hold=Duration(3.0)) for weight in (10, 50))
    world = in_phase(memory, Phase.PENDING, steps=steps)
    while world.rollout.step == 0:
        world.traffic.down = None
        world.tick()
        world.traffic.down = "connection refused" if "on to" in world.rollout.why else None
    world.traffic.shown = 10.0
    world.traffic.down = "connection refused"
    held = look(world).held_s
    assert (world.traffic.shown, world.rollout.held_s) == (10.0, held)
    world.traffic.down = None
    look(world)
    assert world.traffic.shown == 50.0


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_jumps_neither_skips_a_hold_nor_lengthens_it(memory: Path, jump_s: float) -> None:
    def ticks_until_promoting(world: World, jump_s: float) -> int:
        for ticks in range(faults.LATER):
            if look(world).phase is Phase.PROMOTING:
                return ticks
            if ticks == 0:
                world.clock.forward(jump_s)
        raise AssertionError(world.rollout.why)

    usual = ticks_until_promoting(in_phase(memory / "a", Phase.PROGRESSING), 0.0)
    assert abs(ticks_until_promoting(in_phase(memory / "b", Phase.PROGRESSING), jump_s) - usual) <= 1
