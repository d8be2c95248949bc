"""Live traffic: who divides it, and what is seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

from gatewright.domain.evidence import History, Look
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import Rollout, TrafficState
from gatewright.domain.routing import Endpoint, RouteTable


class Traffic(Protocol):
    """The split of live traffic between the arms of a rollout.

    `gatewright.testing.traffic` has its promises as tests. Every order may be repeated until its effect is read back;
    one of a rollout that a later one has followed changes nothing.
    """

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        """Make both arms reachable; the canary gets no traffic yet."""

    def state(self, rollout: Rollout) -> TrafficState:
        """Read back weight and arms; a failure to read is told in the state, not raised."""

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        """Ask for `weight` per cent for the canary, and `rollout.mirror` as copies, and renew the lease.

        LeaseLost for an outdated epoch, and for traffic, copied or not, to a quarantined digest. 0 per cent after a
        finished promotion that was not recorded yet takes it back.
        """

    def finish(self, rollout: Rollout) -> None:
        """At the end: promoting or promoted makes the canary the stable arm, rolled back unloads it.

        LeaseLost for an outdated epoch.
        """

    def shares(self) -> Mapping[str, float] | None:
        """Per cent of the live traffic by cluster name (`domain.routing`), read back; None where nothing serves.

        WorldFailed when it cannot be read.
        """


@runtime_checkable
class DistantTraffic(Traffic, Protocol):
    """Traffic that a service far away divides: it answers slowly, and what it is asked may take it minutes.

    Nothing of it runs on this machine, so there is no supervisor that would go on when a rollout has ended.
    """

    distant: Literal[True]

    def tend(self) -> str | None:
        """Bring what the last rollout left closer to what is written down; what is still to be done, or None.

        Nothing happens while a rollout is open. WorldFailed when the service cannot be asked.
        """


class MetricSource(Protocol):
    """Live evidence about the arms of a rollout."""

    def history(self, rollout: Rollout) -> History:
        """Stable's own past before the rollout."""

    def observe(self, rollout: Rollout, tick: int) -> Look:
        """What happened since the rollout's cursor; a failure is told in the look, not raised."""


class Gateway(Protocol):
    """The proxy that the supervisor runs: a process that is told by files and read back over HTTP."""

    def argv(self) -> tuple[str, ...]:
        """How to start it; writes what it needs to start. UnusableInput when its port is taken."""

    def ready(self) -> bool:
        """Whether it answers."""

    def configure(self, table: RouteTable | None, endpoints: Mapping[str, Endpoint]) -> None:
        """Make it serve `table` over `endpoints` (by cluster name); a cluster is known before a route names it."""

    def table(self) -> RouteTable | None:
        """The table in force, read back; WorldFailed when it cannot be read."""

    def rotate_log(self) -> None:
        """Keep its log within bounds; no line is lost."""
