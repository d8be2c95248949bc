"""What is kept with a registered version, in every registry that keeps files: its proof, its card, its signature.

One place for all of it, so that a machine that has neither the run's files nor the signatures can verify a version.
"""

from __future__ import annotations

from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import WorldFailed
from gatewright.domain.lineage import ModelVersion
from gatewright.effects.files import digest_file, read_bytes
from gatewright.engine.attesting import FOLDER, attest, path_of
from gatewright.engine.cards import write_cards
from gatewright.engine.environment import BILL
from gatewright.engine.handover import Handover
from gatewright.engine.signing import SIGNATURE, sign_version
from gatewright.ports import Attaching, Progress
from gatewright.store.codec import decode
from gatewright.store.runs import CANDIDATE, HANDOFFS, RECORD, ROLLOUT, VERSION, RunFolder
from gatewright.workspace import Workspace

LATER = (VERSION, ROLLOUT, RECORD)
"""Hand-offs that come after the version: their statements follow."""
_LARGEST = 64 << 20


def keep_evidence(handover: Handover, version: ModelVersion) -> None:
    """Sign the version, write its card, and attach both with the statements so far and the bill of materials.

    Asked again it changes nothing. WorldFailed when the registry does not take it: the stage is then to be resumed.
    """
    workspace, run = handover.workspace, handover.run
    if (signature := keep_signature(workspace, version)) is not None:
        handover.outputs["signature"] = signature
    for name, content in write_cards(handover, version).items():
        _attach(workspace, run, version, name, content)
    bill = _trained(workspace, run).path / BILL
    if bill.is_file():
        _attach(workspace, run, version, BILL, read_bytes(bill, _LARGEST))
    attest(run)
    for name in HANDOFFS:
        if name not in LATER and (statement := path_of(run, name)).is_file():
            _attach(workspace, run, version, called(name), read_bytes(statement, _LARGEST))


def keep_signature(workspace: Workspace, version: ModelVersion) -> str | None:
    """Sign the version, unless it is signed, and attach the signature; its digest, None where nothing is signed."""
    path = sign_version(workspace, version)
    if path is None:
        return None
    _attach(workspace, None, version, SIGNATURE, read_bytes(path, _LARGEST))
    return "sha256:" + digest_file(path)


def keep_later(workspace: Workspace, run: RunFolder, progress: Progress) -> None:
    """Attach the statements about what followed the registration. A registry that fails holds nothing up.

    They can be made again from the hand-offs, and the next stage tries again.
    """
    handoff = run.read(VERSION)
    if handoff is None or handoff.status != "passed" or not isinstance(workspace.registry, Attaching):
        return
    version = decode(ModelVersion, canonical_json(handoff.body["version"]))
    try:
        for name in LATER:
            if (statement := path_of(run, name)).is_file():
                _attach(workspace, run, version, called(name), read_bytes(statement, _LARGEST))
    except WorldFailed as error:
        progress.warning(str(error))


def attached(workspace: Workspace, run: RunFolder, version: ModelVersion, name: str) -> bytes | None:
    """What the registry keeps as `name` of this run of the version; None when it keeps nothing."""
    registry = workspace.registry
    return registry.attached(version, _of_run(run, version, name)) if isinstance(registry, Attaching) else None


def called(name: str) -> str:
    """The name under which the statement about `<name>.json` is kept."""
    return f"{FOLDER}/{name}.json"


def _attach(workspace: Workspace, run: RunFolder | None, version: ModelVersion, name: str, content: bytes) -> None:
    registry = workspace.registry
    if not isinstance(registry, Attaching):
        return
    try:
        registry.attach(version, name if run is None else _of_run(run, version, name), content)
    except WorldFailed as error:
        raise WorldFailed(
            f"version {version.number} is registered, but {name} could not be kept with it: {error.what}",
            fix=error.fix,
        ) from error


def _of_run(run: RunFolder, version: ModelVersion, name: str) -> str:
    """A later run of the same bytes has a folder of its own: it takes nothing from the run that registered them."""
    return name if run.id == version.run else f"{run.id}/{name}"


def _trained(workspace: Workspace, run: RunFolder) -> RunFolder:
    """The run that really trained the model, if it is here."""
    handoff = run.read(CANDIDATE)
    reused = handoff.body.get("reused") if handoff is not None else None
    return (workspace.runs.find(reused["run"]) if reused else None) or run
