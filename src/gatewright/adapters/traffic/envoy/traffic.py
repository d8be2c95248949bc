"""The controller's hand on the traffic: intents go into the state database, effects are read back from Envoy."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.adapters.traffic.envoy.gateway import EnvoyGateway
from gatewright.adapters.traffic.envoy.options import Options
from gatewright.adapters.traffic.intents import Intents
from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import ArmState, Rollout, TrafficState
from gatewright.domain.routing import WHOLE, cluster_name
from gatewright.ports import Context
from gatewright.store.processes import Processes


class EnvoyTraffic:
    """Port `Traffic`. The supervisor makes Envoy agree with what is written here, and takes it back with the lease."""

    def __init__(self, options: Options, context: Context) -> None:
        self._intents = Intents(context)
        self._processes = Processes(context.database, context.model)
        self._gateway = EnvoyGateway(options, context)

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        """Have both arms loaded; what serves now goes on serving."""
        self._intents.prepare(rollout, canary, stable)

    def state(self, rollout: Rollout) -> TrafficState:
        """What Envoy does and which servers are ready."""
        route = self._intents.own(rollout)
        canary = self._arm(rollout.canary)
        stable = self._arm(rollout.stable) if rollout.stable else None
        settled = route is not None and route.canary is None
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
        self._intents.divide(rollout, weight)

    def finish(self, rollout: Rollout) -> None:
        """Promoted: the canary is the stable arm, the old one its fallback. Rolled back: the canary is gone."""
        self._intents.finish(rollout)

    def shares(self) -> Mapping[str, float] | None:
        """What Envoy's table says, by cluster."""
        table = self._gateway.table()
        return {name: 100.0 * share / WHOLE for name, share in table.clusters} if table else None

    def _arm(self, digest: str) -> ArmState | None:
        row = self._processes.get(cluster_name(digest))
        if row is None or row.digest is None:
            return None
        return ArmState(digest=row.digest, ready=row.ready, restarts=row.restarts, error=row.error)
