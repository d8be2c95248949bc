"""The signature of a registered version: made when it is registered, checked by whoever serves or verifies it."""

from __future__ import annotations

import os
from pathlib import Path

from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.project import SigningSection
from gatewright.effects.files import safe_join, write_atomic
from gatewright.effects.signing import check_signature, signature_of
from gatewright.workspace import STATE, Workspace

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
    path = signature_path(workspace.root, version.model, version.artifact.digest)
    folder = safe_join(workspace.root, version.artifact.uri)
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
    path = signature_path(workspace.root, version.model, version.artifact.digest)
    check_signature(
        safe_join(workspace.root, version.artifact.uri), path, safe_join(workspace.root, section.public_key)
    )
    return "signed"


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
