"""Drift as evidence of a rollout: when it begins, when it speaks, and what is missing until then."""

from __future__ import annotations

from dataclasses import replace

from gatewright.domain.evidence import DriftObservation
from gatewright.domain.rollout import DriftMargins, Rollout, TrafficState, World
from gatewright.rules import drift
from tests.scenarios.rollout_story import POLICY, begun


def watching(**changes: object) -> Rollout:
    return begun(policy=replace(POLICY, drift=DriftMargins()), **changes)


def world(*blocks: DriftObservation, outputs: tuple[float, ...] = (), error: str | None = None) -> World:
    traffic = TrafficState(weight=5.0)
    return World(traffic=traffic, drift=blocks, stable_outputs=outputs, source_error=error)


def block(canary: tuple[int, ...], stable: tuple[int, ...]) -> DriftObservation:
    return DriftObservation(weight=5.0, tick=1, canary=canary, stable=stable)


OUTPUTS = (0.0, 1.0) * 200


def test_cells_are_frozen_once_stable_has_predicted_enough() -> None:
    rollout = watching()
    assert drift.absorb(rollout, world(outputs=OUTPUTS[:299])) is None
    begun_now = drift.absorb(rollout, world(outputs=OUTPUTS))
    assert begun_now is not None
    assert begun_now.cells.points == (0.0, 1.0)
    later = replace(rollout, drift=begun_now)
    assert drift.absorb(later, world(outputs=(5.0,) * 400)) == begun_now


def test_sticky_users_are_weighed_by_what_stable_shows_of_them() -> None:
    users = tuple(f"user {number % 4}" for number in range(400))
    alike = drift.begin(DriftMargins(), OUTPUTS, users)
    assert alike.design_effect > 50
    assert drift.begin(DriftMargins(), OUTPUTS).design_effect == 1.0


def test_who_does_not_ask_for_it_gets_none() -> None:
    rollout = begun()
    assert drift.absorb(rollout, world(outputs=OUTPUTS)) is None
    assert (drift.standing(rollout), drift.missing(rollout)) == (None, ())


def test_a_look_that_failed_and_a_block_of_one_arm_teach_nothing() -> None:
    rollout = watching(drift=drift.begin(DriftMargins(), OUTPUTS))
    assert drift.absorb(rollout, world(block((0, 9, 0), (9, 0, 0)), error="gone")) == rollout.drift
    assert drift.absorb(rollout, world(block((0, 0, 0), (9, 0, 0)))) == rollout.drift


def test_what_is_missing_is_counted() -> None:
    assert drift.missing(watching()) == ("drift observed on 0 of 300 canary predictions",)
    rollout = watching(drift=drift.begin(DriftMargins(), OUTPUTS))
    seen = replace(rollout, drift=drift.absorb(rollout, world(block((150, 149, 0), (9, 9, 0)))))
    assert drift.missing(seen) == ("drift observed on 299 of 300 canary predictions",)
    enough = replace(seen, drift=drift.absorb(seen, world(block((1, 0, 0), (9, 9, 0)))))
    assert drift.missing(enough) == ()


def test_it_speaks_with_its_shares_and_only_once_after_a_person_has_looked() -> None:
    rollout = watching(drift=drift.begin(DriftMargins(), OUTPUTS))
    for _ in range(20):
        rollout = replace(rollout, drift=drift.absorb(rollout, world(block((35, 65, 0), (500, 500, 0)))))
    found = drift.standing(rollout)
    assert found is not None
    assert (found.drifted, found.degraded, found.limit) == (True, False, 1000.0)
    assert drift.in_words(found, e=found.e_pause, margin=0.05).startswith(
        "prediction drift above 0.05: prediction 1: 65.00% by the canary, 50.00% by stable (e "
    )
    after = drift.standing(drift.accepted(rollout))
    assert after is not None
    assert not after.drifted
