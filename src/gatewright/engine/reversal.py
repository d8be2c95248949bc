"""Going back and trying again: both are rollouts of a version that is registered already, asked for by a person."""

from __future__ import annotations

import secrets
from datetime import timedelta

from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.records import NOW_SERVES, DeploymentRecord
from gatewright.domain.rollout import Rollout
from gatewright.engine.marking import serving
from gatewright.engine.stages.canary import stable_of
from gatewright.store.records import Event
from gatewright.workspace import Workspace


def roll_back(workspace: Workspace, actor: str, reason: str) -> Rollout | None:
    """Begin the return to the version that was promoted before the one that serves; None when it was made already.

    A return in progress is handed out again. UnusableInput when another rollout is in progress, when nothing was
    promoted before, or when the rollback window of the last promotion is over.
    """
    model = workspace.project.model
    active = workspace.rollouts.active(model)
    if active is not None and active.restored_by is not None:
        return active
    if active is not None:
        raise UnusableInput(
            f"rollout {active.id} is {active.phase}: it has to end before production can go back",
            fix="gatewright rollout abort; then gatewright rollout rollback",
        )
    serves = [record for record in workspace.records.all() if record.kind in NOW_SERVES and record.model == model]
    if not serves:
        raise UnusableInput(f"{model} was never promoted: there is nothing to go back from", fix="gatewright status")
    if serves[-1].kind == "restored":
        return None
    _within_window(workspace, serves[-1])
    current = serving(workspace)
    if current is None or current.artifact.digest != serves[-1].after:
        raise UnusableInput(
            f"the registry says that {current.artifact.digest if current else 'nothing'} serves, the last record says "
            f"{serves[-1].after}",
            fix="somebody moved production by hand: gatewright records",
        )
    target = _target(workspace, serves)
    return _start(workspace, target, current, run="rollback", why=f"rollback by {actor}: {reason}", restored_by=actor)


def retry(workspace: Workspace, actor: str, reason: str, number: int | None = None) -> tuple[Rollout, bool]:
    """Lift the quarantine of a version for a reason, and begin a new rollout of it; and whether it is new.

    The one that was quarantined last, unless `number` names another. UnusableInput when it is not quarantined, or when
    production is not what its run has compared it with.
    """
    model = workspace.project.model
    quarantined = workspace.rollouts.quarantined(model)
    active = workspace.rollouts.active(model)
    if active is not None and active.origin is not None and number in (None, active.number):
        return active, False
    version = _to_retry(workspace, quarantined, number)
    stable = stable_of(workspace, workspace.runs.get(version.run), version)
    why = f"retry of version {version.number} by {actor}: {reason} (it was quarantined: "
    why += f"{quarantined[version.artifact.digest]})"
    return _start(workspace, version, stable, run=f"{version.run}-retry", why=why, actor=actor), True


def _to_retry(workspace: Workspace, quarantined: dict[str, str], number: int | None) -> ModelVersion:
    model = workspace.project.model
    if number is None:
        if not quarantined:
            raise UnusableInput(
                f"no version of {model} is quarantined", fix="nothing was rolled back: gatewright status"
            )
        version = workspace.registry.find(model, list(quarantined)[-1])
    else:
        version = workspace.registry.numbered(model, number)
    if version is None:
        raise UnusableInput(f"{model} has no version {number or list(quarantined)[-1]}", fix="gatewright records")
    if version.artifact.digest not in quarantined:
        raise UnusableInput(
            f"version {version.number} is not quarantined: there is nothing to lift",
            fix=f"roll it out as usual: gatewright canary --run {version.run}",
        )
    return version


def _within_window(workspace: Workspace, last: DeploymentRecord) -> None:
    rollout = workspace.rollouts.get(last.rollout or "")
    window = (rollout.policy if rollout else workspace.project.rollout).rollback_window.seconds
    until = last.at + timedelta(seconds=window)
    if workspace.clock.now() > until:
        raise UnusableInput(
            f"the rollback window of the promotion at {last.at.isoformat()} ended at {until.isoformat()}",
            fix="roll out another version: gatewright run; a longer window: rollout.rollback_window",
        )


def _target(workspace: Workspace, serves: list[DeploymentRecord]) -> ModelVersion:
    """The last version that a record says was promoted, other than the one that serves, by its digest."""
    model = serves[-1].model
    banned = workspace.rollouts.quarantined(model)
    earlier = [record.after for record in reversed(serves) if record.after not in (serves[-1].after, *banned)]
    if not earlier or earlier[0] is None:
        raise UnusableInput(
            "no other version was promoted before: there is nothing to go back to", fix="gatewright run"
        )
    version = workspace.registry.find(model, earlier[0])
    if version is None:
        raise UnusableInput(f"{earlier[0]} was promoted, but the registry does not have it", fix="restore the registry")
    return version


def _start(
    workspace: Workspace,
    version: ModelVersion,
    stable: ModelVersion | None,
    *,
    run: str,
    why: str,
    actor: str | None = None,
    restored_by: str | None = None,
) -> Rollout:
    """Insert the rollout. Its run is a name for the records; the hand-offs are those of the version's own run."""
    now = workspace.clock.now()
    suffix = secrets.token_hex(3)
    rollout = Rollout(
        id=f"{version.model}-{version.number}-{suffix}",
        model=version.model,
        run=f"{run}-{suffix}",
        number=version.number,
        canary=version.artifact.digest,
        stable=stable.artifact.digest if stable else None,
        policy=workspace.project.rollout,
        started_at=now,
        bootstrap_by=actor if stable is None else None,
        origin=version.run,
        restored_by=restored_by,
    )
    event = Event(
        at=now,
        kind="started",
        run=rollout.run,
        model=rollout.model,
        rollout=rollout.id,
        why=why,
        actor=actor or restored_by or "gatewright",
        before=rollout.stable,
        after=rollout.canary,
        details={"version": rollout.number, "origin": version.run},
    )
    return workspace.rollouts.start(rollout, event, lift=restored_by is None)
