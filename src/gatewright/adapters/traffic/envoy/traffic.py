"""The controller's hand on the traffic: intents go into the state database, effects are read back from Envoy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gatewright.adapters.traffic.envoy.gateway import EnvoyGateway
from gatewright.adapters.traffic.envoy.options import Options
from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import ArmState, Phase, Rollout, TrafficState
from gatewright.domain.routing import cluster_name
from gatewright.ports import Context
from gatewright.store.processes import Processes
from gatewright.store.routes import Route, Routes


class EnvoyTraffic:
    """Port `Traffic`. The supervisor makes Envoy agree with what is written here, and takes it back with the lease."""

    def __init__(self, options: Options, context: Context) -> None:
        self._context = context
        self._routes = Routes(context.database)
        self._processes = Processes(context.database, context.model)
        self._gateway = EnvoyGateway(options, context)

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        """Have both arms loaded; what serves now goes on serving."""
        present = self._routes.get(rollout.model)
        fallback = present.fallback if present and present.fallback != rollout.canary else None
        route = Route(
            model=rollout.model,
            rollout=rollout.id,
            stable=rollout.stable,
            canary=rollout.canary,
            weight=0.0,
            epoch=rollout.epoch,
            revision=0,
            renewals=0,
            lease_s=rollout.policy.lease.seconds,
            fallback=fallback,
            fallback_until=present.fallback_until if present and fallback else None,
        )
        self._routes.put(route, (canary, stable) if stable else (canary,))

    def state(self, rollout: Rollout) -> TrafficState:
        """What Envoy does and which servers are ready."""
        route = self._routes.get(rollout.model)
        canary = self._arm(rollout.canary)
        stable = self._arm(rollout.stable) if rollout.stable else None
        settled = route is not None and route.rollout == rollout.id and route.canary is None
        try:
            table = self._gateway.table()
        except WorldFailed as error:
            return TrafficState(weight=None, error=str(error), settled=settled, canary=canary, stable=stable)
        return TrafficState(
            weight=table.share(rollout.canary) if table else 0.0,
            mirror=table.mirrored_share(rollout.canary) if table else 0.0,
            settled=settled,
            canary=canary,
            stable=stable,
        )

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        """Ask for `weight` per cent and the rollout's copies, and renew the lease.

        LeaseLost for an outdated epoch or a quarantined digest.
        """
        route = self._own(rollout)
        if route is not None and route.canary is None and weight == 0.0 and route.stable == rollout.canary:
            # The canary had become the stable arm already, and is rolled back before its promotion was recorded.
            route = replace(route, stable=rollout.stable, canary=rollout.canary, fallback=None, fallback_until=None)
        if route is not None and route.canary is not None:
            again = rollout.share.reapplied if rollout.share else 0
            wanted = replace(route, weight=weight, mirror=rollout.mirror, reapplied=again)
            self._routes.put(replace(wanted, epoch=rollout.epoch, lease_s=rollout.policy.lease.seconds))

    def finish(self, rollout: Rollout) -> None:
        """Promoted: the canary is the stable arm, the old one its fallback for the rollback window.

        What a person has taken back is no fallback. Rolled back: the canary is gone. Nothing happens once a later
        rollout has taken over.
        """
        route = self._own(rollout)
        if route is None or route.canary is None:
            return
        ended = replace(route, canary=None, weight=0.0, mirror=0.0, lease_s=0.0, epoch=rollout.epoch)
        if rollout.phase in (Phase.PROMOTING, Phase.PROMOTED):
            window = timedelta(seconds=rollout.policy.rollback_window.seconds)
            fallback = rollout.stable if rollout.restored_by is None else None
            ended = replace(
                ended,
                stable=rollout.canary,
                fallback=fallback,
                fallback_until=self._context.clock.now() + window if fallback else None,
            )
        self._routes.put(ended)

    def _own(self, rollout: Rollout) -> Route | None:
        route = self._routes.get(rollout.model)
        return route if route is not None and route.rollout == rollout.id else None

    def _arm(self, digest: str) -> ArmState | None:
        row = self._processes.get(cluster_name(digest))
        if row is None or row.digest is None:
            return None
        return ArmState(digest=row.digest, ready=row.ready, restarts=row.restarts, error=row.error)
