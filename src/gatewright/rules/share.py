"""Does the canary get the share that was declared? What the draws say, beside what the gateway says of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from gatewright.domain.rollout import FULL, Phase, Rollout, World
from gatewright.domain.share import HALF_A_PART, ShareEvidence
from gatewright.stats import share

MARGIN = 0.2
"""Relative: at 25 % the canary may get 20 to 30 % of the draws."""
ALPHA = 0.001
"""For each weight, of its own: nobody is rolled back by it."""
_TAKES_EFFECT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareStanding:
    """The draws under the present weight against what was declared; `off` after an alarm that writing did not mend."""

    weight: float
    drawn: int
    observed: float | None
    e: float
    limit: float
    reapplied: int
    off: bool


def absorb(rollout: Rollout, world: World, now: datetime) -> ShareEvidence | None:
    """The evidence with this look's draws under the present weight.

    At the first alarm it begins anew, and the weight is to be written once more; a second one stays.
    """
    if rollout.phase not in (Phase.PROGRESSING, Phase.PAUSED) or not 0.0 < rollout.weight < FULL:
        return rollout.share
    seen = rollout.share
    if seen is None or seen.weight != rollout.weight:
        seen = ShareEvidence(weight=rollout.weight)
    if world.source_error:
        return seen
    for block in world.draws:
        if abs(block.weight - seen.weight) > HALF_A_PART or block.at < seen.since:
            continue
        log_e = share.update(seen.log_e, block.drawn, block.canary, block.weight / FULL, MARGIN)
        peak = max(seen.peak_log_e, share.log_e_value(log_e))
        drawn, canary = seen.drawn + block.drawn, seen.canary + block.canary
        seen = replace(seen, drawn=drawn, canary=canary, log_e=log_e, peak_log_e=peak)
    return _again(seen, now) if _alarmed(seen) and not seen.reapplied else seen


def resumed(rollout: Rollout) -> Rollout:
    """The rollout after a person has resumed it: the weight is written once more and its draws are counted anew."""
    if rollout.share is None or not _alarmed(rollout.share):
        return rollout
    return replace(rollout, share=_again(rollout.share, rollout.ticked_at or rollout.started_at))


def standing(rollout: Rollout) -> ShareStanding | None:
    """Where the draws under the present weight stand; None where none are counted."""
    seen = rollout.share
    if seen is None or seen.weight != rollout.weight:
        return None
    return ShareStanding(
        weight=seen.weight,
        drawn=seen.drawn,
        observed=seen.canary / seen.drawn if seen.drawn else None,
        e=math.exp(min(share.log_e_value(seen.log_e), 700.0)),
        limit=1 / ALPHA,
        reapplied=seen.reapplied,
        off=_alarmed(seen),
    )


def in_words(found: ShareStanding) -> str:
    """Why a rollout pauses because of it."""
    got = f"{found.observed or 0.0:.2%} of {found.drawn:,} draws instead of {found.weight:g} %"
    return f"traffic share: the canary got {got}, although the weight was written again (e {found.e:.3g})"


def _again(seen: ShareEvidence, now: datetime) -> ShareEvidence:
    since = now.timestamp() + _TAKES_EFFECT_S
    return ShareEvidence(weight=seen.weight, since=since, reapplied=seen.reapplied + 1)


def _alarmed(seen: ShareEvidence) -> bool:
    return seen.peak_log_e >= -math.log(ALPHA)
