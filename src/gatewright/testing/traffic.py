"""The promises of port `Traffic`, as tests that run over any adapter.

A subclass gives a fixture `site`: a model, its state database, the adapter and the world behind it (see
`gatewright.testing.courses.Site`). The tests may share one site; each starts from what serves there and ends what it
finds in progress. `bare` is a site where nothing serves yet.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from gatewright.domain.errors import LeaseLost, WorldFailed
from gatewright.domain.rollout import ALMOST_FULL, FULL, Phase, Rollout, TrafficState
from gatewright.domain.routing import cluster_name
from gatewright.ports import Traffic
from gatewright.testing.courses import NEAR, Course, Site, next_course


class TrafficConformance:
    """What every traffic keeps."""

    @pytest.fixture
    def site(self) -> Site:
        """Where it is tried; an adapter's own tests say how that is made."""
        pytest.fail("the subclass says where the traffic is tried")

    @pytest.fixture
    def bare(self, site: Site) -> Site:
        """A site where nothing serves yet; the same one, where each test has its own."""
        return site

    def test_a_first_deployment_that_is_rolled_back_leaves_nothing(self, bare: Site) -> None:
        course = Course.begin(bare, bare.artifacts[0], None)
        course.prepare()
        course.to(FULL)
        ended = course.roll_back()
        assert (ended.weight, ended.settled) == (0.0, True)
        assert bare.shares().get(course.canary.digest, 0.0) == 0.0

    def test_a_first_deployment_has_no_stable_arm_and_ends_with_all_traffic(self, bare: Site) -> None:
        course = Course.begin(bare, bare.artifacts[0], None)
        prepared = course.prepare()
        assert (prepared.weight, prepared.stable) == (FULL if bare.lone_serves else 0.0, None)
        assert prepared.canary is not None
        assert prepared.canary.digest == course.canary.digest
        assert course.promote().settled
        _assert_alone(course.canary.digest, course)

    def test_preparing_gives_the_canary_nothing_and_leaves_stable_alone(self, site: Site) -> None:
        course = next_course(site)
        assert course.stable is not None

        def prepare(traffic: Traffic, rollout: Rollout) -> None:
            course.preparing(traffic, rollout)
            assert course.state().weight in (0.0, None)
            _assert_alone(rollout.stable, course)

        state = course.until("both arms ready", prepare, _both_ready)
        assert (state.weight, state.mirror, state.settled) == (0.0, 0.0, False)
        assert state.canary is not None
        assert state.stable is not None
        assert (state.canary.digest, state.canary.ready) == (course.canary.digest, True)
        assert (state.stable.digest, state.stable.ready) == (course.stable.digest, True)
        _assert_alone(course.stable.digest, course)

    def test_preparing_twice_is_preparing_once(self, site: Site) -> None:
        course = _prepared(site)
        before, known = site.in_force(), course.state()
        for traffic in (course.driving, site.opened()):
            course.preparing(traffic, course.rollout)
            site.settle()
        assert (site.in_force(), course.state()) == (before, known)

    def test_each_weight_is_read_back_by_another_process(self, site: Site) -> None:
        course = _prepared(site)
        for weight in (5.0, 25.0, 50.0, ALMOST_FULL, 5.0):
            assert course.to(weight).weight == pytest.approx(weight, abs=NEAR)
            shares = site.shares()
            found = shares[course.rollout.canary], shares[course.rollout.stable or ""]
            assert found == pytest.approx((weight, FULL - weight), abs=NEAR)
        full = course.to(FULL).weight
        assert full is not None
        assert full >= ALMOST_FULL
        _assert_alone(course.canary.digest, course)

    def test_the_same_weight_again_changes_nothing(self, site: Site) -> None:
        course = _at(site, 25.0)
        before = site.in_force()
        for traffic in (course.driving, course.driving, site.opened()):
            traffic.set_weight(course.rollout, 25.0)
            site.settle()
        assert site.in_force() == before
        assert course.state().weight == pytest.approx(25.0, abs=NEAR)

    def test_weight_that_is_taken_away_is_read_back_as_none_at_all(self, site: Site) -> None:
        course = _at(site, 25.0)
        assert course.to(0.0).weight == 0.0
        _assert_alone(course.rollout.stable, course)

    def test_copies_are_read_back_and_answer_nobody(self, site: Site) -> None:
        if not site.mirrors:
            pytest.skip("no requests are copied here")
        course = _prepared(site)
        course.rollout = replace(course.rollout, mirror=0.5)
        copied = course.until("copies", _no_weight, lambda state: state.mirror > 0)
        assert copied.weight == 0.0
        assert copied.mirror == pytest.approx(0.5, abs=0.001)
        _assert_alone(course.rollout.stable, course)
        course.rollout = replace(course.rollout, mirror=0.0)
        assert course.until("no copies", _no_weight, lambda state: state.mirror == 0.0).weight == 0.0

    def test_what_was_asked_is_not_told_before_it_is_done_and_is_done_when_asked_again(self, site: Site) -> None:
        course = _at(site, 5.0)
        stalled = site.stalled()
        if stalled is None:
            pytest.skip("nothing stands between an order and its effect")
        with stalled:
            with suppress(WorldFailed):
                course.driving.set_weight(course.rollout, 50.0)
            told = course.state()
            assert told.weight is None or told.weight == pytest.approx(5.0, abs=NEAR)
        course.driving = site.opened()
        assert course.to(50.0).weight == pytest.approx(50.0, abs=NEAR)

    def test_shares_are_told_by_cluster_also_outside_of_a_rollout(self, site: Site) -> None:
        course = _at(site, 25.0)
        found = site.opened().shares()
        stable, canary = cluster_name(course.rollout.stable or ""), cluster_name(course.rollout.canary)
        assert found == pytest.approx({canary: 25.0, stable: 75.0}, abs=NEAR)
        course.roll_back()
        alone = course.driving.shares()
        assert alone is not None
        assert alone[stable] >= ALMOST_FULL - 1e-9

    def test_what_cannot_be_read_is_told_and_not_raised(self, site: Site) -> None:
        course = _at(site, 25.0)
        with site.unreadable():
            state = course.state()
            assert state.weight is None
            assert state.error
            with pytest.raises(WorldFailed):
                course.watching.shares()
        assert course.to(25.0).error is None

    def test_who_has_lost_the_lease_moves_nothing(self, site: Site) -> None:
        course = _at(site, 25.0)
        before, outdated = site.in_force(), course.take_over()
        for _ in range(2):
            for traffic in (course.driving, site.opened()):
                with pytest.raises(LeaseLost):
                    course.preparing(traffic, outdated)
                for weight in (0.0, 50.0):
                    with pytest.raises(LeaseLost):
                        traffic.set_weight(outdated, weight)
                for phase in (Phase.PROMOTING, Phase.ROLLED_BACK):
                    with pytest.raises(LeaseLost):
                        traffic.finish(replace(outdated, phase=phase))
            site.settle()
            assert site.in_force() == before
            assert course.to(25.0).weight == pytest.approx(25.0, abs=NEAR)  # from now on the traffic knows the new one
            before = site.in_force()

    def test_a_condemned_canary_gets_no_traffic_any_more(self, site: Site) -> None:
        course = _at(site, 25.0)
        undecided = course.move(Phase.ROLLING_BACK, 0.0)
        with pytest.raises(LeaseLost):
            course.driving.set_weight(undecided, 25.0)
        if site.mirrors:
            with pytest.raises(LeaseLost):
                course.driving.set_weight(replace(undecided, mirror=0.5), 0.0)
        assert course.to(0.0).weight == 0.0
        with pytest.raises(LeaseLost):
            site.opened().set_weight(undecided, 5.0)
        site.settle()
        assert course.state().weight == 0.0

    def test_a_rollout_that_a_later_one_has_followed_moves_nothing(self, site: Site) -> None:
        earlier = _at(site, 25.0)
        earlier.roll_back(settle=False)
        course = Course.begin(site, earlier.canary, earlier.stable)
        course.prepare()
        course.to(25.0)
        before, over = site.in_force(), earlier.rollout
        for traffic in (earlier.driving, site.opened()):
            with suppress(LeaseLost):
                traffic.prepare(over, earlier.canary, earlier.stable)
            for weight in (0.0, 50.0):
                with suppress(LeaseLost):
                    traffic.set_weight(over, weight)
            for phase in (Phase.PROMOTED, Phase.ROLLED_BACK):
                with suppress(LeaseLost):
                    traffic.finish(replace(over, phase=phase))
        site.settle()
        assert site.in_force() == before
        found = course.state()
        assert found.weight == pytest.approx(25.0, abs=NEAR)
        assert (found.canary is not None and found.canary.ready, found.settled) == (True, False)

    def test_promoted_makes_the_canary_the_stable_arm_of_the_next_rollout(self, site: Site) -> None:
        course = _at(site, 25.0)
        promoted = course.promote()
        assert promoted.settled
        assert promoted.weight is not None
        assert promoted.weight >= ALMOST_FULL
        _assert_alone(course.canary.digest, course)
        _assert_finishing_again_changes_nothing(course)
        onward = next_course(site)
        assert onward.stable == course.canary
        prepared = onward.prepare()
        assert (prepared.weight, prepared.settled) == (0.0, False)
        _assert_alone(course.canary.digest, onward)
        onward.to(25.0)
        assert site.shares()[course.canary.digest] == pytest.approx(75.0, abs=NEAR)

    def test_all_traffic_asked_for_once_more_after_the_finish_changes_nothing(self, site: Site) -> None:
        course = _at(site, 25.0)
        course.promote(recorded=False)
        before = site.in_force()
        for traffic in (course.driving, site.opened()):
            traffic.set_weight(course.rollout, FULL)
        site.settle()
        assert (site.in_force(), course.state().settled) == (before, True)

    def test_a_promotion_is_taken_back_before_it_was_recorded(self, site: Site) -> None:
        course = _at(site, 25.0)
        course.promote(recorded=False)
        course.move(Phase.ROLLING_BACK, 0.0)
        assert course.to(0.0).weight == 0.0
        _assert_alone(course.rollout.stable, course)
        ended = course.roll_back(settle=False)
        assert (ended.weight, ended.settled) == (0.0, True)
        _assert_alone(course.rollout.stable, course)

    def test_rolled_back_takes_the_canary_away_once(self, site: Site) -> None:
        course = _at(site, 25.0)
        ended = course.roll_back()
        assert (ended.weight, ended.settled) == (0.0, True)
        _assert_alone(course.rollout.stable, course)
        course.until("the canary is unloaded", _nothing, lambda state: state.canary is None or not state.canary.ready)
        _assert_finishing_again_changes_nothing(course)


def _prepared(site: Site) -> Course:
    course = next_course(site)
    course.prepare()
    return course


def _at(site: Site, weight: float) -> Course:
    course = _prepared(site)
    course.move(Phase.PROGRESSING, weight)
    course.to(weight)
    return course


def _both_ready(state: TrafficState) -> bool:
    return all(arm is not None and arm.ready for arm in (state.canary, state.stable))


def _no_weight(traffic: Traffic, rollout: Rollout) -> None:
    traffic.set_weight(rollout, 0.0)


def _nothing(traffic: Traffic, rollout: Rollout) -> None:
    """No order: only looked at."""


def _assert_alone(digest: str | None, course: Course) -> None:
    """All traffic goes to this model; another one that is kept as a place to try again has 1 of 10,000 at most."""
    assert digest is not None
    assert course.site.shares()[digest] >= ALMOST_FULL - 1e-9


def _assert_finishing_again_changes_nothing(course: Course) -> None:
    site, before, known = course.site, course.site.in_force(), course.state()
    for traffic in (course.driving, site.opened()):
        traffic.finish(course.rollout)
        site.settle()
    assert site.in_force() == before
    assert (course.state().weight, course.state().settled) == (known.weight, known.settled)
