"""Which deployment is meant, and everything of it that is still here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.records import NOW_SERVES, DeploymentRecord
from gatewright.domain.rollout import Rollout
from gatewright.store.codec import decode
from gatewright.store.runs import VERSION, RunFolder
from gatewright.workspace import Workspace

_RECORD = ("record:", "#")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A rollout, or a version that has none yet, with the run that made its model.

    `records` are those of the rollout, oldest first. `unasked`: why the registry could not be asked for the version,
    which is then the one that the run has written down.
    """

    workspace: Workspace
    run: RunFolder
    version: ModelVersion
    rollout: Rollout | None
    records: tuple[DeploymentRecord, ...]
    unasked: str = ""

    @property
    def name(self) -> str:
        """How people call it."""
        return self.rollout.id if self.rollout else f"{self.version.model} version {self.version.number}"


def find_deployment(workspace: Workspace, name: str) -> Deployment:
    """The deployment that a rollout's id, a version's number, or `record:SEQ` (also `#SEQ`) means.

    A number means the rollout that brought that version to all traffic last, else its latest one. UnusableInput for
    what is not known.
    """
    for prefix in _RECORD:
        if name.startswith(prefix):
            return _of_record(workspace, name.removeprefix(prefix))
    if name.isascii() and name.isdigit():
        return _of_version(workspace, int(name))
    rollout = workspace.rollouts.get(name)
    if rollout is None or rollout.model != workspace.project.model:
        raise UnusableInput(
            f"there is no deployment {name!r} of {workspace.project.model}",
            fix="name a rollout, a version's number, or record:SEQ; gatewright records lists them",
        )
    return _of_rollout(workspace, rollout)


def _of_record(workspace: Workspace, word: str) -> Deployment:
    known = workspace.records.all()
    found = next((record for record in known if word.isdigit() and record.seq == int(word)), None)
    if found is None:
        raise UnusableInput(f"there is no record {word!r}", fix="gatewright records lists them")
    rollout = workspace.rollouts.get(found.rollout) if found.rollout else None
    if rollout is None:
        raise UnusableInput(
            f"record {found.seq} ({found.kind}) deployed nothing: {found.why.partition(chr(10))[0]}",
            fix="name a record with a rollout; gatewright records lists them",
        )
    return _of_rollout(workspace, rollout)


def _of_version(workspace: Workspace, number: int) -> Deployment:
    model = workspace.project.model
    version, unasked = _registered(workspace, number, workspace.runs.all())
    if version is None:
        raise UnusableInput(f"{model} has no version {number}", fix="gatewright status shows the versions")
    of_version = [
        record
        for record in workspace.records.all()
        if record.rollout and record.model == model and version.artifact.digest in (record.after, record.before)
    ]
    served = [each for each in of_version if each.kind in NOW_SERVES and each.after == version.artifact.digest]
    started = [each for each in of_version if each.kind == "started" and each.after == version.artifact.digest]
    chosen = (served or started)[-1:]
    rollout = workspace.rollouts.get(chosen[0].rollout or "") if chosen else None
    if rollout is not None:
        return _of_rollout(workspace, rollout)
    run = _run(workspace, version.run)
    return Deployment(workspace=workspace, run=run, version=version, rollout=None, records=(), unasked=unasked)


def _of_rollout(workspace: Workspace, rollout: Rollout) -> Deployment:
    run = _run(workspace, rollout.origin or rollout.run)
    version, unasked = _registered(workspace, rollout.number, [run])
    if version is None:
        raise UnusableInput(
            f"the registry has no version {rollout.number} of {rollout.model}, which rollout {rollout.id} deployed",
            fix="restore the registry",
        )
    return Deployment(
        workspace=workspace,
        run=run,
        version=version,
        rollout=rollout,
        records=tuple(record for record in workspace.records.all() if record.rollout == rollout.id),
        unasked=unasked,
    )


def _registered(workspace: Workspace, number: int, runs: Iterable[RunFolder]) -> tuple[ModelVersion | None, str]:
    """The version as the registry has it; where that does not answer, as one of `runs` wrote it down, and why.

    WorldFailed when nobody here has written it down either.
    """
    model = workspace.project.model
    try:
        return workspace.registry.numbered(model, number), ""
    except WorldFailed as error:
        for run in runs:
            handoff = run.read(VERSION)
            found = decode(ModelVersion, canonical_json(handoff.body["version"])) if handoff else None
            if found is not None and (found.model, found.number) == (model, number):
                return found, error.what
        raise


def _run(workspace: Workspace, run: str) -> RunFolder:
    """The folder of a run; it may be gone, which the first link then tells."""
    return RunFolder(workspace.runs.root / run)
