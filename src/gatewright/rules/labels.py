"""Do labels come? The hold of the step that needs them is served only while they do."""

from __future__ import annotations

from collections.abc import Iterable

from gatewright.domain.evidence import Observation
from gatewright.domain.rollout import Rollout

_WINDOWS = 2


def age_s(rollout: Rollout, observations: Iterable[Observation], elapsed: float) -> float | None:
    """Seconds since the last block with labels of both arms, this look included; None while there was none."""
    if any(seen.metric == "quality" and seen.block.canary_n and seen.block.stable_n for seen in observations):
        return 0.0
    return None if rollout.labels_age_s is None else rollout.labels_age_s + elapsed


def hold_stands_still(rollout: Rollout, age: float | None, look_s: float) -> bool:
    """Whether this step needs labels and none come: no block of both arms for two windows, or two looks if longer."""
    if rollout.policy.quality is None or not rollout.at_last_step:
        return False
    return age is None or age > _WINDOWS * max(rollout.policy.quality.block.seconds, look_s)


def in_words(rollout: Rollout) -> str:
    """Why the hold stands still."""
    age = rollout.labels_age_s
    return f"the hold stands still: no labels of both versions {'yet' if age is None else f'for {age:.0f} s'}"
