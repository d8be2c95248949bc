"""Serving what production serves, on every machine that shares the state: what is served travels, the route does not.

A machine that comes anew, or comes back, lays the version that the registry names, proves it, and writes its own route.
An open rollout stays with the machine that has its traffic: its log is the evidence, and no other one has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.domain.documents import short
from gatewright.domain.errors import LeaseLost, UnusableInput
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.records import NOW_SERVES
from gatewright.domain.rollout import Phase, Rollout
from gatewright.engine.proofs import proven_version
from gatewright.engine.signing import bring_signature
from gatewright.store.routes import Route
from gatewright.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What production serves, and how this machine came to it.

    `before` is the digest that it would have served until now; `moved` says that its route was written anew.
    `climbing` is an open rollout whose traffic another machine divides.
    """

    version: ModelVersion | None
    before: str | None = None
    moved: bool = False
    climbing: str | None = None


def follow(workspace: Workspace) -> Followed:
    """Have this machine serve what production serves, where the state is shared; else, or in its own rollout, nothing.

    UnusableInput when registry and records name different versions, or when the bytes are not those of the version.
    LeaseLost when a rollout begins here at the same moment.
    """
    model = workspace.project.model
    if not _shares(workspace):
        return Followed(version=None)
    version, active = workspace.registry.serving(model), workspace.rollouts.active(model)
    climbing = active.id if active and not _here(workspace, active) else None
    route = workspace.routes.get(model)
    before = route.stable if route else None
    if version is None or not _astray(route, version, active):
        return Followed(version=version, before=before, climbing=climbing)
    _refuse_disagreement(workspace, version, active)
    proven_version(workspace, "serving version", version)
    bring_signature(workspace, version)  # the model server refuses a model without it
    workspace.routes.put(_route_of(workspace, version), (version.artifact,))
    return Followed(version=version, before=before, moved=True, climbing=climbing)


def astray(workspace: Workspace, version: ModelVersion) -> str | None:
    """What this machine serves although production serves `version`, in words; None when there is nothing to tell."""
    model = workspace.project.model
    route = workspace.routes.get(model)
    if not _shares(workspace) or (route is None and not workspace.processes.all()):
        return None
    if not _astray(route, version, workspace.rollouts.active(model)):
        return None
    if route is not None and route.stable == version.artifact.digest:
        return "this machine still keeps the canary of a rollout that has ended"
    serves = f"model {short(route.stable)}" if route is not None and route.stable else "nothing"
    return f"this machine serves {serves}, production serves version {version.number}"


def climbs_elsewhere(workspace: Workspace, rollout: Rollout) -> bool:
    """Whether another machine divides the traffic of this rollout: there is some, or copies, and no route here."""
    divided = rollout.weight > 0 or rollout.mirror > 0
    ending = rollout.phase.terminal or rollout.phase is Phase.ROLLING_BACK
    return divided and not ending and _shares(workspace) and not _here(workspace, rollout)


def refuse_elsewhere(workspace: Workspace, rollout: Rollout) -> None:
    """LeaseLost for a look where the rollout cannot be seen, unless somebody has asked to abort it."""
    if not climbs_elsewhere(workspace, rollout):
        return
    if any(command.verb == "abort" for command in workspace.rollouts.commands(rollout)):
        return
    raise LeaseLost(
        f"another machine divides the traffic of rollout {rollout.id} (last driven by "
        f"{workspace.rollouts.driver(rollout) or 'nobody'}): nothing of it can be seen from here",
        fix="tick it there; if that machine is gone: gatewright rollout abort, then gatewright serve start",
    )


def _shares(workspace: Workspace) -> bool:
    return workspace.project.state.kind != "local" and workspace.gateway is not None


def _here(workspace: Workspace, rollout: Rollout) -> bool:
    route = workspace.routes.get(rollout.model)
    return route is not None and route.rollout == rollout.id


def _astray(route: Route | None, version: ModelVersion, active: Rollout | None) -> bool:
    """Whether the route is neither that of a rollout in progress nor the version alone."""
    if route is None:
        return True
    if active is not None and route.rollout == active.id:
        return False
    return route.canary is not None or route.stable != version.artifact.digest


def _refuse_disagreement(workspace: Workspace, version: ModelVersion, active: Rollout | None) -> None:
    """The registry is told before the record is written: only while a promotion ends may they differ."""
    serves = [found for found in workspace.records.all() if found.kind in NOW_SERVES and found.model == version.model]
    digest = version.artifact.digest
    if not serves or serves[-1].after == digest or (active is not None and active.canary == digest):
        return
    raise UnusableInput(
        f"the registry says that {short(digest)} serves {version.model}, the last record says "
        f"{short(serves[-1].after or '')}: which of them production serves, this machine cannot know",
        fix="somebody moved production by hand: put the registry back, or roll out what should: gatewright records",
    )


def _route_of(workspace: Workspace, version: ModelVersion) -> Route:
    """The version alone, under the name and the epoch of the rollout that ended last: an older one cannot undo it."""
    ended = workspace.rollouts.ended(version.model)
    return Route(
        model=version.model,
        rollout=ended.id if ended else f"{version.model}-{version.number}",
        stable=version.artifact.digest,
        canary=None,
        weight=0.0,
        epoch=ended.epoch if ended else 0,
        revision=0,
        renewals=0,
        lease_s=0.0,
    )
