"""How live traffic is split: the table that a gateway is given, and that is read back from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatewright.domain.errors import UnusableInput

WHOLE = 10_000
"""All traffic, in hundredths of a per cent."""

MIRRORED, COPY, TESTER = "mirrored", "copy", "tester"
"""Last words of a route's name: of a request that was copied, of the copy, and of a tester who chose the arm."""

_ROLLOUT = re.compile(r"[A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a model server listens."""

    host: str = "127.0.0.1"
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """Who gets which share: canary first, then stable; or one cluster alone.

    Weights are hundredths of a per cent and sum to 10,000. A cluster never has weight 0: a gateway would not try
    it when the other one fails. `rollout` is empty outside a rollout. `version` names this table as a whole.
    Of all predictions the share in `mirror`, hundredths of a per cent, is also sent to the cluster named there; its
    answers go nowhere.
    """

    version: str
    rollout: str
    revision: int
    clusters: tuple[tuple[str, int], ...]
    mirror: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        names = [name for name, _ in self.clusters]
        weights = [weight for _, weight in self.clusters]
        problem = ""
        if not self.version:
            problem = "it has no version"
        elif not _ROLLOUT.fullmatch(self.rollout):
            problem = f"rollout {self.rollout!r} has signs other than letters, digits, '.', '_' and '-'"
        elif self.revision < 0:
            problem = f"revision {self.revision} is negative"
        elif len(names) not in (1, 2) or len(set(names)) != len(names) or not all(names):
            problem = f"it needs one or two different clusters, not {names}"
        elif min(weights) < 1 or sum(weights) != WHOLE:
            problem = f"weights {weights} are not positive with the sum {WHOLE}"
        elif self.mirror and (self.mirror[0] in (*names, "") or not 1 <= self.mirror[1] <= WHOLE):
            problem = f"mirror {self.mirror} is not another cluster with a share of 1 to {WHOLE}"
        if problem:
            raise UnusableInput(f"route table {self.version!r}: {problem}", fix="correct what asked for it")

    @property
    def canary_weight(self) -> int:
        """The canary's weight in hundredths of a per cent; 0 when one cluster has all traffic."""
        return self.clusters[0][1] if len(self.clusters) == 2 else 0

    @property
    def route_name(self) -> str:
        """What the access log tells of each request: rollout, revision and canary weight."""
        return f"{self.rollout}|{self.revision}|{self.canary_weight}"

    @property
    def mirrored_name(self) -> str:
        """What logs tell of a request that was copied."""
        return f"{self.rollout}|{self.revision}|0|{MIRRORED}"

    @property
    def copy_name(self) -> str:
        """What the log of predictions tells of the copy."""
        return f"{self.rollout}|{self.revision}|0|{COPY}"

    @property
    def tester_name(self) -> str:
        """What logs tell of a request whose arm was chosen, not drawn."""
        return f"{self.rollout}|{self.revision}|0|{TESTER}"

    @property
    def arms(self) -> dict[str, str]:
        """Cluster by arm, `canary` and `stable`, while there are two; a canary that gets only copies is one."""
        stable = self.clusters[-1][0]
        if self.mirror:
            return {"canary": self.mirror[0], "stable": stable}
        return {"canary": self.clusters[0][0], "stable": stable} if len(self.clusters) == 2 else {}

    @property
    def names(self) -> tuple[str, ...]:
        """Every cluster that gets requests, or copies of them."""
        return (*(name for name, _ in self.clusters), *(self.mirror[:1] if self.mirror else ()))

    def share(self, digest: str) -> float:
        """Per cent of the traffic that goes to the model with this digest."""
        return 100.0 * dict(self.clusters).get(cluster_name(digest), 0) / WHOLE

    def mirrored_share(self, digest: str) -> float:
        """The share, 0 to 1, of the predictions that are copied to the model with this digest."""
        return self.mirror[1] / WHOLE if self.mirror and self.mirror[0] == cluster_name(digest) else 0.0


def cluster_name(digest: str) -> str:
    """Name the cluster that serves the model with this artifact digest."""
    return f"model-{digest.removeprefix('sha256:')[:12]}"
