"""Who serves, as the registry says it: fenced where the registry is in the state database, else by the last word.

No transaction holds a registry that is asked over the network, and it knows no epochs. So the word is written down in
a fenced transaction first; then it is told, without holding anything; then it is read back, and if a newer word was
written meanwhile, that one is told. A controller that comes back late thus repairs what it has just spoilt; one that
is killed in between has left a word that was not seen through, and whoever opens the next run or return tells the last.
"""

from __future__ import annotations

from gatewright.domain.errors import GatewrightError, WorldFailed
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.rollout import Rollout
from gatewright.ports import DistantRegistry
from gatewright.store.marks import Mark
from gatewright.workspace import Workspace

_MOST_WORDS = 5


def mark_serving(workspace: Workspace, rollout: Rollout, digest: str | None) -> None:
    """Have the registry say that `digest` serves the rollout's model.

    LeaseLost when somebody else drives the rollout now; WorldFailed when the registry does not say it afterwards.
    """
    if isinstance(workspace.registry, DistantRegistry):

        def intend() -> None:
            with workspace.rollouts.fenced(rollout):
                workspace.marks.intend(rollout, digest)

        workspace.database.repeat(intend)
        _tell(workspace, rollout.model)
        return
    version = _version(workspace, rollout.model, digest)

    def mark() -> None:
        with workspace.rollouts.fenced(rollout):
            workspace.registry.mark_serving(rollout.model, version)

    workspace.database.repeat(mark)


def serving(workspace: Workspace) -> ModelVersion | None:
    """The baseline, after a late word of a controller that was killed was taken back."""
    model = workspace.project.model
    found = workspace.registry.serving(model)
    newest = workspace.marks.newest(model) if isinstance(workspace.registry, DistantRegistry) else None
    if newest is None or workspace.rollouts.active(model) is not None:
        return found  # while a rollout is in progress its controller sees to it
    digest = found.artifact.digest if found else None
    if digest == newest.digest or not workspace.marks.outdated(model, digest):
        return found
    _tell(workspace, model)
    return workspace.registry.serving(model)


def _tell(workspace: Workspace, model: str) -> None:
    """Tell the registry the last word, until none is newer."""
    told: Mark | None = None
    newest = workspace.marks.newest(model)
    for _ in range(_MOST_WORDS):
        assert newest is not None
        if newest == told:
            workspace.marks.told(newest)
            return
        workspace.registry.mark_serving(model, _version(workspace, model, newest.digest))
        said = workspace.registry.serving(model)
        if (said.artifact.digest if said else None) == newest.digest:
            told = newest
        newest = workspace.marks.newest(model)
    raise WorldFailed(
        f"the registry does not say that {(newest and newest.digest) or 'nothing'} serves {model}, as it was told",
        fix="does somebody else move what serves there?",
    )


def _version(workspace: Workspace, model: str, digest: str | None) -> ModelVersion | None:
    version = workspace.registry.find(model, digest) if digest else None
    if digest is not None and version is None:
        raise GatewrightError(f"{digest} is not registered", fix="this is a fault of Gatewright: please report it")
    return version
