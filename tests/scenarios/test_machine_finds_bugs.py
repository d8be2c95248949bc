"""The machine proves itself: every bug that is put into the product on purpose is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Part
from hypothesis.stateful import run_state_machine_as_test

from gatewright.domain.errors import UnusableInput
from gatewright.domain.records import TERMINAL_KINDS
from gatewright.domain.rollout import Phase, Rollout, World
from gatewright.engine import controller
from gatewright.engine.controller import Controller
from gatewright.rules import canary, evidence, orders
from gatewright.store import rollouts as store
from gatewright.store.records import Event, link
from gatewright.store.rollouts import Rollouts
from gatewright.testing import FakeTraffic
from tests.scenarios.rollout_machine import RolloutMachine

Patch = pytest.MonkeyPatch


def no_fence(patch: Patch) -> None:
    """Who has lost its lease may still move the traffic."""
    patch.setattr(FakeTraffic, "_fence", lambda self, rollout: None)


def no_revision(patch: Patch) -> None:
    """Who saw an older state may still write."""

    def advance(
        self: Rollouts, before: Rollout, after: Rollout, events: Any, tick: Any, taken: Any, *_: Any
    ) -> Rollout:
        known = self.get(before.id)
        assert known is not None
        seen = replace(before, revision=known.revision, epoch=known.epoch)
        return real(self, seen, after, events, tick, taken)

    real = Rollouts.advance
    patch.setattr(Rollouts, "advance", advance)


def record_before_the_end(patch: Patch) -> None:
    """The terminal record is written when a rollback is decided."""

    def early(workspace: Any, before: Rollout, after: Rollout, decision: Any, *, known: Rollout) -> tuple[Event, ...]:
        found: tuple[Event, ...] = real(workspace, before, after, decision, known=known)
        return tuple(replace(e, kind="rolled_back" if e.kind == "rolling_back" else e.kind) for e in found)

    real = controller._events
    patch.setattr(controller, "_events", early)


def no_quarantine(patch: Patch) -> None:
    patch.setattr(store, "_failed", lambda before, after: None)


def effect_before_the_intent(patch: Patch) -> None:
    """The traffic moves first, and is written down afterwards."""
    real = controller.letters

    def act_first(workspace: Any, before: Rollout, after: Rollout, world: World, now: Any) -> Any:
        if after.weight:
            workspace.traffic.set_weight(after, after.weight)
        return real(workspace, before, after, world, now)

    patch.setattr(controller, "letters", act_first)


def no_hold(patch: Patch) -> None:
    real = evidence.missing
    patch.setattr(canary, "missing", lambda rollout, **named: real(rollout, **{**named, "hold": False}))


def a_late_look_serves_the_whole_hold(patch: Patch) -> None:
    def elapsed(rollout: Rollout, now: Any) -> float:
        return (now - rollout.ticked_at).total_seconds() if rollout.ticked_at else 0.0

    patch.setattr(evidence, "_elapsed", elapsed)


def blind_looks_serve(patch: Patch) -> None:
    patch.setattr(evidence, "fresh", lambda rollout, world: True)


def any_approval_will_do(patch: Patch) -> None:
    patch.setattr(orders, "waits_for_approval", lambda rollout: False)


def abort_waits_for_the_pause_to_end(patch: Patch) -> None:
    real = canary._ending

    def ending(rollout: Rollout, world: World) -> Any:
        return None if rollout.phase is Phase.PAUSED else real(rollout, world)

    patch.setattr(canary, "_ending", ending)


def rolled_back_unseen(patch: Patch) -> None:
    """The end is believed, not read back."""
    real = canary._rolling_back
    patch.setattr(
        canary, "_rolling_back", lambda rollout, world: replace(real(rollout, world), phase=Phase.ROLLED_BACK)
    )


def promoted_unseen(patch: Patch) -> None:
    patch.setattr(canary, "_arrived", lambda rollout, world: world.traffic.weight is not None)


def asked_once(patch: Patch) -> None:
    """The traffic is set when something was decided, and not looked after."""
    real = Controller._act

    def act(self: Controller, rollout: Rollout, world: World) -> None:
        if rollout.phase is not Phase.PROGRESSING or rollout.held_s == 0.0:
            real(self, rollout, world)

    patch.setattr(Controller, "_act", act)


def recorded_twice(patch: Patch) -> None:
    """What is no end stands in the records two times."""

    def twice(connection: Any, event: Event) -> Any:
        if event.kind not in TERMINAL_KINDS:
            link(connection, event)
        return link(connection, event)

    patch.setattr(store, "link", twice)


BUGS = (
    no_fence, no_revision, record_before_the_end, no_quarantine, effect_before_the_intent, no_hold,
    a_late_look_serves_the_whole_hold, blind_looks_serve, any_approval_will_do, abort_waits_for_the_pause_to_end,
    rolled_back_unseen, promoted_unseen, asked_once, recorded_twice,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_seeded_bug_is_found(bug: Callable[[Patch], None], monkeypatch: Patch) -> None:
    bug(monkeypatch)
    looking = settings(
        max_examples=2000, stateful_step_count=30, deadline=None, database=None, phases=(Part.generate,),
        derandomize=True,
        suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
    )  # fmt: skip
    with pytest.raises((AssertionError, UnusableInput)):  # the store itself refuses a second end
        run_state_machine_as_test(RolloutMachine, settings=looking)
