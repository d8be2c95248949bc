"""Which table should the gateway have now? Desired route and lease → RouteTable."""

from __future__ import annotations

from gatewright.domain.rollout import FULL
from gatewright.domain.routing import WHOLE, RouteTable, cluster_name

ALMOST_WHOLE = WHOLE - 1


def table(
    *,
    rollout: str,
    revision: int,
    stable: str | None,
    canary: str | None,
    fallback: str | None,
    weight: float,
    lapsed: bool,
    mirror: float = 0.0,
) -> RouteTable | None:
    """The table for arms given by digest and a canary weight in per cent; None while nothing may serve.

    A lapsed lease gives everything back to stable. While two arms live the smaller one keeps at least 1 of 10,000,
    so that a failed try always has somewhere else to go. Before it has any, the share `mirror`, 0 to 1, of the requests
    is copied to the canary, under the same lease.
    """
    if canary is not None and weight > 0 and not lapsed:
        first, share, second = canary, round(weight * WHOLE / FULL), stable
    elif stable is not None and fallback is not None:
        first, share, second = stable, WHOLE, fallback
    elif stable is not None:
        first, share, second = stable, WHOLE, None
    else:
        return None
    clusters: tuple[tuple[str, int], ...]
    if second is None or second == first:
        clusters = ((cluster_name(first), WHOLE),)
    else:
        share = min(max(share, 1), ALMOST_WHOLE)
        clusters = ((cluster_name(first), share), (cluster_name(second), WHOLE - share))
    version = f"{rollout}.{revision}" + (".lapsed" if lapsed else "")
    copied = None
    if canary is not None and weight == 0 and mirror > 0 and not lapsed and cluster_name(canary) not in dict(clusters):
        copied = (cluster_name(canary), min(max(round(mirror * WHOLE), 1), WHOLE))
    return RouteTable(version=version, rollout=rollout, revision=revision, clusters=clusters, mirror=copied)
