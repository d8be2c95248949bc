"""What did people order? Approvals and haste, each bound to one step and one model, each used at most once."""

from __future__ import annotations

from dataclasses import replace

from gatewright.domain.rollout import Command, Order, PauseReason, Phase, Rollout, Verb, World


def heard(rollout: Rollout, world: World) -> Rollout:
    """The rollout with the orders of this look; one that is bound to another step or model changes nothing."""
    for command in world.commands:
        if command.verb == "pause":
            rollout = replace(rollout, full=None)
        if command.digest != rollout.canary or command.step is None:
            continue
        if command.verb == "approve" and waits_for_approval(rollout) and command.step == next_step(rollout):
            rollout = replace(rollout, approval=_order(command))
        elif command.verb == "promote" and command.step == rollout.step and rollout.hurry is None and rollout.weight:
            rollout = replace(rollout, hurry=_order(command))
        elif command.verb == "promote-full" and rollout.weight:
            rollout = replace(rollout, full=_order(command))
    return rollout


def next_step(rollout: Rollout) -> int:
    """Index of the step that would begin next; the number of steps when 100 % comes next."""
    return rollout.step if rollout.weight == 0.0 else rollout.step + 1


def waits_for_approval(rollout: Rollout) -> bool:
    """Whether the next step may not begin until somebody has approved it."""
    index, steps = next_step(rollout), rollout.policy.steps
    if not rollout.compared or rollout.phase in (Phase.PROMOTING, Phase.ROLLING_BACK) or rollout.phase.terminal:
        return False
    approved = rollout.approval is not None and rollout.approval.step == index
    return index < len(steps) and steps[index].approval and not approved


def full_by(rollout: Rollout, world: World) -> str | None:
    """Who has asked for 100 % without waiting; None while the traffic or a proven canary cannot be seen."""
    canary = world.traffic.canary
    proven = canary is not None and canary.ready and canary.digest == rollout.canary
    if rollout.full is None or not proven or world.traffic.weight is None or rollout.phase is Phase.PROMOTING:
        return None
    return rollout.full.actor


def bound_to(rollout: Rollout, verb: Verb) -> int | None:
    """The step that a command given now is about; None for verbs that are about the whole rollout."""
    if verb == "approve":
        return next_step(rollout)
    return rollout.step if verb in ("promote", "promote-full") else None


def needless(rollout: Rollout, verb: Verb) -> str | None:
    """Why nothing would come of `verb` now; None when something would."""
    going = rollout.phase is Phase.PROMOTING
    match verb:
        case "approve" if not waits_for_approval(rollout):
            if rollout.approval is not None:
                return f"step {rollout.approval.step + 1} is approved already, by {rollout.approval.actor}"
            return "no step waits for an approval"
        case "promote" | "promote-full" if going:
            return "it is on its way to 100 % already"
        case "promote" if rollout.hurry is not None:
            return f"{rollout.hurry.actor} has asked for it already; what it waits for: {rollout.why}"
        case "promote-full" if rollout.full is not None:
            return f"{rollout.full.actor} has asked for it already: it waits until canary and traffic can be seen"
        case "pause" if rollout.pause is PauseReason.MANUAL:
            return f"it is paused already: {rollout.why}"
        case "resume" if rollout.phase is not Phase.PAUSED:
            return "it is not paused"
    return None


def refusal(rollout: Rollout, verb: Verb) -> tuple[str, str] | None:
    """Why `verb` cannot be had now, and what to do instead; None when it can."""
    if verb == "abort":
        return None
    if rollout.phase is Phase.ROLLING_BACK:
        return (
            f"it is being rolled back: {rollout.why}",
            "wait for its end; then, to try again: gatewright rollout retry",
        )
    if verb == "resume" and rollout.pause is PauseReason.APPROVAL:
        return rollout.why, "gatewright rollout approve --by NAME"
    if verb in ("promote", "promote-full") and rollout.weight == 0.0:
        return "the canary has no traffic yet", "wait until it has proven its digest: gatewright rollout status"
    if verb == "promote" and rollout.phase is Phase.PAUSED:
        onward = "approve" if rollout.pause is PauseReason.APPROVAL else "resume"
        return f"it is paused ({rollout.pause}): {rollout.why}", f"gatewright rollout {onward}, or promote --full"
    return None


def _order(command: Command) -> Order:
    assert command.step is not None
    return Order(step=command.step, actor=command.actor, command=command.id)
