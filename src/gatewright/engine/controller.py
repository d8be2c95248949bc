"""The controller: look → decide → record → act, once per tick, under a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from gatewright.domain.documents import canonical_json, plain, sha256
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.records import NOW_SERVES
from gatewright.domain.rollout import ALMOST_FULL, Decision, PauseReason, Phase, Rollout, World
from gatewright.engine.ending import write_record
from gatewright.engine.following import refuse_elsewhere
from gatewright.engine.looking import look
from gatewright.engine.marking import mark_serving
from gatewright.engine.telling import letters, tell_due, tell_last
from gatewright.engine.tending import tend_to_the_end
from gatewright.engine.trouble import Trouble
from gatewright.ports import DistantTraffic, Progress
from gatewright.rules import canary, drift, evidence, live_slices, orders, shadow, share
from gatewright.rules.notices import alerts
from gatewright.store.records import Event
from gatewright.store.runs import RunFolder
from gatewright.workspace import Workspace

_SETTLING = (Phase.PENDING, Phase.PROMOTING, Phase.ROLLING_BACK)
_SETTLING_S, _SETTLING_FAR_S = 0.2, 15.0


class Controller:
    """Drives rollouts of one workspace. The same tick runs in `run`, in a schedule and in a daemon."""

    def __init__(
        self, workspace: Workspace, progress: Progress, *, keep_runtime: Callable[[], None] | None = None
    ) -> None:
        """`keep_runtime` is called before each look of `drive`: it starts the local runtime again when it has died."""
        self._workspace = workspace
        self._progress = progress
        self._keep_runtime = keep_runtime

    def drive(self, rollout: Rollout, *, until: Sequence[Phase]) -> Rollout:
        """Tick until the rollout is in one of the phases `until`; the lease is given back at the end.

        What fails outside is tried again: for a while, and a rollback for ever.
        """
        workspace, trouble = self._workspace, Trouble(self._workspace, self._progress)
        try:
            while rollout.phase not in until:
                try:
                    if self._keep_runtime is not None:
                        self._keep_runtime()
                    rollout = self.tick(rollout)
                except WorldFailed as error:
                    trouble.met(rollout, error)
                    continue
                trouble.over()
                self._progress.waiting(headline(rollout))
                if rollout.phase not in until:
                    workspace.clock.sleep(look_again_s(workspace, rollout))
        finally:
            workspace.rollouts.release(rollout, workspace.owner)
        tell_last(workspace, self._progress)
        if rollout.phase.terminal:
            tend_to_the_end(workspace, self._progress)
        return rollout

    def tick(self, rollout: Rollout) -> Rollout:
        """One look and its consequence. LeaseLost when another controller, or another machine, drives it."""
        workspace = self._workspace
        refuse_elsewhere(workspace, rollout)  # before the lease: whoever sees its traffic keeps that
        now = workspace.clock.now()
        before = workspace.rollouts.lease(rollout, workspace.owner, now, rollout.policy.lease.seconds)
        if before.phase.terminal:
            self._settle(before)
            tell_due(workspace, self._progress)
            return before
        seen, world, found = look(workspace, before)
        now = workspace.clock.now()
        informed = evidence.absorb(seen, world, found.cursor, now)
        decision = canary.decide(informed, world)
        after = canary.apply(informed, decision)
        after = replace(after, alerts=alerts(after, world))
        after = workspace.rollouts.advance(
            before,
            after,
            _events(workspace, orders.heard(informed, world), after, decision, known=before),
            _tick_body(after, world),
            world.commands,
            letters(workspace, before, after, world, now),
        )
        try:
            if after.phase.terminal:
                self._settle(after)
            else:
                self._act(after, world)
        finally:
            tell_due(workspace, self._progress)
        return after

    def _act(self, rollout: Rollout, world: World) -> None:
        """Make the world as decided; every effect may be repeated."""
        workspace = self._workspace
        observed = world.traffic.weight
        match rollout.phase:
            case Phase.PENDING:
                if observed and rollout.stable is not None:
                    workspace.traffic.set_weight(rollout, 0.0)
            case Phase.PROMOTING if observed is not None and observed >= ALMOST_FULL:
                workspace.traffic.finish(rollout)
                mark_serving(workspace, rollout, rollout.canary)
            case Phase.ROLLING_BACK:
                workspace.traffic.set_weight(rollout, 0.0)
                if world.serving == rollout.canary:
                    mark_serving(workspace, rollout, rollout.stable)
            case _:
                workspace.traffic.set_weight(rollout, rollout.weight)

    def _settle(self, rollout: Rollout) -> None:
        """What is left to do at the end: unload what no longer serves, and the run's own copy of its record."""
        self._workspace.traffic.finish(rollout)
        record = self._workspace.records.terminal(rollout.run)
        if record is not None and rollout.origin is None:  # else the run is a name only, without a folder
            write_record(self._workspace.runs.get(rollout.run), record)


def look_again_s(workspace: Workspace, rollout: Rollout) -> float:
    """Seconds until the next look; short while only the runtime has to catch up, less so where a service has to."""
    interval = evidence.interval_s(rollout.policy)
    short = _SETTLING_FAR_S if isinstance(workspace.traffic, DistantTraffic) else _SETTLING_S
    return min(interval, short) if rollout.phase in _SETTLING else interval


