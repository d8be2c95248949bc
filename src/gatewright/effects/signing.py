"""Signatures of models by a local key, as the OpenSSF's model-signing makes them: a sigstore bundle beside the model.

Two of its defaults are not ours. It leaves `.git` and its like out, so that a planted `.git/evil.py` verifies; and it
takes from the signature itself which paths to ignore. Here every file counts, and a signature that ignores any is
refused. Importing it takes 1.6 s of CPU: only who signs or checks does.
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

from gatewright.domain.documents import read_json
from gatewright.domain.errors import UnusableInput
from gatewright.effects.files import list_files, read_bytes

_LIMIT = 64 << 20
_INSTALL = "pip install 'gatewright[sign]'"


def signature_of(folder: Path, private_key: Path, password: str | None = None) -> bytes:
    """The signature over every file below `folder`, by an elliptic-curve key in PEM form.

    UnusableInput for a key that cannot be used, and for links in the folder. Nothing it says names the key's path.
    """
    signing, hashing, _ = _library()
    if not private_key.is_file():
        raise UnusableInput("the private key is not there", fix="point signing.key, or its variable, at a PEM file")
    with tempfile.TemporaryDirectory(prefix="gatewright-sign-") as scratch:
        path = Path(scratch, "model.sig")
        try:
            configured = signing.Config().use_elliptic_key_signer(private_key=private_key, password=password)
            configured.set_hashing_config(_everything(hashing)).sign(folder, path)
        except (ValueError, TypeError, OSError) as error:
            reason = str(error).replace(str(private_key), "the key").partition("\n")[0]
            raise UnusableInput(f"{folder} cannot be signed: {reason}", fix="is it an EC key in PEM form?") from None
        return path.read_bytes()


def check_signature(folder: Path, signature: Path, public_key: Path) -> None:
    """UnusableInput unless `signature` is that of exactly the files below `folder`, dot files included."""
    _, hashing, verifying = _library()
    from cryptography.exceptions import InvalidSignature

    for path, what in ((public_key, "public key"), (signature, "signature of the model")):
        if not path.is_file():
            raise UnusableInput(f"the {what} is not there: {path}", fix="gatewright sign makes it; signing.public_key")
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
        verifier.set_hashing_config(_everything(hashing)).verify(folder, signature)
        signed = _signed(read_bytes(signature, _LIMIT))
    except UnusableInput:
        raise
    except (InvalidSignature, ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise _refused(folder, reason) from None
    found = {file.path: file.sha256 for file in list_files(folder)}
    if signed != found:
        names = ", ".join(sorted({*signed.items()} ^ {*found.items()})[0])
        raise _refused(folder, f"it speaks of other files ({names})")


def _signed(bundle: bytes) -> dict[str, str]:
    """File → sha256, from the signed statement; ValueError when it leaves anything out."""
    payload = read_json(base64.b64decode(read_json(bundle)["dsseEnvelope"]["payload"], validate=True))
    serialization = payload["predicate"]["serialization"]
    if serialization.get("ignore_paths") or serialization.get("allow_symlinks"):
        raise ValueError(f"it ignores {serialization.get('ignore_paths') or 'where links lead'}")
    if (serialization["method"], serialization["hash_type"]) != ("files", "sha256"):
        raise ValueError(f"it is over {serialization['method']} by {serialization['hash_type']}, not files by sha256")
    return {each["name"]: each["digest"] for each in payload["predicate"]["resources"]}


def _everything(hashing: Any) -> Any:
    return hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False).set_allow_symlinks(False)


def _refused(folder: Path, reason: str) -> UnusableInput:
    return UnusableInput(
        f"the signature of {folder} does not hold: {reason}", fix="restore the model that was signed, or sign it anew"
    )


def _library() -> tuple[Any, Any, Any]:
    try:
        from model_signing import hashing, signing, verifying
    except ModuleNotFoundError as error:
        raise UnusableInput(
            f"{error.name} is not installed: models cannot be signed or checked", fix=_INSTALL
        ) from error
    return signing, hashing, verifying
