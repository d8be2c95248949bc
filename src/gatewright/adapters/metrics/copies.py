"""Step 0 from what the model servers predicted: the same requests, answered by stable and, as copies, by the canary.

The gateway drew which requests it copied and told both servers so. A copy that the canary has not answered within two
and a half seconds, for whatever reason, was not answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatewright.domain.documents import short
from gatewright.domain.rollout import Rollout
from gatewright.domain.shadow import Shadow, ShadowObservation
from gatewright.stats import drift
from gatewright.store.feedback import Feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Where reading goes on: arrivals before `until` are told, and the database had numbers up to `number` then."""

    until: float = 0.0
    number: int = 0


def observe(
    feedback: Feedback, rollout: Rollout, shadow: Shadow, told: Copied, until: float
) -> tuple[tuple[ShadowObservation, ...], Copied]:
    """One block of all copies whose requests arrived before `until` and are not told yet; none without any."""
    until = max(told.until, until)
    arms = (short(rollout.canary), short(rollout.stable or ""))
    rows, number = feedback.copied(rollout.id, arms, after=told.until, before=until, beyond=told.number)
    block = (_block(rollout, shadow, rows, int(until)),) if rows else ()
    return block, Copied(until=until, number=number)


def _block(
    rollout: Rollout, shadow: Shadow, rows: Iterable[tuple[float, float | None]], tick: int
) -> ShadowObservation:
    rows = list(rows)
    pairs = [(canary, stable) for stable, canary in rows if canary is not None]
    counts: dict[tuple[int, int], int] = {}
    if rollout.drift is not None:
        cells = rollout.drift.cells
        for canary, stable in pairs:
            here = drift.cell(cells, canary), drift.cell(cells, stable)
            counts[here] = counts.get(here, 0) + 1
    return ShadowObservation(
        tick=tick,
        asked=len(rows),
        failed=len(rows) - len(pairs),
        equal=sum(abs(canary - stable) <= shadow.tolerance for canary, stable in pairs),
        cells=tuple((canary, stable, number) for (canary, stable), number in sorted(counts.items())),
    )
