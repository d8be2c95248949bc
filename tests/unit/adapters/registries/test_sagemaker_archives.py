"""Archives of models: the same bytes each time, and nothing of a strange one is believed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from gatewright.adapters.registries.sagemaker.archives import pack, unfold
from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.domain.lineage import Artifact
from gatewright.effects.files import measure_artifact


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "parts").mkdir(parents=True)
    (folder / "model.skops").write_text("weights")
    (folder / "parts" / "more.bin").write_bytes(bytes(range(256)) * 40)
    return folder


def unfolded(archive: Path, artifact: Artifact) -> Path:
    into = archive.parent / "unfolded"
    into.mkdir()
    unfold(archive, into, digest=artifact.digest, size=artifact.size, where="s3://models/a.tar.gz")
    return into


def write(archive: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as file:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            file.addfile(member, io.BytesIO(content))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def test_a_model_comes_back_as_it_was_and_is_packed_the_same_each_time(tmp_path: Path, model: Path) -> None:
    pack(model, tmp_path / "one.tar.gz")
    (model / "model.skops").touch()
    pack(model, tmp_path / "two.tar.gz")
    artifact = measure_artifact(model)
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    assert measure_artifact(unfolded(tmp_path / "one.tar.gz", artifact)).digest == artifact.digest


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([(member("../outside"), b"x")], "leads out of"),
        ([(member("/outside"), b"x")], "leads out of"),
        ([(member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")], "no regular file"),
        ([(member("link", tarfile.LNKTYPE, "model.skops"), b"")], "no regular file"),
        ([(member("pipe", tarfile.FIFOTYPE), b"")], "no regular file"),
        ([(member("model.skops"), b"a"), (member("model.skops"), b"b")], "there twice"),
        ([(member("bomb"), bytes(1 << 20))], "unfolds to more than"),
    ],
)
def test_a_strange_archive_is_refused(
    tmp_path: Path, model: Path, members: list[tuple[tarfile.TarInfo, bytes]], told: str
) -> None:
    write(tmp_path / "a.tar.gz", *members)
    with pytest.raises(UnusableInput, match=told):
        unfolded(tmp_path / "a.tar.gz", measure_artifact(model))
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("cut", [0, 1, 30, 200])
def test_an_archive_that_breaks_off_is_refused(tmp_path: Path, model: Path, cut: int) -> None:
    pack(model, tmp_path / "whole.tar.gz")
    (tmp_path / "a.tar.gz").write_bytes((tmp_path / "whole.tar.gz").read_bytes()[:cut])
    with pytest.raises(UnusableInput):
        unfolded(tmp_path / "a.tar.gz", measure_artifact(model))


def test_other_bytes_or_one_more_file_are_told_by_their_digest(tmp_path: Path, model: Path) -> None:
    artifact = measure_artifact(model)
    (model / ".hidden").write_text("")
    pack(model, tmp_path / "a.tar.gz")
    with pytest.raises(DigestChanged, match="s3://models"):
        unfolded(tmp_path / "a.tar.gz", artifact)


def test_an_empty_archive_is_no_model(tmp_path: Path, model: Path) -> None:
    write(tmp_path / "a.tar.gz")
    with pytest.raises(DigestChanged):
        unfolded(tmp_path / "a.tar.gz", measure_artifact(model))
