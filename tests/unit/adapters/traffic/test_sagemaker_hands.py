"""An endpoint that others touch while a rollout is open: by hand, by a schedule, by SageMaker itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gatewright.adapters.traffic.sagemaker.guard import schedule_name
from gatewright.domain.errors import WorldFailed
from gatewright.domain.rollout import Phase, Rollout, TrafficState
from gatewright.domain.routing import cluster_name
from tests.fixtures.endpoint_world import WRITES, World
from tests.fixtures.forwarding import Fault

pytestmark = pytest.mark.xdist_group("sagemaker")


def divided(world: World, weight: float = 25.0) -> tuple[Any, Rollout]:
    """A rollout whose canary has this weight."""
    world.deployed("one")
    traffic, rollout = world.begun("two", "one")
    rollout = replace(rollout, phase=Phase.PROGRESSING, weight=weight)
    traffic.set_weight(rollout, weight)
    world.settle(traffic, rollout)
    return traffic, rollout


def left_with(world: World, *contents: str) -> None:
    """Somebody has the endpoint take a configuration with the variants of these versions only."""
    aws = world.aws("sagemaker")
    config = aws.describe_endpoint(EndpointName=world.own)["EndpointConfigName"]
    names = [cluster_name(world.versions[content].artifact.digest) for content in contents]
    variants = aws.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    mine = [each for each in variants if each["VariantName"] in names]
    aws.create_endpoint_config(EndpointConfigName=f"{world.own}-by-hand", ProductionVariants=mine)
    aws.update_endpoint(
        EndpointName=world.own, EndpointConfigName=f"{world.own}-by-hand", RetainAllVariantProperties=True
    )


def errors(state: TrafficState) -> tuple[str | None, str | None]:
    return (state.canary.error if state.canary else None, state.stable.error if state.stable else None)


class TestTakenAway:
    def test_a_canary_that_somebody_removed_is_told_as_broken(self, world: World) -> None:
        traffic, rollout = divided(world)
        left_with(world, "one")
        world.settle(traffic, rollout)
        canary, stable = errors(traffic.state(rollout))
        assert (canary, stable) == (
            f"endpoint {world.own} has no variant {cluster_name(rollout.canary)} any more",
            None,
        )

    def test_stable_that_somebody_removed_is_told_and_comes_back(self, world: World) -> None:
        traffic, rollout = divided(world)
        left_with(world, "two")
        world.settle(traffic, rollout)
        found = traffic.state(rollout)
        assert (found.weight, errors(found)[0]) == (100.0, None)
        assert "any more" in (errors(found)[1] or "")
        back = replace(rollout, phase=Phase.ROLLING_BACK, weight=0.0)
        for _ in range(2):
            traffic.set_weight(back, 0.0)
            world.settle(traffic, back)
        assert world.weights() == {"one": 100.0, "two": 0.0}

    def test_an_endpoint_that_somebody_deleted_is_no_fault_of_the_canary_alone(self, world: World) -> None:
        traffic, rollout = divided(world)
        world.aws("sagemaker").delete_endpoint(EndpointName=world.own)
        gone = f"there is no endpoint {world.own} any more"
        assert errors(traffic.state(rollout)) == (gone, gone)
        assert errors(traffic.state(replace(rollout, phase=Phase.PENDING, weight=0.0))) == (None, None), (
            "it is made anew"
        )

    def test_a_canary_without_traffic_is_not_blamed_for_an_endpoint_that_failed(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        world.server.standing(world.own, "Failed", "lost its role")
        failed = f"endpoint {world.own} is Failed: lost its role"
        assert errors(traffic.state(rollout)) == (None, failed)
        assert errors(traffic.state(replace(rollout, weight=5.0))) == (failed, failed)

    def test_traffic_of_a_stranger_is_taken_back_with_the_next_order(self, world: World) -> None:
        traffic, rollout = divided(world)
        world.server.joined(world.own, "by-hand", 50.0)
        assert traffic.state(rollout).weight == pytest.approx(100 * 25 / 150, abs=1e-3)
        for _ in range(3):
            traffic.set_weight(rollout, 25.0)
            world.settle(traffic, rollout)
        assert world.server.weights(world.own)["by-hand"] == 0.0
        assert traffic.state(rollout).weight == 25.0
        before = world.asked()
        traffic.set_weight(rollout, 25.0)
        assert [kind for kind in world.asked()[len(before) :] if kind in WRITES] == [], "and then nothing is asked"

    def test_a_version_that_somebody_deleted_does_not_keep_its_traffic_from_going(self, world: World) -> None:
        _, rollout = divided(world)
        group = world.group
        world.group = "nobody-is-here"
        blind, back = world.traffic(), replace(rollout, phase=Phase.ROLLING_BACK, weight=0.0)
        assert "is not registered" in (blind.state(rollout).error or "")
        blind.set_weight(back, 0.0)
        world.settle(blind, back)
        assert blind.state(back).weight == 0.0
        world.group = group


class TestServiceOfItsOwnMind:
    def test_an_order_that_was_given_up_is_given_again(self, world: World) -> None:
        traffic, rollout = divided(world)
        world.server.fails = "could not scale"
        for _ in range(2):
            traffic.set_weight(rollout, 50.0)
            world.settle(traffic, rollout)
        assert traffic.state(rollout).weight == 50.0

    def test_what_serves_a_mix_of_two_configurations_still_has_weights(self, world: World) -> None:
        traffic, rollout = divided(world)
        world.server.standing(world.own, "UpdateRollbackFailed", "both failed")
        found = traffic.state(rollout)
        assert (found.weight, errors(found)) == (25.0, (None, None))
        assert traffic.shares() is not None

    def test_a_first_deployment_is_not_gone_while_its_endpoint_is_being_made(self, world: World) -> None:
        world.server.looks = 3
        traffic, rollout = world.traffic(), world.rollout("one", None)
        world.prepare(traffic, rollout)
        back = replace(rollout, phase=Phase.ROLLING_BACK)
        traffic.set_weight(back, 0.0)
        waiting = traffic.state(back)
        assert (waiting.weight, waiting.error) == (
            None,
            f"endpoint {world.own} is being made: it can be deleted after that",
        )
        world.settle(traffic, back)
        traffic.set_weight(back, 0.0)
        assert (traffic.state(back).weight, world.server.exists(world.own)) == (0.0, False)

    def test_a_first_deployment_that_is_only_paused_stays(self, world: World) -> None:
        traffic, rollout = world.traffic(), world.rollout("one", None)
        world.prepare(traffic, rollout)
        world.settle(traffic, rollout)
        traffic.set_weight(replace(rollout, phase=Phase.PAUSED), 0.0)
        assert world.server.exists(world.own)

    def test_a_failed_first_deployment_leaves_nothing_that_fails_the_next(self, world: World) -> None:
        world.server.fails = "the image is not there"
        traffic, rollout = world.traffic(), world.rollout("one", None)
        world.prepare(traffic, rollout)
        world.settle(traffic, rollout)
        traffic.finish(replace(rollout, phase=Phase.ROLLED_BACK))
        traffic.tend()
        assert not world.server.exists(world.own)


class TestGuardOfAnEnd:
    def test_a_promotion_that_the_guard_took_back_before_its_record_is_restored(self, world: World) -> None:
        traffic, rollout = divided(world)
        rollout = replace(rollout, phase=Phase.PROMOTING, weight=100.0)
        traffic.set_weight(rollout, 100.0)
        world.settle(traffic, rollout)
        order = json.loads((world.schedule() or {})["Target"]["Input"])
        traffic.finish(rollout)
        world.aws("sagemaker").update_endpoint_weights_and_capacities(**order)  # its last try came late
        world.settle(traffic, rollout)
        assert traffic.state(rollout).weight == 0.0
        world.traffic().set_weight(rollout, 100.0)
        world.settle(traffic, rollout)
        assert traffic.state(rollout).weight == 100.0

    def test_weight_that_came_after_an_end_does_not_stop_the_next_rollout(self, world: World) -> None:
        traffic, rollout = divided(world)
        back = replace(rollout, phase=Phase.ROLLED_BACK, weight=0.0)
        traffic.finish(back)
        traffic.tend()
        world.settle(traffic, back)
        world.server.joined(world.own, cluster_name(rollout.canary), 25.0)
        traffic, after = world.traffic(), world.rollout("three", "one")
        for _ in range(3):
            world.prepare(traffic, after)
            world.settle(traffic, after)
        assert (traffic.state(after).weight, world.weights().get("two", 0.0)) == (0.0, 0.0)

    def test_it_comes_at_a_full_minute_and_never_before_the_lease_ends(self, world: World) -> None:
        world.clock.forward(7.5)
        divided(world)
        assert (world.schedule() or {})["ScheduleExpression"] == "at(2026-01-01T00:06:00)"

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_a_clock_that_is_wrong_moves_it_not(self, world: World, hours: int) -> None:
        server_time = world.clock.moment.timestamp()
        world.server.front.now = lambda: server_time
        world.clock.moment += timedelta(hours=hours)
        divided(world)
        assert (world.schedule() or {})["ScheduleExpression"] == "at(2026-01-01T00:05:00)"

    def test_a_clock_that_is_so_wrong_that_aws_refuses_is_named(self, world: World) -> None:
        traffic, rollout = divided(world)
        said = "Signature expired: 20260101T000000Z is now earlier than 20260101T005500Z"
        body = json.dumps({"__type": "InvalidSignatureException", "message": said}).encode()
        world.server.front.fault = Fault(of="DescribeEndpoint", status=403, body=body)
        with pytest.raises(WorldFailed, match="Signature expired") as told:
            traffic.set_weight(rollout, 50.0)
        assert "the clock of this machine" in told.value.fix

    def test_two_long_names_have_two_schedules(self) -> None:
        names = [schedule_name("x" * 60 + end) for end in ("-a", "-b")]
        assert (len(set(names)), {len(name) for name in names}) == (2, {64})
        assert schedule_name("people") == "gatewright-people"
