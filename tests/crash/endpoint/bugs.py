"""Deliberate bugs in traffic through an endpoint, each planted in the process of a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gatewright.adapters.traffic.intents import Intents
from gatewright.adapters.traffic.sagemaker import endpoint, parts
from gatewright.adapters.traffic.sagemaker.endpoint import Endpoint, Seen
from gatewright.adapters.traffic.sagemaker.guard import Guard
from gatewright.adapters.traffic.sagemaker.parts import Parts
from gatewright.adapters.traffic.sagemaker.traffic import SagemakerTraffic
from gatewright.domain.routing import cluster_name
from gatewright.rules import canary
from gatewright.store import rollouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """`found_by`: words of the violation that it must cause; `near`: parts of the failpoints that it lies near."""

    plant: Callable[[], None]
    found_by: str
    scenario: str = "good"
    near: tuple[str, ...] = ()


def guard_after_the_weight() -> None:
    renew, weigh = Guard.renew, Endpoint.weigh
    waiting: list[tuple[Guard, datetime, Mapping[str, float]]] = []

    def later(self: Guard, until: datetime, shares: Mapping[str, float]) -> None:
        waiting.append((self, until, shares))

    def first(self: Endpoint, shares: Mapping[str, float]) -> None:
        weigh(self, shares)
        while waiting:
            renew(*waiting.pop())

    Guard.renew, Endpoint.weigh = later, first  # type: ignore[method-assign]


def effect_before_intent() -> None:
    set_weight = SagemakerTraffic.set_weight

    def eager(self: SagemakerTraffic, rollout: Any, weight: float) -> None:
        seen = self._endpoint.look()
        canary = cluster_name(rollout.canary)
        if weight and rollout.stable and seen and not seen.busy and seen.variant(canary):
            self._endpoint.weigh({cluster_name(rollout.stable): 100.0 - weight, canary: weight})
        set_weight(self, rollout, weight)

    SagemakerTraffic.set_weight = eager  # type: ignore[method-assign]


def promoted_before_it_is_read_back() -> None:
    canary._arrived = lambda rollout, world: True


def given_up_orders_forgotten() -> None:
    def wished(self: Seen, shares: Mapping[str, float]) -> bool:
        return endpoint._are({each.name: each.desired for each in self.variants}, shares)

    Seen.divides = wished  # type: ignore[method-assign]


def guard_left() -> None:
    Guard.drop = lambda self: None  # type: ignore[method-assign]


def guard_not_looked_for() -> None:
    guard_left()
    Guard.stands = lambda self: False  # type: ignore[method-assign]


def tends_while_it_climbs() -> None:
    tend = SagemakerTraffic.tend

    def always(self: SagemakerTraffic) -> str | None:
        route = self._intents._routes.get(self._context.model)
        if route is None or route.canary is None:
            return tend(self)
        seen = self._endpoint.look()
        if seen is None or route.stable is None or seen.busy:
            return None
        return self._tended(replace(route, canary=None), seen, cluster_name(route.stable))

    SagemakerTraffic.tend = always  # type: ignore[method-assign]


def what_is_made_is_made_again() -> None:
    Parts._there_is_fine = lambda self, there: parts.asking("what is there")  # type: ignore[method-assign,assignment]


def a_configuration_without_its_update_has_failed() -> None:
    SagemakerTraffic._failed = lambda self, seen, rollout: (  # type: ignore[method-assign]
        not seen.busy
        and seen.variant(cluster_name(rollout.canary)) is None
        and self._parts.made_at(
            self._parts.config_name(rollout.id, [cluster_name(arm) for arm in (rollout.canary, rollout.stable) if arm])
        )
        is not None
    )
    why = SagemakerTraffic._why_missing
    SagemakerTraffic._why_missing = lambda self, seen, digest, rollout: (  # type: ignore[method-assign]
        "it failed"
        if seen and digest == rollout.canary and self._failed(seen, rollout)
        else why(self, seen, digest, rollout)
    )


def never_unloaded() -> None:
    tended = SagemakerTraffic._tended

    def kept(self: SagemakerTraffic, route: Any, seen: Seen, stable: str) -> str | None:
        return tended(self, replace(route, fallback=route.fallback), replace(seen, variants=seen.variants[:1]), stable)

    SagemakerTraffic._tended = kept  # type: ignore[method-assign]


def rolled_back_without_its_weight() -> None:
    canary_out = canary._rolling_back

    def believed(rollout: Any, world: Any) -> Any:
        return canary_out(rollout, replace(world, traffic=replace(world.traffic, weight=0.0)))

    canary._rolling_back = believed


def condemned_and_divided_again() -> None:
    rollouts._quarantine = lambda *_: None
    rollouts.withdraw = lambda *_: None
    divide = Intents.divide

    def stubborn(self: Intents, rollout: Any, weight: float) -> Any:
        own = self.own(rollout)
        again = own.weight if own is not None and own.canary and not weight else weight
        return divide(self, rollout, again) and divide(self, rollout, weight)

    def resumed(self: SagemakerTraffic, rollout: Any, weight: float) -> None:
        if not weight and (own := self._intents.own(rollout)) and own.weight and rollout.stable:
            self._endpoint.weigh(
                {cluster_name(rollout.stable): 100.0 - own.weight, cluster_name(rollout.canary): own.weight}
            )
        set_weight(self, rollout, weight)

    set_weight = SagemakerTraffic.set_weight
    Intents.divide, SagemakerTraffic.set_weight = stubborn, resumed  # type: ignore[method-assign]


BUGS = {
    "guard after the weight": Bug(plant=guard_after_the_weight, found_by="unguarded"),
    "effect before its intent": Bug(plant=effect_before_intent, found_by="unintended"),
    "promoted before it is read back": Bug(plant=promoted_before_it_is_read_back, found_by="too early"),
    "rolled back without its weight": Bug(plant=rolled_back_without_its_weight, found_by="too early", scenario="bad"),
    "orders that were given up are forgotten": Bug(plant=given_up_orders_forgotten, found_by="not ended"),
    "the guard is left": Bug(plant=guard_left, found_by="schedule", scenario="bad"),
    "promoted under a guard": Bug(plant=guard_not_looked_for, found_by="under a guard"),
    "tends while it climbs": Bug(
        plant=tends_while_it_climbs, found_by="unintended", near=("after-http:sagemaker-endpoint-weigh",)
    ),
    "what is there is made again": Bug(
        plant=what_is_made_is_made_again,
        found_by="not promoted",
        near=("after-http:sagemaker-model@", "sagemaker-config@"),
    ),
    "a configuration without its update has failed": Bug(
        plant=a_configuration_without_its_update_has_failed,
        found_by="not promoted",
        near=("after-http:sagemaker-config@", "before-http:sagemaker-endpoint-update"),
    ),
    "what failed is never unloaded": Bug(plant=never_unloaded, found_by="left behind", scenario="bad"),
    "a condemned digest gets its weight again": Bug(
        plant=condemned_and_divided_again, found_by="condemned", scenario="bad"
    ),
}


def plant(name: str) -> None:
    """Into this process, for good."""
    BUGS[name].plant()
