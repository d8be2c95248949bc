"""The controller's hand on an endpoint of SageMaker: intents in the state database, effects asked for and read back.

Every arm is a production variant that is named after its model's digest. What SageMaker cannot take now, because it
works on something else, is not waited for: the next look sees what is, and asks again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

from gatewright.adapters.traffic.sagemaker.endpoint import Endpoint, Seen
from gatewright.adapters.traffic.sagemaker.guard import Guard
from gatewright.adapters.traffic.sagemaker.options import Options, endpoint_name
from gatewright.adapters.traffic.sagemaker.parts import Parts
from gatewright.adapters.traffic.sagemaker.written import WrittenAnywhere
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import ArmState, Rollout, TrafficState
from gatewright.domain.routing import cluster_name
from gatewright.effects.aws import opened
from gatewright.effects.model_packages import PackageGroup
from gatewright.ports import Context
from gatewright.store.routes import Route

_OURS = re.compile(r"model-[0-9a-f]{12}")


class SagemakerTraffic:
    """Port `DistantTraffic` on one endpoint of SageMaker."""

    distant: Literal[True] = True

    def __init__(self, options: Options, context: Context) -> None:
        self._options, self._context = options, context
        self._intents = WrittenAnywhere(context)
        self._name = options.endpoint or context.model
        self._guard = Guard(options, self._name)

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        """Have the endpoint get a variant for the canary, without traffic; what serves now goes on serving.

        UnusableInput when the endpoint serves what Gatewright did not put there.
        """
        self._intents.prepare(rollout, canary, stable)
        seen = self._endpoint.look()
        if seen is None:
            self._create(rollout)
            return
        if seen.busy or seen.dead or self._has_arms(seen, rollout) or self._failed(seen, rollout):
            return
        self._refuse_strangers(seen, rollout)
        self._endpoint.update(self._config_with(rollout, seen))

    def state(self, rollout: Rollout) -> TrafficState:
        """What SageMaker says of the endpoint, and whether the schedule that could move its traffic is gone."""
        route = self._intents.own(rollout)
        try:
            seen = self._endpoint.look()
            settled = route is not None and route.canary is None and not self._guard.stands()
            canary = self._arm(seen, rollout.canary, rollout)
            stable = self._arm(seen, rollout.stable, rollout) if rollout.stable else None
        except (UnusableInput, WorldFailed) as error:
            return TrafficState(weight=None, error=str(error))
        weight = seen.share(cluster_name(rollout.canary)) if seen else 0.0
        return TrafficState(weight=weight, settled=settled, canary=canary, stable=stable)

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        """Ask for `weight` per cent, after the schedule that takes it back stands at the end of the lease.

        LeaseLost for an outdated epoch or a quarantined digest. Of an endpoint with one variant the weight is all or
        nothing: a first deployment that is rolled back has its endpoint deleted.
        """
        route = self._intents.divide(rollout, weight)
        if route is None:
            return
        canary = cluster_name(rollout.canary)
        seen = self._endpoint.look()
        if rollout.stable is None:
            if weight == 0.0 and seen is not None and not seen.busy:
                self._endpoint.delete()
            return
        shares = {cluster_name(rollout.stable): 100.0 - weight, canary: weight}
        if weight > 0:
            self._guard.renew(
                self._context.clock.now() + timedelta(seconds=route.lease_s),
                {cluster_name(rollout.stable): 100.0, canary: 0.0},
            )
        if seen is None or seen.variant(canary) is None:
            return
        if not seen.busy and not seen.dead and not seen.divides(shares):
            self._endpoint.weigh(shares)

    def finish(self, rollout: Rollout) -> None:
        """Promoted: the canary's variant keeps all traffic, the old one stays warm. Rolled back: it is unloaded."""
        self._intents.finish(rollout)
        if self._intents.own(rollout) is not None:
            self.tend()

    def shares(self) -> Mapping[str, float] | None:
        """What SageMaker says, by variant."""
        seen = self._endpoint.look()
        if seen is None or not seen.serves:
            return None
        return {each.name: seen.share(each.name) for each in seen.variants if each.weight}

    def tend(self) -> str | None:
        """Unload what an ended rollout left, once the endpoint takes orders and nobody's rollback needs it any more."""
        route = self._intents.last()
        if route is None:
            return None
        seen = self._endpoint.look()
        if seen is None or seen.dead:
            self._guard.drop()
            return None
        if seen.busy:
            return f"endpoint {self._name} is {seen.status}"
        if route.stable is None:
            self._endpoint.delete()
            return f"endpoint {self._name} is being deleted: nothing serves before the first deployment"
        return self._tended(route, seen, cluster_name(route.stable))

    def _tended(self, route: Route, seen: Seen, stable: str) -> str | None:
        if seen.variant(stable) is None:
            return None  # the endpoint was changed by other hands: status tells it, the next rollout refuses it
        wanted = {stable: 100.0}
        if not seen.divides(wanted):
            self._endpoint.weigh({**{each.name: 0.0 for each in seen.variants}, **wanted})
            return f"the traffic of endpoint {self._name} goes back to {stable}"
        self._guard.drop()
        now = self._context.clock.now()
        warm = route.fallback if route.fallback_until and now < route.fallback_until else None
        kept = {stable, *([cluster_name(warm)] if warm else [])}
        gone = [each.name for each in seen.variants if each.name not in kept and _OURS.fullmatch(each.name)]
        if not gone or self._intents.last() != route:
            return None
        variants, more = self._parts.variants_of(seen.config)
        left = [each for each in variants if each["VariantName"] not in gone]
        self._endpoint.update(self._parts.configure(f"after {route.rollout}", left, more))
        return f"{' and '.join(gone)} is being unloaded from endpoint {self._name}"

    def _create(self, rollout: Rollout) -> None:
        variants = [self._variant(rollout.canary, 0.0 if rollout.stable else 1.0)]
        if rollout.stable:
            variants.append(self._variant(rollout.stable, 1.0))
        config = self._parts.configure(rollout.id, variants, {})
        self._endpoint.create(config, {**self._options.tags, **self._tags})

    def _config_with(self, rollout: Rollout, seen: Seen) -> str:
        """What the endpoint has, with the canary's variant; what an earlier rollout left without traffic is dropped."""
        variants, more = self._parts.variants_of(seen.config)
        arms = {cluster_name(arm) for arm in (rollout.canary, rollout.stable) if arm}
        kept = [each for each in variants if each["VariantName"] in arms or not _OURS.fullmatch(each["VariantName"])]
        if cluster_name(rollout.canary) not in {each["VariantName"] for each in kept}:
            kept.append(self._variant(rollout.canary, 0.0))
        return self._parts.configure(rollout.id, kept, more)

    def _variant(self, digest: str, weight: float) -> dict[str, Any]:
        return self._parts.variant(digest, weight, self._packages, self._context.model)

    def _has_arms(self, seen: Seen, rollout: Rollout) -> bool:
        return all(seen.variant(cluster_name(arm)) for arm in (rollout.canary, rollout.stable) if arm)

    def _refuse_strangers(self, seen: Seen, rollout: Rollout) -> None:
        mine = cluster_name(rollout.stable) if rollout.stable else None
        for each in seen.variants:
            if each.weight and each.name != mine:
                raise UnusableInput(
                    f"endpoint {self._name} gives traffic to {each.name}, which is not what the registry says serves"
                    + (f" ({mine})" if mine else " (nothing yet)"),
                    fix="give Gatewright an endpoint of its own: serving.endpoint in gatewright.yaml",
                )
        if mine and seen.variant(mine) is None:
            raise UnusableInput(
                f"endpoint {self._name} has no variant {mine}, which the registry says serves",
                fix="look at the endpoint in AWS; gatewright status tells what is recorded",
            )

    def _arm(self, seen: Seen | None, digest: str, rollout: Rollout) -> ArmState | None:
        if seen is None:
            return None
        if seen.dead:
            return ArmState(digest=digest, ready=False, error=f"endpoint {self._name} is {seen.status}: {seen.failure}")
        found = seen.variant(cluster_name(digest))
        if found is None:
            error = f"SageMaker could not start it: {seen.failure}" if self._failed(seen, rollout) else None
            return ArmState(digest=digest, ready=False, error=error if digest == rollout.canary else None)
        answers = seen.serves and found.instances != 0
        if answers and not self._parts.proven(seen.config, digest, self._packages, self._context.model):
            return ArmState(digest=digest, ready=False, error=f"{found.name} runs other bytes than are registered")
        return ArmState(digest=digest, ready=answers)

    def _failed(self, seen: Seen, rollout: Rollout) -> bool:
        """Whether SageMaker has tried to take the canary in, and gave up: it serves on as it was, and says why."""
        if not seen.failure or seen.busy or seen.variant(cluster_name(rollout.canary)):
            return False
        arms = [cluster_name(arm) for arm in (rollout.canary, rollout.stable) if arm]
        others = [each.name for each in seen.variants if each.name not in arms and not _OURS.fullmatch(each.name)]
        asked = self._parts.made_at(self._parts.config_name(rollout.id, [*arms, *others]))
        return asked is not None and asked < seen.moved

    @property
    def _tags(self) -> dict[str, str]:
        return {"gatewright:model": self._context.model}

    @cached_property
    def _client(self) -> Any:
        """Opened when it is first needed: what only reads a workspace needs no AWS."""
        return opened("sagemaker", self._options.region, self._options.timeout.seconds)

    @cached_property
    def _packages(self) -> PackageGroup:
        return PackageGroup(self._client, self._options.group or self._context.model)

    @cached_property
    def _parts(self) -> Parts:
        return Parts(self._client, self._options, self._name, self._tags)

    @cached_property
    def _endpoint(self) -> Endpoint:
        if not endpoint_name(self._name):
            raise UnusableInput(
                f"{self._name!r} is no name of an endpoint; allowed: letters, digits and hyphens, at most 63",
                fix="set serving.endpoint in gatewright.yaml",
            )
        return Endpoint(self._client, self._name)
