"""Every API that an endpoint needs, refused, garbled or silent: what is told, and that nothing was given for it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from gatewright.domain.errors import WorldFailed
from gatewright.domain.rollout import Phase
from tests.fixtures.endpoint_world import World
from tests.fixtures.forwarding import Fault

pytestmark = pytest.mark.xdist_group("sagemaker")

DENIED = (403, json.dumps({"__type": "AccessDeniedException", "message": "not allowed"}).encode())
PAGE = (200, b"<html>please sign in</html>")
EMPTY = (200, b"{}")
PREPARING = ("CreateModel", "CreateEndpointConfig", "UpdateEndpoint", "ListModelPackages", "DescribeEndpointConfig")
WEIGHING = ("UpdateEndpointWeightsAndCapacities", "PUT /schedules", "POST /schedules", "DescribeEndpoint")
PROVING = ("DescribeEndpointConfig", "DescribeModel", "ListModelPackages", "DescribeModelPackage")


@pytest.mark.parametrize("answer", [DENIED, PAGE], ids=["denied", "page"])
@pytest.mark.parametrize("action", PREPARING)
def test_what_keeps_the_canary_from_coming_is_told_and_tried_again(
    world: World, action: str, answer: tuple[int, bytes]
) -> None:
    world.deployed("one")
    traffic, rollout = world.traffic(), world.rollout("two", "one")
    world.server.front.fault = Fault(of=action, status=answer[0], body=answer[1])
    with suppress(WorldFailed):
        world.prepare(traffic, rollout)
    assert world.weights() == {"one": 1.0}
    world.server.front.fault = None
    world.prepare(world.traffic(), rollout)
    world.settle(traffic, rollout)
    assert world.weights() == {"one": 1.0, "two": 0.0}


@pytest.mark.parametrize("answer", [DENIED, PAGE, EMPTY], ids=["denied", "page", "empty"])
@pytest.mark.parametrize("action", WEIGHING)
def test_no_weight_is_given_that_could_not_be_guarded_or_seen(
    world: World, action: str, answer: tuple[int, bytes]
) -> None:
    world.deployed("one")
    traffic, rollout = world.begun("two", "one")
    world.server.front.fault = Fault(of=action, status=answer[0], body=answer[1])
    if (action, answer) in (
        ("UpdateEndpointWeightsAndCapacities", PAGE),
        ("UpdateEndpointWeightsAndCapacities", EMPTY),
    ):
        traffic.set_weight(rollout, 5.0)  # it has no answer to look into: it is read back
    else:
        with pytest.raises(WorldFailed):
            traffic.set_weight(rollout, 5.0)
    assert world.weights() == {"one": 1.0, "two": 0.0}
    world.server.front.fault = None
    traffic.set_weight(rollout, 5.0)
    world.settle(traffic, rollout)
    assert traffic.state(rollout).weight == 5.0


@pytest.mark.parametrize("answer", [DENIED, PAGE], ids=["denied", "page"])
@pytest.mark.parametrize("action", PROVING)
def test_what_cannot_be_proven_is_no_canary_and_no_weight(world: World, action: str, answer: tuple[int, bytes]) -> None:
    world.deployed("one")
    _, rollout = world.begun("two", "one")
    world.server.front.fault = Fault(of=action, status=answer[0], body=answer[1])
    found = world.traffic().state(rollout)
    assert (found.weight, found.canary) == (None, None)
    assert found.error


@pytest.mark.parametrize("answer", [DENIED, PAGE, EMPTY], ids=["denied", "page", "empty"])
@pytest.mark.parametrize("action", ["GET /schedules", "DELETE /schedules"])
def test_a_promotion_does_not_settle_while_its_schedule_may_stand(
    world: World, action: str, answer: tuple[int, bytes]
) -> None:
    world.deployed("one")
    traffic, rollout = world.begun("two", "one")
    rollout = replace(rollout, phase=Phase.PROMOTING, weight=100.0)
    traffic.set_weight(rollout, 100.0)
    world.settle(traffic, rollout)
    world.server.front.fault = Fault(of=action, status=answer[0], body=answer[1])
    with suppress(WorldFailed):
        traffic.finish(rollout)
    assert not traffic.state(rollout).settled
    world.server.front.fault = None
    traffic.finish(rollout)
    assert (traffic.state(rollout).settled, world.schedule()) == (True, None)
