from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import Block, Durations, History, LiveMetric, Observation
from gatewright.domain.rollout import Breaker, Phase, RolloutPolicy, TrafficState, World
from gatewright.rules import evidence
from gatewright.stats import breaker
from tests.scenarios.rollout_story import begun, rollout


def seen(
    canary: tuple[int, int], stable: tuple[int, int], metric: LiveMetric = "errors", weight: float = 5.0
) -> Observation:
    block = Block(canary_n=canary[0], canary_bad=canary[1], stable_n=stable[0], stable_bad=stable[1])
    return Observation(metric=metric, weight=weight, tick=1, block=block)


def world(*observations: Observation, weight: float | None = 5.0, source_error: str | None = None) -> World:
    return World(traffic=TrafficState(weight=weight), observations=observations, source_error=source_error)


CLIMBING = begun(phase=Phase.PROGRESSING, weight=5.0, ticked_at=begun().started_at)
LATER = CLIMBING.started_at + timedelta(seconds=5)


def test_durations_of_all_looks_are_kept_to_be_shown() -> None:
    seen = replace(world(), durations=Durations(canary=((3, 2),), stable=((3, 5), (4, 1))))
    once = evidence.absorb(CLIMBING, seen, "a", LATER)
    assert once.durations == seen.durations
    twice = evidence.absorb(once, seen, "b", LATER)
    assert twice.durations == Durations(canary=((3, 4),), stable=((3, 10), (4, 2)))
    assert evidence.absorb(twice, world(), "c", LATER).durations == twice.durations


def test_differences_are_shown_beside_the_evidence() -> None:
    looked = evidence.absorb(CLIMBING, world(seen((50, 5), (950, 19))), "a", LATER)
    errors, latency = evidence.shown(looked)
    assert errors.difference is not None
    assert errors.difference.value == pytest.approx(0.08)
    assert latency.difference is None
    assert [each.difference for each in evidence.standings(looked)] == [None, None]


class TestBegin:
    def test_margins_and_the_latency_limit_are_frozen_from_history(self) -> None:
        history = History(requests=1000, errors=40, slow=10, slow_after_ms=37.5)
        started = evidence.begin(rollout(), history)
        errors, latency = started.evidence["errors"], started.evidence["latency"]
        assert (errors.worse.margin, errors.acceptable.margin) == pytest.approx((0.01, 0.02))
        assert (latency.worse.margin, latency.acceptable.margin) == (0.005, 0.01)
        assert (latency.worse.prior_bad, latency.worse.prior_n) == (10, 1000)
        assert started.slow_after_ms == 37.5

    def test_without_history_the_floors_hold(self) -> None:
        started = evidence.begin(rollout(), History(requests=0, errors=0, slow=0, slow_after_ms=1000.0))
        assert started.evidence["errors"].worse.margin == 0.0025
        assert started.evidence["errors"].worse.prior_n == 0

    def test_users_who_resemble_each_other_count_for_less(self) -> None:
        history = History(requests=5000, errors=10, slow=50, slow_after_ms=40.0, design_effects={"errors": 4.0})
        started = replace(evidence.begin(rollout(), history), phase=Phase.PROGRESSING, weight=5.0)
        after = evidence.absorb(started, world(seen((40, 4), (400, 4))), "c", LATER)
        assert after.evidence["errors"].worse.canary_n == 10
        assert after.evidence["latency"].design_effect == 1.0

    def test_what_luck_with_the_users_can_do_is_no_degradation(self) -> None:
        """A few groups of users fail always: the canary may have drawn such users, too."""
        alike = tuple((300, 3) for _ in range(64))
        unlike = tuple((300, 0) if number % 8 else (300, 24) for number in range(64))
        ends = []
        for groups in ((), alike, unlike):
            look = replace(seen((1000, 25), (19_200, 192)), groups=groups)
            after = evidence.absorb(CLIMBING, world(*[look] * 8), "c", LATER)
            worse = after.evidence["errors"].worse
            ends.append((evidence.standings(after)[0].degraded, worse.margin))
        assert ends == [(True, 0.0025), (True, 0.0025), (False, 0.0025)]
        assert after.evidence["errors"].groups == tuple((8 * n, 8 * bad) for n, bad in unlike)


