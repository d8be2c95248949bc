"""What should this rollout do next? The state machine: (rollout, world) → Decision, one `match`, no clock."""

from __future__ import annotations

from dataclasses import replace

from gatewright.domain.rollout import ALMOST_FULL, FULL, Command, Decision, PauseReason, Phase, Rollout, World
from gatewright.rules import drift, live_slices, orders, shadow, share, stable
from gatewright.rules.evidence import Standing, breaker_tripped, fresh, is_blind, missing, standings


def decide(rollout: Rollout, world: World) -> Decision:
    """The next phase, step and weight of `rollout`, whose evidence has already absorbed this look.

    An abort, a broken canary and an alarm win over everything until the rollout has ended; missing data never advances.
    Only a person sends traffic back to a stable arm that does not answer.
    Orders that this decision did not use go on with it, as long as their step does.
    """
    rollout = orders.heard(rollout, world)
    decision = _decided(rollout, world)
    approval, hurry, full = rollout.approval, rollout.hurry, rollout.full
    if decision.weight != rollout.weight:  # another step began, or none will
        approval = full = None
    if hurry and decision.step != hurry.step:
        hurry = None
    return replace(decision, approval=approval, hurry=hurry, full=full)


def _decided(rollout: Rollout, world: World) -> Decision:
    if rollout.phase.terminal:
        return _stay(rollout, rollout.why)
    if rollout.phase is Phase.ROLLING_BACK:
        return _rolling_back(rollout, world)
    if ending := _ending(rollout, world):
        return ending
    if actor := orders.full_by(rollout, world):
        why = f"on to 100 % without waiting for evidence, by {actor}"
        return replace(_to(rollout, Phase.PROMOTING, why, weight=FULL), actor=actor)
    match rollout.phase:
        case Phase.PAUSED:
            return _paused(rollout, world)
        case _ if (last := _last_word(world)) and last.verb == "pause":
            return _pause(rollout, PauseReason.MANUAL, f"paused by {last.actor}", last.actor)
        case Phase.PENDING | Phase.SHADOWING | Phase.PROGRESSING if rollout.compared and (sick := stable.unwell(world)):
            return _pause(rollout, PauseReason.STABLE, f"stable does not run: {sick}; the weight stays as it is")
        case Phase.PENDING:
            return _pending(rollout, world)
        case Phase.PROMOTING if _arrived(rollout, world):
            return _to(rollout, Phase.PROMOTED, "all traffic is on the new version, read back")
        case _ if blind := _blind_too_long(rollout, world):
            return _pause(rollout, PauseReason.BLIND, blind)
        case _ if moved := _drifted(rollout):
            return _pause(rollout, PauseReason.DRIFT, moved)
        case Phase.SHADOWING:
            return _shadowing(rollout, world)
        case Phase.PROGRESSING if (draws := share.standing(rollout)) and draws.off:
            return _pause(rollout, PauseReason.SHARE, share.in_words(draws))
        case Phase.PROMOTING:
            return _stay(rollout, "waiting until the traffic shows 100 %")
        case _:
            return _progressing(rollout, world)


def apply(rollout: Rollout, decision: Decision) -> Rollout:
    """The rollout as `decision` wants it; a new step starts its own hold, a resumed one its own extension."""
    resumed = rollout.phase is Phase.PAUSED and decision.phase is not Phase.PAUSED
    before = rollout.phase in (Phase.PENDING, Phase.SHADOWING)
    started = before and decision.phase not in (rollout.phase, Phase.PAUSED)
    if resumed:
        rollout = replace(rollout, waited_s=0.0, blind_s=0.0)
        rollout = drift.accepted(rollout) if rollout.pause is PauseReason.DRIFT else share.resumed(rollout)
    if started or decision.step != rollout.step:
        rollout = replace(rollout, held_s=0.0, waited_s=0.0, step_requests=0)
    return replace(
        rollout,
        phase=decision.phase,
        step=decision.step,
        weight=decision.weight,
        mirror=shadow.mirror_after(rollout, decision.phase),
        why=decision.why,
        actor=decision.actor,
        pause=decision.pause,
        approval=decision.approval,
        hurry=decision.hurry,
        full=decision.full,
    )


