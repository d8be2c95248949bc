"""Is a canary that gets copies of the traffic fit for its first real request? Step 0, whose evidence ends with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gatewright.domain.rollout import Phase, Rollout, World
from gatewright.domain.shadow import ShadowEvidence, ShadowObservation
from gatewright.rules.drift import FEWEST_OUTPUTS
from gatewright.stats import breaker, drift, paired_shares

ALPHA = 0.001
"""Of the breaker in step 0, and of its drift: of its own, beside that of the rollout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowStanding:
    """The copies so far: how many were answered, how many as stable did, and the evidence against its limits.

    `what` is the event of the drift that differs most, `difference` the canary's share of it minus stable's. Both are
    empty where no drift is observed.
    """

    asked: int
    failed: int
    answered: int
    equal_share: float | None
    failed_share: float
    limit: float
    e_breaker: float
    broken: bool
    what: str
    difference: float
    e_pause: float
    drifted: bool
    e_rollback: float
    degraded: bool


def wanted(rollout: Rollout) -> bool:
    """Whether step 0 comes before the first step."""
    return rollout.policy.shadow is not None and rollout.compared


def absorb(rollout: Rollout, world: World) -> ShadowEvidence | None:
    """The evidence with this look's copies; only while requests are copied."""
    seen = rollout.shadow
    if not rollout.mirror or world.source_error:
        return seen
    for observation in world.shadow:
        seen = _updated(rollout, seen or ShadowEvidence(), observation)
    return seen


def _updated(rollout: Rollout, seen: ShadowEvidence, block: ShadowObservation) -> ShadowEvidence:
    limit, log_e = rollout.policy.breaker.max_error_share, seen.breaker_log_e
    if breaker.log_e_value(log_e) < -math.log(ALPHA):
        log_e = breaker.update(log_e, block.asked, block.failed, limit)
    seen = replace(
        seen,
        asked=seen.asked + block.asked,
        failed=seen.failed + block.failed,
        equal=seen.equal + block.equal,
        breaker_log_e=log_e,
    )
    margins, drifting = rollout.policy.drift, rollout.drift
    if margins is None or drifting is None or not block.cells:
        return seen
    events = paired_shares.add(seen.events, paired_shares.count(drifting.cells, block.cells))
    pairs = seen.pairs + sum(number for _, _, number in block.cells)
    peaks = (
        max(peak, paired_shares.log_e_value(events, pairs, margin, drifting.design_effect))
        for peak, margin in (
            (seen.pause_peak, margins.pause_margin),
            (seen.rollback_peak, margins.rollback_margin),
        )
    )
    return replace(seen, events=events, pairs=pairs, pause_peak=next(peaks), rollback_peak=next(peaks))


def fresh(rollout: Rollout, world: World) -> bool:
    """Whether this look saw the canary answer copies."""
    return rollout.mirror > 0 and any(block.asked > block.failed for block in world.shadow)


def standing(rollout: Rollout) -> ShadowStanding | None:
    """Where the evidence of step 0 stands; None before there is any."""
    seen = rollout.shadow
    if seen is None:
        return None
    what, difference = "", 0.0
    if seen.events and rollout.drift is not None:
        differences = [(each.canary_only - each.stable_only) / max(1, seen.pairs) for each in seen.events]
        number = max(range(len(differences)), key=lambda index: abs(differences[index]))
        what, difference = drift.event_name(rollout.drift.cells, number), differences[number]
    reached = -math.log(ALPHA)
    log_e = breaker.log_e_value(seen.breaker_log_e)
    return ShadowStanding(
        asked=seen.asked,
        failed=seen.failed,
        answered=seen.answered,
        equal_share=seen.equal / seen.answered if seen.answered else None,
        failed_share=seen.failed / seen.asked if seen.asked else 0.0,
        limit=1 / ALPHA,
        e_breaker=_exp(log_e),
        broken=log_e >= reached,
        what=what,
        difference=difference,
        e_pause=_exp(seen.pause_peak),
        drifted=seen.pause_peak >= reached and not (rollout.drift and rollout.drift.accepted),
        e_rollback=_exp(seen.rollback_peak),
        degraded=seen.rollback_peak >= reached,
    )


def missing(rollout: Rollout, *, hold: bool = True) -> tuple[str, ...]:
    """What still keeps step 0 from ending, in words; copies that nobody answers are missing too."""
    policy, seen = rollout.policy, rollout.shadow or ShadowEvidence()
    if policy.shadow is None:
        return ()
    found = []
    if hold and rollout.held_s < policy.shadow.hold.seconds:
        found.append(f"hold {rollout.held_s:.0f} of {policy.shadow.hold.seconds:.0f} s")
    if seen.answered < policy.min_requests:
        found.append(f"{seen.answered} of {policy.min_requests} copies answered")
    if policy.drift is not None and seen.pairs < policy.min_requests:
        cells = "" if rollout.drift else f" (after {FEWEST_OUTPUTS} predictions of stable)"
        found.append(f"drift observed on {seen.pairs} of {policy.min_requests} pairs{cells}")
    return tuple(found)


def patience_s(rollout: Rollout) -> float:
    """Seconds that step 0 may take in all before the rollout is inconclusive."""
    shadow = rollout.policy.shadow
    return shadow.hold.seconds + rollout.policy.extension_of(shadow.hold) if shadow else 0.0


def broken_in_words(found: ShadowStanding, limit: float) -> str:
    """Why a canary that leaves copies unanswered goes back."""
    share = f"{found.failed_share:.2%} of {found.asked:,}"
    return f"step 0: the canary left {share} copied requests unanswered, above its absolute limit of {limit:.1%}"


def drift_in_words(found: ShadowStanding, *, e: float, margin: float) -> str:
    """Why a rollout pauses or goes back because of what copies were answered."""
    equal = f"{found.equal_share:.2%} of its answers equal stable's" if found.equal_share is not None else ""
    moved = f"{found.what}: {100 * found.difference:+.2f} points on the same requests"
    return f"step 0: prediction drift above {margin:g}: {moved}; {equal} (e {e:.3g}, limit {found.limit:.0f})"


def mirror_after(rollout: Rollout, phase: Phase) -> float:
    """The share of requests to copy once the rollout is in `phase`; a pause changes nothing."""
    if phase is Phase.PAUSED:
        return rollout.mirror
    shadow = rollout.policy.shadow
    return shadow.share if phase is Phase.SHADOWING and shadow else 0.0


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))