class TestAbsorb:
    def test_a_good_look_serves_hold_and_counts_requests(self) -> None:
        after = evidence.absorb(
            CLIMBING, world(seen((20, 0), (300, 1)), seen((20, 1), (300, 2), "latency")), "c", LATER
        )
        assert (after.held_s, after.waited_s, after.blind_s) == (5, 5, 0)
        assert (after.requests, after.step_requests, after.cursor, after.ticked_at) == (20, 20, "c", LATER)
        assert after.evidence["latency"].worse.stable_bad == 2

    @pytest.mark.parametrize(("canary", "stable"), [(0, 300), (20, 0), (0, 0)])
    def test_no_hold_is_served_without_requests_of_both_arms(self, canary: int, stable: int) -> None:
        after = evidence.absorb(CLIMBING, world(seen((canary, 0), (stable, 0))), "c", LATER)
        assert (after.held_s, after.waited_s, after.blind_s) == (0, 5, 0)

    def test_late_requests_of_another_weight_are_evidence_but_serve_no_hold(self) -> None:
        late = seen((20, 1), (300, 1), weight=25.0)
        after = evidence.absorb(CLIMBING, world(late), "c", LATER)
        assert (after.held_s, after.step_requests, after.requests) == (0, 0, 20)
        assert after.evidence["errors"].worse.canary_bad == 1

    @pytest.mark.parametrize("weight", [None, 0.0, 4.0, 25.0])
    def test_no_time_counts_while_the_weight_is_not_the_one_asked_for(self, weight: float | None) -> None:
        after = evidence.absorb(CLIMBING, world(seen((20, 0), (300, 0)), weight=weight), "c", LATER)
        assert (after.held_s, after.waited_s, after.blind_s) == (0, 0, 5)

    def test_a_look_that_failed_is_read_again(self) -> None:
        failed = world(seen((20, 9), (300, 0)), source_error="half a log")
        after = evidence.absorb(replace(CLIMBING, cursor="before"), failed, "after", LATER)
        assert (after.cursor, after.requests, after.blind_s) == ("before", 0, 5)
        assert after.evidence == CLIMBING.evidence

    def test_one_look_with_sight_ends_the_blindness(self) -> None:
        after = evidence.absorb(replace(CLIMBING, blind_s=800.0), world(), "c", LATER)
        assert after.blind_s == 0

    @pytest.mark.parametrize(("seconds", "held"), [(0.2, 0.2), (9, 9), (3600, 10), (-3600, 0)])
    def test_a_late_look_counts_two_ticks_at_most(self, seconds: float, held: float) -> None:
        now = CLIMBING.started_at + timedelta(seconds=seconds)
        assert evidence.absorb(CLIMBING, world(seen((20, 0), (300, 0))), "c", now).held_s == pytest.approx(held)

    def test_the_first_look_has_served_nothing_yet(self) -> None:
        assert (
            evidence.absorb(replace(CLIMBING, ticked_at=None), world(seen((20, 0), (300, 0))), "c", LATER).held_s == 0
        )

    @pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.PROMOTING])
    def test_only_a_climbing_rollout_serves_hold(self, phase: Phase) -> None:
        after = evidence.absorb(replace(CLIMBING, phase=phase), world(seen((20, 1), (300, 0))), "c", LATER)
        assert (after.held_s, after.waited_s, after.requests) == (0, 0, 20)

    def test_a_first_deployment_has_nothing_to_compare(self) -> None:
        after = evidence.absorb(rollout(stable=None), world(seen((20, 1), (0, 0))), "c", LATER)
        assert after.evidence == {}


