"""How a link says that it does not hold, and what every link asks first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatewright.domain.errors import DigestChanged, UnusableInput, WorldFailed
from gatewright.effects.files import read_bytes
from gatewright.engine.attesting import check_statement, path_of
from gatewright.engine.handover import STAGE_OF, verify_chain
from gatewright.engine.keeping import attached, called
from gatewright.engine.proofs import model_folder
from gatewright.engine.provenance.deployment import Deployment
from gatewright.ports import Attaching
from gatewright.store.runs import LOCK, Handoff

_LARGEST = 64 << 20


class Unproven(Exception):
    """Nothing here contradicts the link, and nothing here proves it."""


def same(name: str, *, recorded: object, found: object) -> None:
    """DigestChanged unless both are the same."""
    if recorded != found:
        raise DigestChanged(name, recorded=str(recorded), found=str(found), fix="restore what was recorded")


def taken(deployment: Deployment, name: str) -> Handoff:
    """A hand-off of the run that passed, unedited, made from hand-offs that are still the same, with its statement."""
    run = deployment.run
    handoff = run.need(name, STAGE_OF[name])
    if name != LOCK and handoff.status not in ("passed", "promoted", "rolled_back", "aborted", "restored"):
        raise UnusableInput(f"{name}.json says {handoff.status!r}", fix="such a run deploys nothing")
    verify_chain(run, name, handoff)
    check_statement(run, name, evidence(deployment, path_of(run, name), called(name)))
    return handoff


def evidence(deployment: Deployment, path: Path, name: str) -> bytes:
    """The bytes at `path`, or else what the registry keeps as `name`; Unproven when neither has it."""
    if path.is_file():
        return read_bytes(path, _LARGEST)
    missing = f"{path.relative_to(deployment.workspace.root)} is not here"
    if not isinstance(deployment.workspace.registry, Attaching):
        raise Unproven(f"{missing}, and the registry keeps no files")
    with looked_at(missing):
        found = attached(deployment.workspace, deployment.run, deployment.version, name)
    if found is None:
        raise Unproven(f"{missing}, and the registry keeps no {name} with version {deployment.version.number}")
    return found


def model_here(deployment: Deployment) -> Path:
    """The folder of the registered model, brought and proven when this machine does not have it."""
    artifact = deployment.version.artifact
    with looked_at(f"{artifact.uri} is not here"):
        return model_folder(deployment.workspace, artifact)


@contextmanager
def looked_at(missing: str) -> Iterator[None]:
    """Unproven, and no break, when somebody who has to be asked does not answer."""
    try:
        yield
    except WorldFailed as error:
        raise Unproven(f"{missing}, and could not be looked at: {error.what}") from error
