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
from gatewright.domain.rollout import ArmState, Phase, Rollout, TrafficState
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
        before = self._intents.left()
        self._intents.prepare(rollout, canary, stable)
        seen = self._endpoint.look()
        if seen is None:
            self._create(rollout)
            return
        if seen.busy or seen.dead or self._has_arms(seen, rollout) or self._failed(seen, rollout):
            return
        if before is not None and before.stable == rollout.stable and self._takes_back(seen, rollout.stable):
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
        if self._may_still_come(seen, rollout):
            return TrafficState(weight=None, error=f"endpoint {self._name} is being made: it can be deleted after that")
        weight = seen.share(cluster_name(rollout.canary)) if seen else 0.0
        return TrafficState(weight=weight, settled=settled, canary=canary, stable=stable)

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        """Ask for `weight` per cent, after the schedule that takes it back stands at the end of the lease.

        LeaseLost for an outdated epoch or a quarantined digest. Of an endpoint with one variant the weight is all or
        nothing: a first deployment that is rolled back has its endpoint deleted. A variant of stable that somebody has
        taken away comes back.
        """
        route = self._intents.divide(rollout, weight)
        if route is None:
            if self._intents.own(rollout) is not None:
                self.tend()  # the end is not recorded yet, and has to last until then
            return
        seen = self._endpoint.look()
        if rollout.stable is None:
            if rollout.phase is Phase.ROLLING_BACK and seen is not None and not seen.busy:
                self._endpoint.delete()
            return
        stable, canary = cluster_name(rollout.stable), cluster_name(rollout.canary)
        if seen is None or seen.variant(canary) is None:
            return
        if weight > 0:
            now = seen.at or self._context.clock.now()  # a clock here that is wrong moves no dead-man switch
            self._guard.renew(now + timedelta(seconds=route.lease_s), {stable: 100.0, canary: 0.0})
        shares = {stable: 100.0 - weight, canary: weight}
        if seen.busy or seen.dead or seen.divides(shares):
            return
        if seen.variant(stable) is None:
            self._endpoint.update(self._config_with(rollout, seen))
            return
        strange = {each.name: 0.0 for each in seen.variants if each.desired and each.name not in shares}
        self._endpoint.weigh({**strange, **shares})

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
        if seen is not None and seen.busy:
            return f"endpoint {self._name} is {seen.status}"
        if seen is not None and route.stable is None:
            self._endpoint.delete()
            return f"endpoint {self._name} is being deleted: nothing serves before the first deployment"
        if seen is None or seen.dead or route.stable is None:
            self._guard.drop()
            return None
        return self._tended(route, seen, cluster_name(route.stable))

    def _tended(self, route: Route, seen: Seen, stable: str) -> str | None:
        if seen.variant(stable) is None:
            self._guard.drop()
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
        """What it has, with a variant for each arm; what an earlier rollout left without traffic is dropped."""
        variants, more = self._parts.variants_of(seen.config)
        arms = {cluster_name(arm) for arm in (rollout.canary, rollout.stable) if arm}
        kept = [each for each in variants if each["VariantName"] in arms or not _OURS.fullmatch(each["VariantName"])]
        present = {each["VariantName"] for each in kept}
        missing = [arm for arm in (rollout.stable, rollout.canary) if arm and cluster_name(arm) not in present]
        kept += [self._variant(arm, 0.0) for arm in missing]
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

    def _takes_back(self, seen: Seen, stable: str | None) -> bool:
        """Whether one of ours got weight after its end, which goes back before it is taken for somebody else's."""
        kept = cluster_name(stable) if stable else ""
        stray = [each.name for each in seen.variants if each.weight and each.name != kept]
        if seen.variant(kept) is None or not stray or not all(_OURS.fullmatch(name) for name in stray):
            return False
        self._endpoint.weigh({**{each.name: 0.0 for each in seen.variants}, kept: 100.0})
        return True

    def _may_still_come(self, seen: Seen | None, rollout: Rollout) -> bool:
        """Whether it will serve what is rolled back: a lone variant gets everything as soon as its endpoint is made."""
        lone = rollout.stable is None and rollout.phase is Phase.ROLLING_BACK
        return lone and seen is not None and not seen.serves and not seen.dead

    def _arm(self, seen: Seen | None, digest: str, rollout: Rollout) -> ArmState | None:
        found = seen.variant(cluster_name(digest)) if seen else None
        if seen is None or seen.dead or found is None:
            error = self._why_missing(seen, digest, rollout)
            return ArmState(digest=digest, ready=False, error=error) if seen or error else None
        answers = seen.serves and found.instances != 0
        # What goes back needs no proof: whoever has deleted the version must not keep its traffic from going.
        proof = answers and not rollout.phase.terminal and rollout.phase is not Phase.ROLLING_BACK
        if proof and not self._parts.proven(seen.config, digest, self._packages, self._context.model):
            return ArmState(digest=digest, ready=False, error=f"{found.name} runs other bytes than are registered")
        return ArmState(digest=digest, ready=answers)

    def _why_missing(self, seen: Seen | None, digest: str, rollout: Rollout) -> str | None:
        """What is wrong with an arm that is not there; None while it may still come.

        A canary that never had traffic is not blamed for an endpoint that is gone: then stable is down.
        """
        canary, divided = digest == rollout.canary, rollout.weight > 0
        if seen is None:
            return f"there is no endpoint {self._name} any more" if divided else None
        if seen.dead:
            blamed = not canary or divided or not rollout.compared
            return f"endpoint {self._name} is {seen.status}: {seen.failure}" if blamed else None
        if canary and self._failed(seen, rollout):
            return f"SageMaker could not start it: {seen.failure}"
        if seen.busy or (canary and not divided):
            return None
        return f"endpoint {self._name} has no variant {cluster_name(digest)} any more"

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
