"""Is the stable arm fit to compare with, and to go back to?"""

from __future__ import annotations

from gatewright.domain.rollout import ArmState, PauseReason, Rollout, World


def unwell(world: World) -> str | None:
    """What is wrong with the stable arm, if the runtime has given it up; None also when nothing is known of it."""
    arm = world.traffic.stable
    return arm.error if arm is not None else None


def down(world: World) -> str | None:
    """Why the stable arm cannot answer; None as soon as it does, even if it may fall over again."""
    arm = world.traffic.stable
    return arm.error if arm is not None and not arm.ready else None


def comparable(rollout: Rollout, world: World) -> bool:
    """Whether the stable arm is one to compare with: next to a broken one every canary looks good.

    Requests of the time before the pause ended may still come in while it lasts.
    """
    return rollout.pause is not PauseReason.STABLE and _answers(world.traffic.stable)


def _answers(arm: ArmState | None) -> bool:
    return arm is None or (arm.ready and arm.error is None)