def _ending(rollout: Rollout, world: World) -> Decision | None:
    """Reasons to roll back, whatever else is going on."""
    if abort := next((command for command in world.commands if command.verb == "abort"), None):
        return _back(rollout, f"aborted by {abort.actor}", abort.actor)
    why = _fault(rollout, world)
    return _back_unless_down(rollout, world, why) if why else None


def _back_unless_down(rollout: Rollout, world: World, why: str) -> Decision:
    """Back; but traffic that only the canary can answer stays there, loudly, until stable answers again."""
    if rollout.weight and (down := stable.down(world)):
        why = f"{why}; it goes back as soon as stable answers, which does not run: {down}"
        return _pause(rollout, PauseReason.STABLE, why)
    return _back(rollout, why)


def _fault(rollout: Rollout, world: World) -> str | None:
    """What is wrong with the canary, or with the sight of it where the policy says that this is enough."""
    canary = world.traffic.canary
    if canary is not None and canary.error:
        return f"the canary does not run: {canary.error}"
    for standing in standings(rollout):
        if standing.degraded:
            return _degradation(standing)
    if (seen := drift.standing(rollout)) and seen.degraded:
        return drift.in_words(seen, e=seen.e_rollback, margin=seen.rollback_margin)
    if (sliced := live_slices.standing(rollout)) and sliced.degraded:
        return live_slices.in_words(sliced)
    if copies := _failed_in_shadow(rollout):
        return copies
    if breaker_tripped(rollout):
        share = rollout.policy.breaker.max_error_share
        return f"the canary's error share is above its absolute limit of {share:.1%}"
    if rollout.policy.on_blind == "rollback" and rollout.compared and rollout.weight:
        return _blind_too_long(rollout, world)
    return None


def _blind_too_long(rollout: Rollout, world: World) -> str | None:
    if rollout.blind_s <= rollout.policy.blind_after.seconds:
        return None
    return f"nothing could be seen for {rollout.blind_s:.0f} s: {_blindness(rollout, world)}"


def _pending(rollout: Rollout, world: World) -> Decision:
    canary = world.traffic.canary
    proven = canary is not None and canary.ready and canary.digest == rollout.canary
    if world.preparation_error or not proven or _hides_from(rollout, world):
        waiting = "waiting until the canary has loaded the model and proven its digest"
        if world.preparation_error:
            waiting = f"the arms cannot be prepared: {world.preparation_error}"
        elif proven:
            waiting = _blindness(rollout, world)
        limit_s = rollout.policy.start_within.seconds
        if rollout.waited_s + rollout.blind_s > limit_s:
            return _back(rollout, f"the canary was not ready after {limit_s:.0f} s: {waiting}")
        return _stay(rollout, waiting)
    if rollout.stable is None:
        return _to(rollout, Phase.PROMOTING, "first deployment: no stable arm to compare with", weight=FULL)
    if rollout.restored_by is not None:
        why = f"back to version {rollout.number}, by {rollout.restored_by}"
        return replace(_to(rollout, Phase.PROMOTING, why, weight=FULL), actor=rollout.restored_by)
    if shadow.wanted(rollout):
        return _to(rollout, Phase.SHADOWING, "the canary is ready: it gets copies of the requests")
    return _first_step(rollout, "the canary is ready")


def _hides_from(rollout: Rollout, world: World) -> bool:
    """Whether it cannot be seen that only stable has traffic; without a stable arm nobody can lose any."""
    return is_blind(rollout, world) if rollout.stable is not None else world.traffic.weight is None


def _shadowing(rollout: Rollout, world: World) -> Decision:
    if is_blind(rollout, world):
        return _stay(rollout, _blindness(rollout, world))
    lacking = ", ".join(shadow.missing(rollout))
    if not lacking and fresh(rollout, world):
        return _first_step(rollout, "healthy on copies")
    lacking = lacking or "no copy was answered in this look"
    if rollout.waited_s > shadow.patience_s(rollout):
        return _pause(rollout, PauseReason.INCONCLUSIVE, f"no conclusion after {rollout.waited_s:.0f} s: {lacking}")
    return _stay(rollout, lacking)


