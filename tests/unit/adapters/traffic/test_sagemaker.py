"""Traffic through an endpoint of SageMaker: a variant for each arm, weights read back, orders that take a while."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gatewright.domain.errors import LeaseLost, UnusableInput, WorldFailed
from gatewright.domain.rollout import Phase
from gatewright.domain.routing import cluster_name
from tests.fixtures.endpoint_world import ROLE, WRITES, World
from tests.fixtures.forwarding import Fault

pytestmark = pytest.mark.xdist_group("sagemaker")


class TestPreparing:
    def test_a_first_deployment_makes_the_endpoint(self, world: World) -> None:
        traffic, rollout = world.traffic(), world.rollout("one", None)
        assert traffic.state(rollout).weight == 0.0
        world.prepare(traffic, rollout)
        creating = traffic.state(rollout)
        assert (creating.weight, creating.canary is not None and creating.canary.ready) == (0.0, False)
        world.settle(traffic, rollout)
        there = world.traffic().state(rollout)
        assert there.weight == 100.0
        assert there.canary is not None
        assert (there.canary.digest, there.canary.ready, there.stable) == (rollout.canary, True, None)

    def test_the_canary_joins_without_traffic(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.traffic(), world.rollout("two", "one")
        world.prepare(traffic, rollout)
        meanwhile = traffic.state(rollout)
        assert meanwhile.stable is not None
        assert (meanwhile.weight, meanwhile.stable.ready, world.weights()) == (0.0, True, {"one": 1.0})
        world.settle(traffic, rollout)
        after = traffic.state(rollout)
        assert after.canary is not None
        assert (after.canary.ready, after.weight, world.weights()) == (True, 0.0, {"one": 1.0, "two": 0.0})

    def test_preparing_again_asks_for_nothing_more(self, world: World) -> None:
        world.deployed("one")
        _, rollout = world.begun("two", "one")
        before = world.asked()
        for _ in range(3):
            world.prepare(world.traffic(), rollout)
        assert world.asked() == before

    @pytest.mark.parametrize("action", ["UpdateEndpoint", "CreateEndpointConfig", "CreateModel"])
    def test_an_answer_that_was_lost_is_asked_for_again(self, world: World, action: str) -> None:
        world.deployed("one")
        traffic, rollout = world.traffic(), world.rollout("two", "one")
        world.server.front.fault = Fault(of=action, times=1, lost=True)
        world.prepare(traffic, rollout)
        world.settle(traffic, rollout)
        assert world.weights() == {"one": 1.0, "two": 0.0}

    def test_who_was_killed_before_the_update_asks_for_it(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.traffic(), world.rollout("two", "one")
        world.server.front.fault = Fault(of="UpdateEndpoint", times=3)
        with pytest.raises(WorldFailed, match="500"):
            world.prepare(traffic, rollout)
        world.server.front.fault = None
        world.prepare(world.traffic(), rollout)
        world.settle(traffic, rollout)
        assert world.weights() == {"one": 1.0, "two": 0.0}

    def test_what_the_team_has_set_about_its_variant_is_kept(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        aws = world.aws("sagemaker")
        config = aws.describe_endpoint(EndpointName=world.own)["EndpointConfigName"]
        variants = aws.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        assert [each["InstanceType"] for each in variants] == ["ml.m5.large", "ml.m5.large"]
        changed = [{**each, "InstanceType": "ml.c5.large"} for each in variants[:1]]
        aws.create_endpoint_config(EndpointConfigName=f"{world.own}-mine", ProductionVariants=changed)
        aws.update_endpoint(EndpointName=world.own, EndpointConfigName=f"{world.own}-mine")
        world.settle(traffic, rollout)
        traffic, rollout = world.begun("three", "one")
        config = aws.describe_endpoint(EndpointName=world.own)["EndpointConfigName"]
        variants = aws.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        assert [each["InstanceType"] for each in variants] == ["ml.c5.large", "ml.m5.large"]

    def test_an_endpoint_of_somebody_else_is_refused(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.traffic(), world.rollout("two", None)
        with pytest.raises(UnusableInput, match="gives traffic to model-") as refusal:
            world.prepare(traffic, rollout)
        assert "serving.endpoint" in refusal.value.fix
        assert world.weights() == {"one": 1.0}

    def test_a_start_that_fails_is_told_as_the_canarys_error(self, world: World) -> None:
        world.deployed("one")
        world.server.fails = "no capacity for ml.m5.large"
        traffic, rollout = world.begun("two", "one")
        found = world.traffic().state(rollout)
        assert found.canary is not None
        assert found.canary.error == "SageMaker could not start it: no capacity for ml.m5.large"
        assert found.stable is not None
        assert (found.stable.ready, found.stable.error, world.weights()) == (True, None, {"one": 1.0})
        before = world.asked()
        world.prepare(traffic, rollout)
        assert world.asked() == before, "what failed is not tried again by the same rollout"
        world.settle(*world.begun("two", "one"))
        assert world.weights() == {"one": 1.0, "two": 0.0}, "the next one tries"

    def test_an_endpoint_that_failed_serves_nobody(self, world: World) -> None:
        world.server.fails = "the image is not there"
        traffic, rollout = world.traffic(), world.rollout("one", None)
        world.prepare(traffic, rollout)
        world.settle(traffic, rollout)
        found = traffic.state(rollout)
        assert found.canary is not None
        assert (found.weight, found.canary.error) == (0.0, f"endpoint {world.own} is Failed: the image is not there")
        traffic.set_weight(replace(rollout, phase=Phase.ROLLING_BACK), 0.0)
        assert world.traffic().shares() is None

    def test_a_variant_that_runs_other_bytes_is_not_ready(self, world: World) -> None:
        world.deployed("one")
        _, rollout = world.begun("two", "one")
        aws = world.aws("sagemaker")
        config = aws.describe_endpoint(EndpointName=world.own)["EndpointConfigName"]
        variants = aws.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        name = next(each["ModelName"] for each in variants if each["VariantName"] == cluster_name(rollout.canary))
        aws.delete_model(ModelName=name)
        other = {"Image": "i", "ModelDataUrl": "s3://other/x"}
        aws.create_model(ModelName=name, PrimaryContainer=other, ExecutionRoleArn=ROLE)
        found = world.traffic().state(rollout)
        assert found.canary is not None
        assert not found.canary.ready
        assert "runs other bytes than are registered" in (found.canary.error or "")


class TestWeights:
    def test_each_step_is_read_back(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        seen = []
        for weight in (5.0, 25.0, 50.0, 100.0):
            traffic.set_weight(rollout, weight)
            before = traffic.state(rollout).weight
            world.settle(traffic, rollout)
            seen.append((before, world.traffic().state(rollout).weight))
        assert seen == [(0.0, 5.0), (5.0, 25.0), (25.0, 50.0), (50.0, 100.0)]
        assert world.traffic().shares() == {cluster_name(rollout.canary): 100.0}

    def test_the_same_again_asks_for_no_change(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        traffic.set_weight(rollout, 5.0)
        world.settle(traffic, rollout)
        before = [kind for kind in world.asked() if kind in WRITES]
        traffic.set_weight(rollout, 5.0)
        assert [kind for kind in world.asked() if kind in WRITES] == before

    @pytest.mark.parametrize("weight", [0.1, 2.5, 33.3, 99.9])
    def test_weights_survive_thirty_two_bits(self, world: World, weight: float) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        traffic.set_weight(rollout, weight)
        world.settle(traffic, rollout)
        assert traffic.state(rollout).weight == pytest.approx(weight, abs=1e-4)

    def test_an_endpoint_that_works_on_something_is_asked_again(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        world.server.looks = 4
        traffic.set_weight(rollout, 25.0)
        traffic.set_weight(rollout, 0.0)
        assert traffic.state(rollout).weight == 0.0
        world.settle(traffic, rollout)
        assert traffic.state(rollout).weight == 25.0, "the order that came while it worked was lost"
        traffic.set_weight(rollout, 0.0)
        world.settle(traffic, rollout)
        assert (traffic.state(rollout).weight, world.weights()) == (0.0, {"one": 100.0, "two": 0.0})

    def test_throttled_is_told_and_asked_again(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
        world.server.front.fault = Fault(of="UpdateEndpointWeightsAndCapacities", times=3, status=400, body=body)
        with pytest.raises(WorldFailed, match="ThrottlingException") as told:
            traffic.set_weight(rollout, 25.0)
        assert "throttles" in told.value.fix
        world.server.front.fault = Fault(of="DescribeEndpoint", times=3, status=400, body=body)
        blind = traffic.state(rollout)
        assert blind.weight is None
        assert "ThrottlingException" in (blind.error or "")
        traffic.set_weight(rollout, 25.0)
        world.settle(traffic, rollout)
        assert traffic.state(rollout).weight == 25.0

    @pytest.mark.parametrize("body", [b"<html>", b"{}"])
    def test_an_answer_that_is_none_is_no_weight(self, world: World, body: bytes) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one")
        world.server.front.fault = Fault(of="DescribeEndpoint", times=3, status=200, body=body)
        found = traffic.state(rollout)
        assert (found.weight, found.settled) == (None, False)
        assert "the answer is none of AWS" in (found.error or "")

    def test_who_was_overtaken_asks_for_nothing(self, world: World) -> None:
        world.deployed("one")
        traffic, rollout = world.begun("two", "one", epoch=2)
        before = world.asked()
        with pytest.raises(LeaseLost):
            traffic.set_weight(replace(rollout, epoch=1), 25.0)
        assert world.asked() == before
