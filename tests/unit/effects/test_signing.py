"""Signatures of models: every file counts, and a signature that leaves any out is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from gatewright.domain.errors import UnusableInput
from gatewright.effects.signing import check_signature, signature_of
from tests.fixtures.keys import key_pair


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "more").mkdir(parents=True)
    (folder / "model.skops").write_bytes(b"weights")
    (folder / "more" / "words.txt").write_text("a\n")
    return folder


@pytest.fixture
def signed(model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Signature and public key."""
    private, public = key_pair(tmp_path)
    signature = tmp_path / "model.sig"
    signature.write_bytes(signature_of(model, private))
    return signature, public


def test_a_signed_model_verifies_also_under_another_name(model: Path, signed: tuple[Path, Path]) -> None:
    check_signature(model, *signed)
    check_signature(model.rename(model.with_name("moved")), *signed)


@pytest.mark.parametrize(
    "name", [".evil", ".git/evil.py", ".gitattributes", ".github/x.yml", "more/.hidden", "extra.py"]
)
def test_a_planted_file_is_refused(model: Path, signed: tuple[Path, Path], name: str) -> None:
    planted = model / name
    planted.parent.mkdir(exist_ok=True)
    planted.write_text("import os\n")
    with pytest.raises(UnusableInput, match="does not hold") as caught:
        check_signature(model, *signed)
    assert name in str(caught.value)


def test_changed_missing_and_linked_files_are_refused(model: Path, signed: tuple[Path, Path], tmp_path: Path) -> None:
    (model / "model.skops").write_bytes(b"Weights")
    with pytest.raises(UnusableInput, match="does not hold"):
        check_signature(model, *signed)
    (model / "model.skops").unlink()
    with pytest.raises(UnusableInput, match="does not hold"):
        check_signature(model, *signed)
    (tmp_path / "elsewhere").write_bytes(b"weights")
    (model / "model.skops").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusableInput):
        check_signature(model, *signed)


def test_a_signature_that_ignores_paths_is_refused(model: Path, tmp_path: Path) -> None:
    """What model-signing makes by default: it lets a planted .git/evil.py through, by its own word."""
    from model_signing import signing

    private, public = key_pair(tmp_path)
    signature = tmp_path / "default.sig"
    signing.Config().use_elliptic_key_signer(private_key=private).sign(model, signature)
    with pytest.raises(UnusableInput, match="it ignores"):
        check_signature(model, signature, public)


def test_another_key_and_a_damaged_signature_are_refused(
    model: Path, signed: tuple[Path, Path], tmp_path: Path
) -> None:
    signature, public = signed
    with pytest.raises(UnusableInput, match="does not hold"):
        check_signature(model, signature, key_pair(tmp_path, "other")[1])
    whole = signature.read_bytes()
    bundle = json.loads(whole)
    said = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(said.replace(b"words.txt", b"other.txt")).decode()
    for content in (b"", b"{}", b"not json", whole[:-40], json.dumps(bundle).encode()):
        signature.write_bytes(content)
        with pytest.raises(UnusableInput, match="does not hold"):
            check_signature(model, signature, public)
    signature.unlink()
    with pytest.raises(UnusableInput, match="the signature of the model is not there"):
        check_signature(model, signature, public)


def test_a_key_that_cannot_be_used_is_not_named(model: Path, tmp_path: Path) -> None:
    for content in (None, b"no key"):
        key = tmp_path / "secret-place.pem"
        if content is not None:
            key.write_bytes(content)
        with pytest.raises(UnusableInput) as caught:
            signature_of(model, key)
        assert "secret-place" not in str(caught.value)
        assert caught.value.__cause__ is None