class TestVerified:
    @pytest.mark.parametrize(
        ("asked", "shown", "verified"),
        [
            (5.0, 5.0, True),
            (33.333, 33.33, True),
            (100.0, 99.99, True),
            (100.0, 100.0, True),
            (100.0, 99.98, False),
            (5.0, 5.02, False),
            (5.0, 0.0, False),
            (0.0, 0.0, True),
            (0.0, 0.01, False),
            (0.004, 0.0, False),
            (5.0, None, False),
        ],
    )
    def test_to_the_nearest_of_ten_thousand_parts(self, asked: float, shown: float | None, verified: bool) -> None:
        assert evidence.verified(begun(weight=asked), world(weight=shown)) is verified


class TestMissing:
    def test_every_need_is_named(self) -> None:
        assert [line.split()[0] for line in evidence.missing(CLIMBING)] == ["hold", "0", "errors", "latency"]

    def test_a_metric_that_nobody_observes_is_missing(self) -> None:
        served = replace(CLIMBING, held_s=1e6, step_requests=10**6, evidence={})
        assert evidence.missing(served) == ("errors not observed", "latency not observed")

    def test_requests_for_the_promote_margin_of_the_worst_metric(self) -> None:
        assert evidence.needed_requests(begun()) == math.ceil(9 * 0.01 * 0.99 / 0.01**2)
        assert evidence.needed_requests(replace(begun(), evidence={})) == 300


class TestStandings:
    def test_alpha_is_split_between_the_metrics(self) -> None:
        errors, latency = evidence.standings(begun())
        assert (errors.rollback_limit, latency.rollback_limit) == pytest.approx((1 / 0.003, 1 / 0.002))
        assert (errors.e_rollback, errors.promote_limit) == pytest.approx((1.0, 20.0))
        assert not errors.degraded
        assert not errors.acceptable

    def test_shares_are_those_seen_live(self) -> None:
        after = evidence.absorb(CLIMBING, world(seen((50, 5), (200, 2))), "c", LATER)
        errors, latency = evidence.standings(after)
        assert (errors.canary_share, errors.stable_share) == (0.1, 0.01)
        assert (latency.canary_share, latency.stable_share) == (0, 0)

    def test_overwhelming_evidence_is_still_a_number(self) -> None:
        after = evidence.absorb(CLIMBING, world(seen((10**6, 9 * 10**5), (10**6, 1000))), "c", LATER)
        assert evidence.standings(after)[0].degraded
        assert math.isfinite(evidence.standings(after)[0].e_rollback)


class TestBreaker:
    def test_it_stays_tripped_whatever_the_rest_of_the_look_shows(self) -> None:
        healthy = [seen((1000, 0), (1000, 0))] * 50
        after = evidence.absorb(CLIMBING, world(seen((300, 90), (300, 90)), *healthy), "c", LATER)
        assert evidence.breaker_tripped(after)

    def test_slow_answers_are_not_its_business(self) -> None:
        after = evidence.absorb(CLIMBING, world(seen((300, 290), (300, 290), "latency")), "c", LATER)
        assert after.breaker_log_e == ()
        assert not evidence.breaker_tripped(after)

    def test_requests_that_resemble_each_other_count_for_less(self) -> None:
        one_visit = replace(CLIMBING.evidence["errors"], design_effect=10.0)
        clustered = replace(CLIMBING, evidence={**CLIMBING.evidence, "errors": one_visit})
        look = world(seen((60, 12), (1140, 30)))
        assert evidence.breaker_tripped(evidence.absorb(CLIMBING, world(seen((300, 60), (300, 60))), "c", LATER))
        plain, after = (evidence.absorb(before, look, "c", LATER) for before in (CLIMBING, clustered))
        assert plain.breaker_log_e != after.breaker_log_e
        assert after.breaker_log_e == pytest.approx(breaker.update((), 60, 12, 0.05, 10.0))

    def test_it_looks_at_least_as_often_as_the_steps(self) -> None:
        assert evidence.interval_s(RolloutPolicy()) == 10
        assert evidence.interval_s(RolloutPolicy(tick=Duration(1))) == 1
        assert evidence.interval_s(RolloutPolicy(breaker=Breaker(tick=Duration(2)))) == 2