def _first_step(rollout: Rollout, why: str) -> Decision:
    first = rollout.policy.steps[0]
    if orders.waits_for_approval(rollout):
        return _wait_for_approval(rollout)
    actor = rollout.approval.actor if rollout.approval else "gatewright"
    why = f"{why}: {first.weight:g} %"
    return replace(_to(rollout, Phase.PROGRESSING, why, weight=first.weight), actor=actor)


def _drifted(rollout: Rollout) -> str | None:
    """Why a person should look at what the canary predicts, live or on copies."""
    if (seen := drift.standing(rollout)) and seen.drifted:
        return drift.in_words(seen, e=seen.e_pause, margin=seen.pause_margin)
    margins, copies = rollout.policy.drift, shadow.standing(rollout)
    if margins is not None and copies is not None and copies.drifted:
        return shadow.drift_in_words(copies, e=copies.e_pause, margin=margins.pause_margin)
    return None


def _failed_in_shadow(rollout: Rollout) -> str | None:
    policy, copies = rollout.policy, shadow.standing(rollout)
    if copies is not None and copies.broken:
        return shadow.broken_in_words(copies, policy.breaker.max_error_share)
    if copies is not None and copies.degraded and policy.drift is not None:
        return shadow.drift_in_words(copies, e=copies.e_rollback, margin=policy.drift.rollback_margin)
    return None


def _progressing(rollout: Rollout, world: World) -> Decision:
    if is_blind(rollout, world):
        return _stay(rollout, _blindness(rollout, world))
    hurried = rollout.hurry is not None and rollout.hurry.step == rollout.step
    lacking = ", ".join(missing(rollout, hold=not hurried))
    if not lacking and fresh(rollout, world):
        return _next_step(rollout)
    lacking = lacking or "no requests of both arms in this look"
    step = rollout.policy.steps[rollout.step]
    if rollout.waited_s > step.hold.seconds + rollout.policy.extension_s(step):
        return _inconclusive(rollout, world, f"no conclusion after {rollout.waited_s:.0f} s: {lacking}")
    return _stay(rollout, lacking)


def _inconclusive(rollout: Rollout, world: World, why: str) -> Decision:
    """What the policy says; what was not even looked at never advances."""
    policy = rollout.policy.on_inconclusive
    if policy == "abort":
        return _back_unless_down(rollout, world, f"{why} (on_inconclusive: abort)")
    if policy == "advance" and fresh(rollout, world) and not missing(rollout, proof=False):
        return _next_step(rollout, because=f"{why} (on_inconclusive: advance)")
    return _pause(rollout, PauseReason.INCONCLUSIVE, why)


def _arrived(rollout: Rollout, world: World) -> bool:
    """The good end: read back full, free of the lease, and the baseline moved."""
    full = world.traffic.weight is not None and world.traffic.weight >= ALMOST_FULL
    moved = world.registry_error is None and world.serving == rollout.canary
    return full and world.traffic.settled and moved


def _paused(rollout: Rollout, world: World) -> Decision:
    """What is paused goes on where its weight says that it was."""
    last = _last_word(world)
    if rollout.pause is PauseReason.APPROVAL:
        if last is not None and last.verb == "pause":
            return _pause(rollout, PauseReason.MANUAL, f"paused by {last.actor}", last.actor)
        if orders.waits_for_approval(rollout) or rollout.approval is None:
            return _stay(rollout, rollout.why)
        return replace(_go_on(rollout, f"approved by {rollout.approval.actor}"), actor=rollout.approval.actor)
    if last is None or last.verb != "resume":
        return _stay(rollout, rollout.why)
    if rollout.pause is PauseReason.STABLE and (sick := stable.unwell(world)):
        return _stay(rollout, f"{last.actor} cannot resume: stable does not run: {sick}")
    return replace(_go_on(rollout, f"resumed by {last.actor}"), actor=last.actor)


