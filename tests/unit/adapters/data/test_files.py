"""Files as a source: exactly the recorded bytes, or a refusal that names the file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewright.adapters.data.files import FileSource, Options
from gatewright.domain.errors import DataError, DigestChanged, UnusableInput
from gatewright.domain.lineage import DataFile, DataVersion
from gatewright.effects.files import digest_listing

NOW = datetime(2026, 6, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Folder:
    root: Path
    read_again: bool = False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace" / "data" / "set"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.parquet").write_bytes(b"aaaa")
    (folder / "deep" / "b.csv").write_bytes(b"bbb")
    (folder / "README.md").write_bytes(b"about")
    (folder / ".hidden.csv").write_bytes(b"no")
    return tmp_path / "workspace"


@pytest.fixture
def source(root: Path) -> FileSource:
    return FileSource(Options(), Folder(root))


def version(kind: str, uri: str, files: tuple[DataFile, ...]) -> DataVersion:
    return DataVersion(
        name="set", version="2026-06-30-00000000", role="train", kind=kind, uri=uri, digest=digest_listing(files),
        files=files, schema={}, fingerprint="", rows=1, created_at=NOW, data_from=NOW, data_to=NOW, created_by="me",
    )  # fmt: skip


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_lists_its_data_files_only(source: FileSource) -> None:
    assert [(file.path, file.size) for file in source.current("data/set")] == [("a.parquet", 4), ("deep/b.csv", 3)]


def test_several_files_are_laid_as_a_folder(source: FileSource, tmp_path: Path) -> None:
    files = source.current("data/set")
    into = tmp_path / "run" / "data"
    assert source.read(version("fileset", "data/set", files), into) == into
    assert below(into) == {"a.parquet": b"aaaa", "deep/b.csv": b"bbb"}


@pytest.mark.parametrize(("kind", "uri"), [("file", "data/set/a.parquet"), ("fileset", "data/set")])
def test_one_file_is_laid_as_a_file(source: FileSource, tmp_path: Path, kind: str, uri: str) -> None:
    files = source.current("data/set/a.parquet")
    assert source.read(version(kind, uri, files), tmp_path / "in") == tmp_path / "in" / "a.parquet"
    assert below(tmp_path / "in") == {"a.parquet": b"aaaa"}


def test_reading_twice_changes_nothing(source: FileSource, tmp_path: Path) -> None:
    whole = version("fileset", "data/set", source.current("data/set"))
    source.read(whole, tmp_path / "in")
    before = (tmp_path / "in" / "a.parquet").stat()
    source.read(whole, tmp_path / "in")
    assert (tmp_path / "in" / "a.parquet").stat().st_ino == before.st_ino


def test_a_wrong_file_left_in_the_way_is_replaced(source: FileSource, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.parquet").write_bytes(b"xxxx")
    (tmp_path / "in" / ".b.csv.abc").write_bytes(b"unfinished")
    source.read(version("fileset", "data/set", source.current("data/set")), tmp_path / "in")
    assert below(tmp_path / "in") == {"a.parquet": b"aaaa", "deep/b.csv": b"bbb"}


def test_strangers_are_refused(source: FileSource, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "evil.py").write_bytes(b"x")
    with pytest.raises(UnusableInput, match=r"evil\.py"):
        source.read(version("fileset", "data/set", source.current("data/set")), tmp_path / "in")


@pytest.mark.parametrize("tampered", [b"aaab", b"aaaaa", b""])
def test_one_changed_byte_is_refused_by_name(source: FileSource, root: Path, tmp_path: Path, tampered: bytes) -> None:
    whole = version("fileset", "data/set", source.current("data/set"))
    (root / "data/set/a.parquet").write_bytes(tampered)
    with pytest.raises(DigestChanged, match=r"data/set/a\.parquet of set 2026-06-30-00000000") as caught:
        source.read(whole, tmp_path / "in")
    assert "data add" in caught.value.fix
    assert below(tmp_path / "in") == {}


def test_a_missing_file_is_refused_by_name(source: FileSource, root: Path, tmp_path: Path) -> None:
    whole = version("fileset", "data/set", source.current("data/set"))
    (root / "data/set/deep/b.csv").unlink()
    with pytest.raises(DigestChanged, match=r"deep/b\.csv .* found no file"):
        source.read(whole, tmp_path / "in")


def test_without_hard_links_files_are_copied(
    source: FileSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source.read(version("fileset", "data/set", source.current("data/set")), tmp_path / "in")
    assert below(tmp_path / "in") == {"a.parquet": b"aaaa", "deep/b.csv": b"bbb"}


def test_a_link_inside_is_laid_as_its_file(source: FileSource, root: Path, tmp_path: Path) -> None:
    (root / "data/set/link.csv").symlink_to(root / "data/set/deep/b.csv")
    into = source.read(version("fileset", "data/set", source.current("data/set")), tmp_path / "in")
    assert not (into / "link.csv").is_symlink()
    assert (into / "link.csv").read_bytes() == b"bbb"


def test_a_link_out_of_the_data_is_refused(source: FileSource, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_bytes(b"secret")
    (root / "data/set/link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(UnusableInput, match="leads out"):
        source.current("data/set")
    secret = DataFile(path="link.csv", size=6, sha256="0" * 64)
    with pytest.raises(UnusableInput, match="leads out"):
        source.read(version("fileset", "data/set", (secret,)), tmp_path / "in")


@pytest.mark.parametrize("uri", ["../outside", "/etc", "data/../../outside", "a\0b"])
def test_paths_out_of_the_workspace_are_refused(source: FileSource, tmp_path: Path, uri: str) -> None:
    with pytest.raises(UnusableInput, match="leads out"):
        source.current(uri)
    with pytest.raises(UnusableInput, match="leads out"):
        source.read(version("fileset", uri, (DataFile(path="x.csv", size=0, sha256="0" * 64),)), tmp_path / "in")


@pytest.mark.parametrize("path", ["../../../secret.csv", "/etc/hosts"])
def test_a_file_of_a_version_cannot_lie_elsewhere(source: FileSource, tmp_path: Path, path: str) -> None:
    with pytest.raises(UnusableInput, match="leads out"):
        source.read(version("fileset", "data/set", (DataFile(path=path, size=0, sha256="0" * 64),)), tmp_path / "in")


@pytest.mark.parametrize("uri", ["file:///etc/hosts", "s3://bucket/key", "http://169.254.169.254/"])
def test_addresses_are_no_paths(source: FileSource, uri: str) -> None:
    with pytest.raises(UnusableInput, match="is no path"):
        source.current(uri)


@pytest.mark.parametrize(
    ("uri", "words"), [("data/none", "nothing at this path"), ("data/set/README.md", "no data file")]
)
def test_nothing_usable(source: FileSource, uri: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        source.current(uri)


def test_a_pin_changes_nothing_here(source: FileSource, tmp_path: Path) -> None:
    pinned = replace(version("fileset", "data/set", source.current("data/set")), pin="7")
    assert source.read(pinned, tmp_path / "in") == tmp_path / "in"