def headline(rollout: Rollout) -> str:
    """One line for people: phase, weight, and what is waited for."""
    return f"{rollout.phase} at {rollout.weight:g} %: {rollout.why}"


def _events(
    workspace: Workspace, before: Rollout, after: Rollout, decision: Decision, *, known: Rollout
) -> tuple[Event, ...]:
    """A record for every order of a person that `known` did not have, and for every change of phase, step or pause."""
    assert after.ticked_at is not None
    ordered = tuple(_order_events(known, before, after.ticked_at))
    if (before.phase, before.step, before.pause) == (after.phase, after.step, after.pause):
        return ordered
    approved = before.pause is PauseReason.APPROVAL and after.approval is not None
    if approved and after.phase is not Phase.PAUSED:
        return ordered  # which tell why it goes on
    climbing = (Phase.PENDING, Phase.SHADOWING, Phase.PROGRESSING)
    kind = "step" if before.phase in climbing and after.phase is Phase.PROGRESSING else after.phase.value
    if before.phase is Phase.PAUSED and after.phase in (*climbing, Phase.PROMOTING):
        kind = "resumed"
    if after.phase is Phase.PROMOTED and after.restored_by is not None:
        kind = "restored"
    return (
        *ordered,
        Event(
            at=after.ticked_at,
            kind=kind,
            run=after.run,
            model=after.model,
            rollout=after.id,
            why=after.why,
            actor=_actor(after, decision),
            before=after.stable,
            after=after.canary if after.phase is not Phase.ROLLED_BACK else after.stable,
            evidence=sha256(canonical_json(evidence_of(after))),
            details=_details(workspace, before, after),
        ),
    )


def _order_events(known: Rollout, heard: Rollout, now: datetime) -> Iterator[Event]:
    """Orders that are bound to a step: taken now, used later or never."""
    orders_of = (("approved", heard.approval, known.approval), ("hurried", heard.hurry, known.hurry))
    for kind, order, before in orders_of:
        if order is None or order == before:
            continue
        weight = heard.policy.steps[order.step].weight
        what = "approved" if kind == "approved" else "need not serve the rest of its hold: asked"
        yield Event(
            at=now,
            kind=kind,
            run=heard.run,
            model=heard.model,
            rollout=heard.id,
            why=f"step {order.step + 1} ({weight:g} %) {what} by {order.actor}",
            actor=order.actor,
            before=heard.stable,
            after=heard.canary,
            details={"step": order.step, "weight": weight, "version": heard.number, "command": order.command},
        )


def evidence_of(rollout: Rollout) -> Any:
    """What a record proves its decision by; drift, slices and copies only where they are observed."""
    more = {"drift": rollout.drift, "slices": rollout.slices, "shadow": rollout.shadow}
    return {**rollout.evidence, **{name: found for name, found in more.items() if found}}


def _actor(rollout: Rollout, decision: Decision) -> str:
    if rollout.phase is Phase.PROMOTED:
        return rollout.bootstrap_by or rollout.restored_by or decision.actor
    return decision.actor


def _details(workspace: Workspace, before: Rollout, rollout: Rollout) -> dict[str, Any]:
    details: dict[str, Any] = {"step": rollout.step, "weight": rollout.weight, "version": rollout.number}
    if before.approval is not None and rollout.weight > before.weight:
        details["approved_by"] = before.approval.actor
    if not rollout.phase.terminal:
        return details
    details["bootstrap"] = rollout.stable is None
    if rollout.restored_by is not None:
        return details | _of_promotion(workspace, rollout)
    run = rollout.origin or rollout.run
    return details | _origin(workspace.runs.get(run), strict=rollout.phase is Phase.PROMOTED)


def _of_promotion(workspace: Workspace, rollout: Rollout) -> dict[str, Any]:
    """What the version that is restored was made from, as the record of its promotion says."""
    found = [record for record in workspace.records.all() if record.kind in NOW_SERVES]
    mine = [record for record in found if (record.model, record.after) == (rollout.model, rollout.canary)]
    return {name: mine[-1].details.get(name) for name in ("inputs", "verdict", "report")}


def _origin(run: RunFolder, *, strict: bool) -> dict[str, Any]:
    """What the model was made from and judged by; a rollback does not wait for a hand-off that is damaged."""
    try:
        return {
            "inputs": run.need("lock", "validate").body["inputs_of_run"],
            "verdict": run.digest("verdict"),
            "report": run.digest("evaluation-report"),
        }
    except UnusableInput as error:
        if strict:
            raise
        return {"damaged": str(error)}


def _tick_body(rollout: Rollout, world: World) -> dict[str, Any]:
    return {
        "phase": rollout.phase,
        "step": rollout.step,
        "weight": rollout.weight,
        "observed": world.traffic.weight,
        "why": rollout.why,
        "held_s": round(rollout.held_s, 3),
        "requests": rollout.requests,
        "source_error": world.source_error,
        "standings": plain(evidence.standings(rollout)),
        "drift": plain(drift.standing(rollout)),
        "slices": plain(live_slices.summary(rollout)),
        "shadow": plain(shadow.standing(rollout)),
        "share": plain(share.standing(rollout)),
        "blocks": plain(world.observations),
    }