def _go_on(rollout: Rollout, why: str) -> Decision:
    without_weight = Phase.SHADOWING if rollout.mirror else Phase.PENDING
    before = {0.0: without_weight, FULL: Phase.PROMOTING}.get(rollout.weight, Phase.PROGRESSING)
    return _to(rollout, before, why)


def _rolling_back(rollout: Rollout, world: World) -> Decision:
    """The end: the canary read back at 0, and the baseline what it was; before the first deployment there is none."""
    out = world.traffic.weight == 0.0 and not world.traffic.mirror
    restored = out and world.registry_error is None and world.serving == rollout.stable
    phase = Phase.ROLLED_BACK if restored else Phase.ROLLING_BACK
    return replace(_to(rollout, phase, rollout.why, weight=0.0), actor=rollout.actor)


def _next_step(rollout: Rollout, because: str = "") -> Decision:
    if orders.waits_for_approval(rollout):
        return _wait_for_approval(rollout)
    actor = next((order.actor for order in (rollout.hurry, rollout.approval) if order), "gatewright")
    if rollout.step + 1 < len(rollout.policy.steps):
        step = rollout.policy.steps[rollout.step + 1]
        onward = _to(rollout, Phase.PROGRESSING, f"{because or 'healthy'}: on to {step.weight:g} %", weight=step.weight)
        return replace(onward, step=rollout.step + 1, actor=actor)
    why = f"{because or 'healthy at every step'}: on to 100 %"
    return replace(_to(rollout, Phase.PROMOTING, why, weight=FULL), actor=actor)


def _wait_for_approval(rollout: Rollout) -> Decision:
    index = orders.next_step(rollout)
    weight = rollout.policy.steps[index].weight
    why = f"step {index + 1} ({weight:g} %) needs an approval: gatewright rollout approve"
    return _pause(rollout, PauseReason.APPROVAL, why)


def _degradation(standing: Standing) -> str:
    evidence = f"(e {standing.e_rollback:.3g}, limit {standing.rollback_limit:.0f})"
    if standing.by_reward:
        canary, stable = 1 - standing.canary_share, 1 - standing.stable_share
        return f"{standing.metric}: the canary earns a mean reward of {canary:.4f}, stable {stable:.4f} {evidence}"
    phrases = {"errors": "fails {} of its requests", "latency": "is slow on {} of its requests"}
    what = phrases.get(standing.metric, "has {} of its labelled answers wrong").format(f"{standing.canary_share:.2%}")
    return f"{standing.metric}: the canary {what}, stable {standing.stable_share:.2%} {evidence}"


def _blindness(rollout: Rollout, world: World) -> str:
    if world.source_error:
        return f"no evidence: {world.source_error}"
    if world.traffic.weight is None:
        return f"the traffic cannot be read back: {world.traffic.error}"
    if (world.traffic.mirror > 0) != (rollout.mirror > 0):
        return f"requests are {'not yet' if rollout.mirror else 'still'} copied to the canary: asked again"
    return f"the traffic shows {world.traffic.weight:g} % instead of {rollout.weight:g} %: asked again"


def _last_word(world: World) -> Command | None:
    """Of several commands to pause and to resume, the last one counts."""
    return next((command for command in reversed(world.commands) if command.verb in ("pause", "resume")), None)


def _stay(rollout: Rollout, why: str) -> Decision:
    return Decision(phase=rollout.phase, step=rollout.step, weight=rollout.weight, why=why, pause=rollout.pause)


def _to(rollout: Rollout, phase: Phase, why: str, *, weight: float | None = None) -> Decision:
    return Decision(phase=phase, step=rollout.step, weight=rollout.weight if weight is None else weight, why=why)


def _back(rollout: Rollout, why: str, actor: str = "gatewright") -> Decision:
    return Decision(phase=Phase.ROLLING_BACK, step=rollout.step, weight=0.0, why=why, actor=actor)


def _pause(rollout: Rollout, reason: PauseReason, why: str, actor: str = "gatewright") -> Decision:
    return Decision(phase=Phase.PAUSED, step=rollout.step, weight=rollout.weight, why=why, pause=reason, actor=actor)
