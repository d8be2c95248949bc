"""The promises of port `MetricSource`, as tests that run over any adapter.

A subclass gives a fixture `scene`: a source and the world it looks at (see `gatewright.testing.scenes.Scene`), a new
one for each test. What is counted is compared with what was served: a block has to be made of moments that follow one
another, all under its weight, and no moment may be in two.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gatewright.domain.errors import GatewrightError
from gatewright.domain.evidence import LIVE_METRICS, Block, Look
from gatewright.domain.rollout import ALMOST_FULL, FULL
from gatewright.rules import sight
from gatewright.testing.scenes import LIMIT_MS, ROLES, By, Grain, Role, Scene, Watched, is_a_past, numbers, runs

_CUTS = (1.0, 0.2, 0.4, 1.75, 0.6, 2.5, 0.05, 0.0, 3.0, 1.0, 0.5, 0.5, 1.5, 1.0)
"""Times between looks, in parts of `look_s`; all shorter than the lease."""
_STRANGE = ("no cursor of mine", "{}", "[]", "5", '{"another": {"source": 1}}', '{"position": 5, "readings": [5]}')


class MetricSourceConformance:
    """What every source of evidence keeps."""

    @pytest.fixture
    def scene(self) -> Scene:
        """Where it is tried; an adapter's own tests say how that is made."""
        pytest.fail("the subclass says where the source is tried")

    def test_requests_errors_and_slow_answers_are_those_of_each_arm(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    def test_every_request_counts_once_however_the_time_is_cut_into_looks(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        began = watched.mark()
        for part in _CUTS * 2:
            watched.serve(part * scene.look_s)
            _believe([watched.look()])
        _assert_told(watched, since=began)

    def test_another_process_at_each_look_goes_on_where_the_last_one_was(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        began = watched.mark()
        for _ in range(watched.enough()):
            watched.source = scene.opened()
            _believe(watched.looks(1))
        held = watched.source
        for _ in range(6):
            watched.source = held if watched.source is not held else scene.opened()
            watched.serve(scene.look_s)
            _believe([watched.look()])
        _assert_told(watched, since=began)

    def test_a_look_that_was_not_written_down_is_made_again(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        began = watched.mark()
        for number in range(watched.enough() + 2):
            watched.serve(scene.look_s)
            lost = [watched.glance(), watched.glance()]
            watched.source = scene.opened()
            again = watched.glance()
            assert lost == [again, again]
            if number % 2:  # and a while passes until somebody else takes over
                watched.serve(scene.look_s / 4)
            _believe([watched.look()])
        _assert_told(watched, since=began)

    def test_what_an_earlier_rollout_was_told_is_no_evidence_of_this_one(self, scene: Scene) -> None:
        earlier = Watched.begin(scene)
        earlier.looks(3)
        watched = Watched.begin(scene)
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    def test_blocks_are_of_one_weight(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        for weight in (25.0, 5.0, FULL):
            began = watched.mark()
            _believe(watched.looks(watched.enough()))
            _assert_told(watched, since=began)
            watched.serve(scene.look_s * 0.7)
            _believe([watched.look()])
            watched.to(weight, shown=False)
            watched.serve(scene.look_s * 0.2)  # until the traffic has taken it over
            watched.weight = min(weight, ALMOST_FULL)
        _believe(watched.looks(watched.enough()))
        _assert_right(watched)

    def test_a_weight_that_the_traffic_does_not_show_yet_is_not_told(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        watched.looks(watched.enough())
        watched.to(25.0, shown=False)
        _believe(watched.looks(3))
        watched.serve(scene.look_s * 0.4)
        watched.weight = 25.0
        watched.serve(scene.look_s * 0.6)
        _believe([watched.look()])
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    def test_what_is_under_way_while_the_weight_changes_is_not_told_under_the_new_one(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        watched.looks(watched.enough())
        watched.to(25.0, shown=False)
        watched.serve(scene.look_s * 0.1)
        long = watched.under_way()
        watched.weight = 25.0
        watched.serve(scene.look_s * 0.8)
        _believe([watched.look()])
        watched.serve(scene.look_s * 0.4)
        watched.ended(long)
        watched.serve(scene.look_s * 0.6)
        began = watched.mark()
        _believe([watched.look(), *watched.looks(watched.enough())])
        _assert_told(watched, since=began)

    def test_traffic_that_slips_away_is_not_told_as_what_was_asked(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        watched.looks(watched.enough())
        watched.serve(scene.look_s * 0.4)
        watched.weight = 0.0
        watched.serve(scene.look_s * 0.6)
        _believe([watched.look(), *watched.looks(3)])
        watched.weight = 5.0
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    def test_what_is_served_after_the_lease_has_lapsed_is_not_told_as_the_canarys(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        watched.looks(watched.enough())
        lease_s = watched.rollout.policy.lease.seconds
        watched.serve(lease_s)
        watched.weight = 0.0  # the supervisor has taken it back
        watched.serve(scene.look_s / 2)
        _believe([watched.look()])
        watched.weight = 5.0
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    def test_a_look_that_failed_changes_nothing_and_is_told(self, scene: Scene) -> None:
        assert scene.faults, "a source that cannot fail is none"
        watched = Watched.begin(scene)
        watched.looks(watched.enough())
        for way in scene.faults:
            before = watched.rollout.cursor
            with scene.broken(way):
                for found in watched.looks(3):
                    assert found == Look(cursor=before, error=found.error), way
                    assert found.error, way
                    assert found.error.isprintable(), way
            began = watched.mark()
            _believe(watched.looks(watched.enough()))
            _assert_told(watched, since=began)

    def test_what_is_missing_is_not_zero(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        watched.looks(watched.enough())
        for way in scene.voids:
            with scene.broken(way):
                _possible(watched.looks(3 + watched.enough() // 2))
            began = watched.mark()
            found = watched.looks(watched.enough())
            _possible(found)
            assert [look.error for look in found[2:]] == [None] * (len(found) - 2)
            _assert_told(watched, since=began, lacking=True)

    def test_a_time_without_requests_is_no_evidence(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        watched.looks(watched.enough())
        for _ in range(watched.enough()):
            watched.idle(scene.look_s)
            _possible([watched.look()])
        known = len(watched.told)
        for _ in range(3):
            watched.idle(scene.look_s)
            _possible([watched.look()])
        assert not any(any(numbers(seen)) for seen in watched.told[known:])
        began = watched.mark()
        _possible(watched.looks(watched.enough()))
        _believe(watched.looks(watched.enough()))
        _assert_right(watched)
        assert any(grain.at >= began for grain in _covered(watched))

    @pytest.mark.parametrize("looks_before", [2, None], ids=["young", "old"])
    @pytest.mark.parametrize("role", ROLES)
    def test_counters_that_begin_anew_are_not_taken_for_those_before(
        self, scene: Scene, role: Role, looks_before: int | None
    ) -> None:
        """Young ones have counted less at their end than the new ones when they are seen first."""
        watched = Watched.begin(scene)
        watched.looks(looks_before or watched.enough())
        watched.serve(scene.look_s * 0.2)
        if not scene.restart(role):
            pytest.skip("nothing counts on")
        if looks_before is None:
            watched.serve(scene.look_s * 0.4)
            scene.restart(role)
            watched.serve(scene.look_s * 0.4)
        else:
            watched.serve(scene.look_s * 3.8, times=3)
        _possible([watched.look()])
        _possible(watched.looks(2))
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    @pytest.mark.parametrize("by", ["tester", "copy"])
    def test_what_testers_ask_and_what_is_copied_is_no_evidence(self, scene: Scene, by: By) -> None:
        if not scene.charges:
            pytest.skip("it does not know who asked")
        watched = Watched.begin(scene)
        began = watched.mark()
        for _ in range(watched.enough()):
            watched.serve(scene.look_s / 2)
            watched.serve(scene.look_s / 2, by=by, roles=ROLES if by == "tester" else ("stable",))
            _believe([watched.look()])
        _assert_told(watched, since=began)

    def test_without_weight_there_are_no_blocks(self, scene: Scene) -> None:
        watched = Watched.begin(scene, weight=0.0)
        _believe(watched.looks(watched.enough()))
        assert watched.told == []
        watched.to(5.0)
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    def test_slow_is_what_the_rollout_began_with(self, scene: Scene) -> None:
        if scene.other_limit_ms is None:
            pytest.skip("it knows one limit")
        watched = Watched.begin(scene)
        watched.rollout = replace(watched.rollout, slow_after_ms=scene.other_limit_ms)
        found = watched.looks(watched.enough())
        if all(look.error for look in found[1:]):
            assert watched.told == []
            return
        _possible(found)
        covered, strange = runs(watched, "latency", scene.other_limit_ms)
        assert covered
        assert strange == []

    def test_a_cursor_that_another_source_has_left_is_begun_anew(self, scene: Scene) -> None:
        watched = Watched.begin(scene)
        for cursor in _STRANGE:
            watched.looks(1)
            watched.rollout = replace(watched.rollout, cursor=cursor)
            _believe(watched.looks(1))
        began = watched.mark()
        _believe(watched.looks(watched.enough()))
        _assert_told(watched, since=began)

    def test_history_is_what_stable_served_before(self, scene: Scene) -> None:
        watched = Watched.waiting(scene)
        watched.serve(scene.past_s)
        if scene.charges:
            watched.serve(scene.look_s, roles=ROLES, by="tester")
        scene.forward(scene.look_s)
        found = watched.history()
        assert found == scene.opened().history(watched.rollout)
        assert found.slow_after_ms == LIMIT_MS
        assert is_a_past(watched, found), found
        served = sum(len(grain.answers["stable"]) for grain in watched.grains)
        assert found.requests > served / 2
        assert found.per_second is None or found.per_second == pytest.approx(served / scene.past_s, rel=0.4)

    def test_a_history_of_nothing_is_empty_or_refused(self, scene: Scene) -> None:
        watched = Watched.waiting(scene)
        nobody = replace(watched.rollout, stable="sha256:" + "c" * 64)
        watched.serve(scene.past_s)
        try:
            found = watched.source.history(nobody)
        except GatewrightError:
            return
        assert (found.requests, found.errors, found.slow, found.per_second) == (0, 0, 0, None)
        assert 0 < found.slow_after_ms < math.inf

    def test_a_history_that_cannot_be_read_is_refused(self, scene: Scene) -> None:
        watched = Watched.waiting(scene)
        watched.serve(scene.past_s)
        for way in scene.faults:
            with scene.broken(way), pytest.raises(GatewrightError):
                watched.history()
        assert watched.history().requests > 0


def _possible(looks: list[Look]) -> None:
    """What holds for every look."""
    for found in looks:
        assert sight.doubt(found) is None
        assert not (found.error and found.observations)
        for seen in found.observations:
            assert seen.metric in LIVE_METRICS
            assert seen.weight > 0
            assert isinstance(seen.block, Block)
            assert all(isinstance(number, int) for number in numbers(seen))
            if seen.groups:
                assert tuple(map(sum, zip(*seen.groups, strict=True))) == numbers(seen)[2:]
        for draw in found.draws:
            assert 0 <= draw.canary <= draw.drawn


def _believe(looks: list[Look]) -> None:
    """The same, and none of them failed."""
    _possible(looks)
    assert [found.error for found in looks] == [None] * len(looks)


def _assert_right(watched: Watched, *, lacking: bool = False) -> None:
    """Every block is made of what was served, and nothing is in two."""
    for metric in LIVE_METRICS:
        _, strange = runs(watched, metric, lacking=lacking)
        assert strange == [], metric


def _assert_told(watched: Watched, *, since: float, lacking: bool = False) -> None:
    """Right, and nearly all that was served at the weight that it has had since then."""
    scene = watched.scene
    first = since + scene.lead_s + 2 * watched.longest_s
    last = watched.now - scene.lag_s - watched.longest_s
    wanted = {index for index, grain in enumerate(watched.grains) if first <= grain.at < last}
    assert wanted, "too few looks to tell"
    for metric in LIVE_METRICS:
        covered, strange = runs(watched, metric, lacking=lacking)
        assert strange == [], metric
        left_out = sorted(watched.grains[index].at - since for index in wanted - covered)
        assert left_out == [], f"{metric}: left out, in seconds after {since}"


def _covered(watched: Watched) -> list[Grain]:
    covered, _ = runs(watched, "errors")
    return [watched.grains[index] for index in sorted(covered)]
