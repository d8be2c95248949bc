"""How a rollout at an endpoint ends: its guard, its rollback, what stays warm, and what is unloaded later."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gatewright.domain.errors import WorldFailed
from gatewright.domain.rollout import Phase
from gatewright.domain.routing import cluster_name
from tests.fixtures.endpoint_world import WRITES, World
from tests.fixtures.forwarding import Fault

pytestmark = pytest.mark.xdist_group("sagemaker")


class TestGuard:
    def test_it_stands_before_the_weight_and_gives_everything_back(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        before = len(world.asked())
        traffic.set_weight(rollout, 5.0)
        assert [kind.split()[0] for kind in world.asked()[before:]] == ["PUT", "POST", WRITES[1]]
        schedule = world.schedule()
        assert schedule is not None
        until = world.clock.now() + timedelta(seconds=rollout.policy.lease.seconds)
        assert schedule["ScheduleExpression"] == f"at({until:%Y-%m-%dT%H:%M:%S})"
        assert schedule["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:sagemaker:updateEndpointWeightsAndCapacities"
        order = json.loads(schedule["Target"]["Input"])
        world.settle(traffic, rollout)
        world.aws("sagemaker").update_endpoint_weights_and_capacities(**order)  # as the schedule does
        world.settle(traffic, rollout)
        assert traffic.state(rollout).weight == 0.0

    def test_each_tick_moves_it(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        found = []
        for _ in range(2):
            traffic.set_weight(rollout, 5.0)
            found.append((world.schedule() or {})["ScheduleExpression"])
            world.clock.forward(60.0)
            world.settle(traffic, rollout)
        assert found == ["at(2026-01-01T00:05:00)", "at(2026-01-01T00:06:00)"]

    def test_without_a_guard_no_weight_is_given(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        path = f"/schedules/gatewright-{world.own}"
        world.server.front.fault = Fault(of=f"PUT {path}", status=403, body=b'{"message": "no"}')
        with pytest.raises(WorldFailed, match="403"):
            traffic.set_weight(rollout, 5.0)
        assert world.weights() == {"one": 1.0, "two": 0.0}

    def test_nobody_who_said_none_is_guarded(self, world: World) -> None:
        world.deployed("one")
        _, rollout = world.begun("two", "one")
        traffic = world.traffic(guard="none")
        traffic.set_weight(rollout, 5.0)
        world.settle(traffic, rollout)
        assert (world.schedule(), traffic.state(rollout).weight) == (None, 5.0)

    def test_it_is_gone_when_a_promotion_is_settled(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        traffic.set_weight(rollout, 100.0)
        world.settle(traffic, rollout)
        assert traffic.state(rollout).settled is False
        traffic.finish(replace(rollout, phase=Phase.PROMOTING))
        assert (traffic.state(rollout).settled, world.schedule()) == (True, None)


class TestEnding:
    def test_a_rollback_returns_to_the_variant_before_and_unloads(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        traffic.set_weight(rollout, 50.0)
        world.settle(traffic, rollout)
        back = replace(rollout, phase=Phase.ROLLING_BACK)
        traffic.set_weight(back, 0.0)
        world.settle(traffic, back)
        assert traffic.state(back).weight == 0.0
        ended = replace(rollout, phase=Phase.ROLLED_BACK)
        traffic.finish(ended)
        world.settle(traffic, ended)
        assert (world.weights(), world.schedule()) == ({"one": 100.0}, None)
        before = world.asked()
        assert world.traffic().tend() is None
        traffic.finish(ended)
        assert [kind for kind in world.asked()[len(before) :] if kind in WRITES] == []

    def test_what_cannot_be_unloaded_yet_is_tended_later(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.traffic(), world.rollout("two", "one")
        world.server.looks = 3
        world.prepare(traffic, rollout)
        traffic.finish(replace(rollout, phase=Phase.ROLLED_BACK))
        told = [traffic.tend() for _ in range(8)]
        assert f"endpoint {world.own} is Updating" in told
        assert f"{cluster_name(rollout.canary)} is being unloaded from endpoint {world.own}" in told
        assert (told[-1], world.weights()) == (None, {"one": 1.0})

    def test_the_old_variant_stays_warm_for_the_window_only(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        traffic.set_weight(rollout, 100.0)
        world.settle(traffic, rollout)
        traffic.finish(replace(rollout, phase=Phase.PROMOTED))
        assert (traffic.tend(), world.weights()) == (None, {"one": 0.0, "two": 100.0})
        world.clock.forward(rollout.policy.rollback_window.seconds + 1)
        traffic.tend()
        world.settle(traffic, rollout)
        assert (traffic.tend(), world.weights()) == (None, {"two": 100.0})

    def test_a_return_within_the_window_needs_no_start(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        traffic.set_weight(rollout, 100.0)
        world.settle(traffic, rollout)
        traffic.finish(replace(rollout, phase=Phase.PROMOTED))
        back = world.rollout("one", "two", restored_by="ann")
        world.prepare(traffic, back)
        found = traffic.state(back)
        assert found.canary is not None
        assert (found.canary.ready, found.weight) == (True, 0.0)
        traffic.set_weight(back, 100.0)
        world.settle(traffic, back)
        assert world.weights() == {"one": 100.0, "two": 0.0}

    def test_weight_that_came_after_the_end_is_taken_back(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        traffic.finish(replace(rollout, phase=Phase.ROLLED_BACK))
        world.settle(traffic, rollout)
        traffic, second = world.begun("three", "one")
        traffic.set_weight(second, 100.0)
        world.settle(traffic, second)
        traffic.finish(replace(second, phase=Phase.PROMOTED))
        shares = [("one", 75.0), ("three", 25.0)]
        wanted = [
            {"VariantName": cluster_name(world.versions[name].artifact.digest), "DesiredWeight": share}
            for name, share in shares
        ]
        world.aws("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=world.own, DesiredWeightsAndCapacities=wanted
        )  # of a controller that slept between its fence and its call
        world.settle(traffic, second)
        assert "goes back to" in str(traffic.tend())
        world.settle(traffic, second)
        assert world.weights() == {"one": 0.0, "three": 100.0}

    def test_a_first_deployment_that_is_rolled_back_leaves_nothing(self, world: World) -> None:
        traffic, rollout = world.traffic(), world.rollout("one", None)
        world.prepare(traffic, rollout)
        world.settle(traffic, rollout)
        back = replace(rollout, phase=Phase.ROLLING_BACK)
        traffic.set_weight(back, 0.0)
        assert (traffic.state(back).weight, traffic.shares()) == (0.0, None)
        traffic.finish(replace(rollout, phase=Phase.ROLLED_BACK))
        assert traffic.tend() is None
