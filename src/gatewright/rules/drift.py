"""Does the canary predict otherwise than stable does at the same time? Blocks of predictions → evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gatewright.domain.evidence import DriftEvidence
from gatewright.domain.rollout import DriftMargins, Rollout, World
from gatewright.stats import drift

SHARE_OF_ALPHA = 0.1
FEWEST_OUTPUTS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftStanding:
    """The evidence of drift against its limit; `what` differs most, with its shares in both arms."""

    what: str
    canary_share: float
    stable_share: float
    canary_n: int
    limit: float
    e_pause: float
    pause_margin: float
    drifted: bool
    e_rollback: float
    rollback_margin: float
    degraded: bool


def absorb(rollout: Rollout, world: World) -> DriftEvidence | None:
    """The evidence with this look's blocks; it begins once stable has made enough predictions to choose cells from."""
    margins, evidence = rollout.policy.drift, rollout.drift
    if margins is None or world.source_error:
        return evidence
    if evidence is None:
        enough = len(world.stable_outputs) >= FEWEST_OUTPUTS
        return begin(margins, world.stable_outputs, world.stable_users) if enough else None
    for seen in world.drift:
        if sum(seen.canary) and sum(seen.stable):
            evidence = replace(
                evidence,
                pause=drift.update(evidence.pause, evidence.cells, seen.canary, seen.stable, evidence.design_effect),
                rollback=drift.update(
                    evidence.rollback, evidence.cells, seen.canary, seen.stable, evidence.design_effect
                ),
                canary=tuple(map(sum, zip(evidence.canary, seen.canary, strict=True))),
                stable=tuple(map(sum, zip(evidence.stable, seen.stable, strict=True))),
            )
    return evidence


def begin(margins: DriftMargins, outputs: tuple[float, ...], users: tuple[str, ...] = ()) -> DriftEvidence:
    """Freeze the cells by what stable has predicted; no evidence yet."""
    cells = drift.choose_cells(outputs)
    history = drift.count(cells, outputs)
    nothing = (0,) * len(history)
    return DriftEvidence(
        cells=cells,
        pause=drift.start(cells, margins.pause_margin, history),
        rollback=drift.start(cells, margins.rollback_margin, history),
        canary=nothing,
        stable=nothing,
        design_effect=drift.design_effect(cells, outputs, users),
    )


def standing(rollout: Rollout) -> DriftStanding | None:
    """Where the evidence stands; None before it has begun."""
    margins, evidence = rollout.policy.drift, rollout.drift
    if margins is None or evidence is None:
        return None
    alpha = SHARE_OF_ALPHA * rollout.policy.alpha
    number, canary_share, stable_share = drift.largest_difference(evidence.cells, evidence.canary, evidence.stable)
    return DriftStanding(
        what=drift.event_name(evidence.cells, number),
        canary_share=canary_share,
        stable_share=stable_share,
        canary_n=sum(evidence.canary),
        limit=1 / alpha,
        e_pause=_exp(drift.log_e_value(evidence.pause)),
        pause_margin=margins.pause_margin,
        drifted=drift.alarmed(evidence.pause, alpha) and not evidence.accepted,
        e_rollback=_exp(drift.log_e_value(evidence.rollback)),
        rollback_margin=margins.rollback_margin,
        degraded=drift.alarmed(evidence.rollback, alpha),
    )


def accepted(rollout: Rollout) -> Rollout:
    """The rollout after a person has looked at its drift and resumed it: it does not pause for that again."""
    return replace(rollout, drift=replace(rollout.drift, accepted=True)) if rollout.drift else rollout


def missing(rollout: Rollout) -> tuple[str, ...]:
    """What the step still lacks of it: predictions that nobody looks at are no sign of health."""
    if rollout.policy.drift is None:
        return ()
    found = sum(rollout.drift.canary) if rollout.drift else 0
    needed = rollout.policy.min_requests
    return (f"drift observed on {found} of {needed} canary predictions",) if found < needed else ()


def in_words(found: DriftStanding, *, e: float, margin: float) -> str:
    """Why a rollout pauses or goes back because of it."""
    shares = f"{found.what}: {found.canary_share:.2%} by the canary, {found.stable_share:.2%} by stable"
    return f"prediction drift above {margin:g}: {shares} (e {e:.3g}, limit {found.limit:.0f})"


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))
