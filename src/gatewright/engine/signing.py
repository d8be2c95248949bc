"""The signature of a registered version: made when it is registered, checked by whoever serves or verifies it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.project import SigningSection
from gatewright.effects.files import safe_join, write_atomic
from gatewright.effects.signing import check_signature, signature_of
from gatewright.engine.proofs import model_folder
from gatewright.ports import Attaching
from gatewright.workspace import STATE, Workspace

SIGNATURE = "model.sig"
"""The name of a signature beside a version in the registry."""
PASSWORD = "GATEWRIGHT_SIGNING_PASSWORD"


def signature_path(root: Path, model: str, digest: str) -> Path:
    """Where the signature of these bytes lies: beside the registry, never within what it signs."""
    return root / STATE / "signatures" / model / f"{digest.removeprefix('sha256:')}.sig"


def sign_version(workspace: Workspace, version: ModelVersion) -> Path | None:
    """Sign a version, unless it is signed already; None where the project signs nothing.

    What was just made is checked by the public key: a pair that does not fit is told here, not by the model server.
    """
    section = workspace.project.signing
    if section is None:
        return None
    path = bring_signature(workspace, version)
    folder = model_folder(workspace, version.artifact)
    if not path.is_file():
        key = _private_key(workspace.root, section)
        write_atomic(path, signature_of(folder, key, os.environ.get(PASSWORD)))
    check_signature(folder, path, safe_join(workspace.root, section.public_key))
    return path


def check_version(workspace: Workspace, version: ModelVersion) -> str:
    """That the signature of a version holds, in words; empty where the project signs nothing. UnusableInput if not."""
    section = workspace.project.signing
    if section is None:
        return ""
    path = bring_signature(workspace, version)
    check_signature(model_folder(workspace, version.artifact), path, safe_join(workspace.root, section.public_key))
    return "signed"


def bring_signature(workspace: Workspace, version: ModelVersion) -> Path:
    """Where the signature of a version lies; brought from the registry when this machine has none.

    Only one that holds is laid there: UnusableInput for any other that the registry keeps.
    """
    section, registry = workspace.project.signing, workspace.registry
    path = signature_path(workspace.root, version.model, version.artifact.digest)
    if section is None or path.is_file() or not isinstance(registry, Attaching):
        return path
    content = registry.attached(version, SIGNATURE)
    if content is None:
        return path
    folder = model_folder(workspace, version.artifact)
    with tempfile.TemporaryDirectory(prefix="gatewright-signature-") as scratch:
        brought = Path(scratch, SIGNATURE)
        brought.write_bytes(content)
        try:
            check_signature(folder, brought, safe_join(workspace.root, section.public_key))
        except UnusableInput as error:
            raise UnusableInput(
                f"{SIGNATURE}, which the registry keeps with version {version.number}: {error.what}", fix=error.fix
            ) from error
    write_atomic(path, content)
    return path


def server_options(workspace: Workspace, digest: str) -> tuple[str, ...]:
    """What a model server needs to check the signature of its bytes itself, before it loads them."""
    section = workspace.project.signing
    if section is None:
        return ()
    path = signature_path(workspace.root, workspace.project.model, digest)
    return ("--signature", str(path), "--public-key", str(safe_join(workspace.root, section.public_key)))


def _private_key(root: Path, section: SigningSection) -> Path:
    """From the environment before the configuration; told by the name of the variable, never by its path."""
    told = os.environ.get(section.key_variable) or section.key
    if not told:
        raise UnusableInput(
            f"there is no private key to sign with: {section.key_variable} is not set",
            fix=f"{section.key_variable}=FILE, or signing.key",
        )
    return root / told
