"""What traffic should be, as the state database keeps it: written before any effect, refused to the overtaken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import Phase, Rollout
from gatewright.ports import Context
from gatewright.store.routes import Route, Routes


class Intents:
    """The desired route of a rollout, from its preparation to its end. Every write may be repeated.

    LeaseLost for an outdated epoch, for a rollout that a later one has followed, and for traffic to a quarantined
    digest.
    """

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._routes = Routes(context.database)

    def own(self, rollout: Rollout) -> Route | None:
        """The desired route, if it is still that of `rollout`."""
        route = self._routes.get(rollout.model)
        return route if route is not None and route.rollout == rollout.id else None

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        """Both arms are wanted, the canary without traffic; a fallback of the rollout before stays one."""
        present = self._routes.get(rollout.model)
        fallback = present.fallback if present and present.fallback != rollout.canary else None
        until = present.fallback_until if present and fallback else None
        route = replace(at_the_start(rollout), fallback=fallback, fallback_until=until)
        self._routes.put(route, (canary, stable) if stable else (canary,))

    def divide(self, rollout: Rollout, weight: float) -> Route | None:
        """`weight` per cent for the canary, the rollout's copies, and the lease renewed; None when it has no route."""
        route = self.own(rollout)
        if route is not None and route.canary is None and weight == 0.0 and route.stable == rollout.canary:
            # The canary had become the stable arm already, and is rolled back before its promotion was recorded.
            route = replace(route, stable=rollout.stable, canary=rollout.canary, fallback=None, fallback_until=None)
        if route is None or route.canary is None:
            return None
        again = rollout.share.reapplied if rollout.share else 0
        wanted = replace(route, weight=weight, mirror=rollout.mirror, reapplied=again)
        wanted = replace(wanted, epoch=rollout.epoch, lease_s=rollout.policy.lease.seconds)
        self._routes.put(wanted)
        return wanted

    def finish(self, rollout: Rollout) -> None:
        """Promoted: the canary is the stable arm, the old one its fallback for the rollback window.

        What a person has taken back is no fallback. Rolled back: the canary is gone. Nothing happens once a later
        rollout has taken over.
        """
        route = self.own(rollout)
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
                fallback_until=self._clock.now() + window if fallback else None,
            )
        self._routes.put(ended)


def at_the_start(rollout: Rollout) -> Route:
    """The route of a rollout whose canary has no traffic yet, without a fallback."""
    return Route(
        model=rollout.model,
        rollout=rollout.id,
        stable=rollout.stable,
        canary=rollout.canary,
        weight=0.0,
        epoch=rollout.epoch,
        revision=0,
        renewals=0,
        lease_s=rollout.policy.lease.seconds,
    )
