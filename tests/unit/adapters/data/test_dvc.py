"""`.dvc` files that a real DVC wrote (tests/fixtures/make_dvc.py), read without DVC."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewright.adapters.data.dvc import DvcSource, Options
from gatewright.domain.errors import DataError, DigestChanged, UnusableInput
from gatewright.domain.lineage import DataVersion
from tests.fixtures import make_dvc
from tests.unit.adapters.data.conftest import Folder, below

Recorded = Callable[..., DataVersion]
FIRST = {"2015.csv": b"id,y\n1,0\n2,1\n", "sub/more.csv": b"id,y\n3,0\n"}
SECOND = {**FIRST, "2016.csv": b"id,y\n4,1\n5,1\n"}


@pytest.fixture
def project(folder: Folder) -> Path:
    shutil.copytree(make_dvc.HERE, folder.root, dirs_exist_ok=True)
    return folder.root


@pytest.fixture
def source(project: Path) -> DvcSource:
    return DvcSource(Options(), Folder(project))


def test_a_folder_comes_from_the_cache(source: DvcSource, recorded: Recorded, tmp_path: Path) -> None:
    version = recorded(source, "dvc", "data.dvc")
    assert (version.pin, version.immutable) == ("faff09fba666dad88b84849eea194cca.dir", True)
    assert source.read(version, tmp_path / "in") == tmp_path / "in"
    assert below(tmp_path / "in") == SECOND


def test_one_file_is_laid_as_a_file(source: DvcSource, recorded: Recorded, tmp_path: Path) -> None:
    version = recorded(source, "dvc", "one.csv.dvc")
    assert version.pin == "bc9280dfc1d4e67233f138f5bbbf0951"
    assert source.read(version, tmp_path / "in") == tmp_path / "in" / "one.csv"


def test_an_old_version_comes_from_the_remote(
    source: DvcSource, project: Path, recorded: Recorded, tmp_path: Path
) -> None:
    """`dvc gc` took it from the cache, and the .dvc file has gone on since: the pin finds it."""
    second = (project / "data.dvc").read_bytes()
    shutil.copyfile(project / "first.dvc", project / "data.dvc")
    version = recorded(source, "dvc", "data.dvc")
    (project / "data.dvc").write_bytes(second)
    shutil.rmtree(project / ".gatewright")
    assert source.doubt(version) is None
    source.read(version, tmp_path / "in")
    assert below(tmp_path / "in") == FIRST


def test_checked_out_files_serve_when_the_cache_is_gone(source: DvcSource, project: Path, recorded: Recorded) -> None:
    shutil.rmtree(project / ".dvc" / "cache")
    shutil.rmtree(project / "store")
    (project / "one.csv").write_bytes(b"id\n1\n")
    assert source.current("one.csv.dvc")[0].size == 5
    (project / "one.csv").write_bytes(b"id\n2\n")
    shutil.rmtree(project / ".gatewright")
    with pytest.raises(DataError, match=r"one\.csv: its bytes are not at"):
        DvcSource(Options(), Folder(project)).current("one.csv.dvc")


def test_bytes_that_are_nowhere_are_told(source: DvcSource, project: Path, recorded: Recorded, tmp_path: Path) -> None:
    version = recorded(source, "dvc", "data.dvc")
    gone = "d6/149ccc7b4dda2515b0fcc32c56d3b3"
    for place in (".dvc/cache/files/md5", "store/files/md5"):
        (project / place / gone).unlink()
    assert source.doubt(version) == "2015.csv is gone"
    shutil.rmtree(project / ".gatewright")
    with pytest.raises(DigestChanged, match=r"2015\.csv .*found no file"):
        source.read(version, tmp_path / "in")


def test_a_damaged_cache_is_refused(source: DvcSource, project: Path) -> None:
    cached = project / ".dvc/cache/files/md5/d6/149ccc7b4dda2515b0fcc32c56d3b3"
    cached.write_bytes(b"id,y\n1,0\n2,9\n")
    with pytest.raises(DataError, match="damaged"):
        source.current("data.dvc")


def test_a_list_of_files_without_end_is_refused(source: DvcSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.adapters.data.dvc._MANIFEST_LIMIT", 100)
    with pytest.raises(DataError, match="the list of files is longer than 100 bytes"):
        source.current("data.dvc")


def test_a_damaged_list_of_files_is_refused(source: DvcSource, project: Path) -> None:
    listed = project / ".dvc/cache/files/md5/fa/ff09fba666dad88b84849eea194cca.dir"
    listed.write_bytes(listed.read_bytes().replace(b"2015", b"2014"))
    with pytest.raises(DataError, match="its md5 is another"):
        source.current("data.dvc")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("outs: []\n", "one entry in outs"),
        ("outs:\n- {md5: abc, hash: md5, path: a.csv}\n", "no md5"),
        ("outs:\n- {md5: bc9280dfc1d4e67233f138f5bbbf0951, path: one.csv}\n", "DVC 2"),
        ("outs:\n- {md5: bc9280dfc1d4e67233f138f5bbbf0951, hash: md5, path: ../../etc/x.csv}\n", "no path below"),
        ("outs: &a [*a]\n", "not usable|anchor"),
        ("", "empty"),
    ],
)
def test_what_is_no_dvc_file_is_told(source: DvcSource, project: Path, text: str, told: str) -> None:
    (project / "one.csv.dvc").write_text(text)
    with pytest.raises(DataError, match=told):
        source.current("one.csv.dvc")


def test_a_remote_with_credentials_in_its_url_is_refused(source: DvcSource, project: Path) -> None:
    shutil.rmtree(project / ".dvc" / "cache")
    config = project / ".dvc" / "config"
    config.write_text(config.read_text().replace("../store", "https://ann:secret@example.org/store"))
    with pytest.raises(UnusableInput, match="credentials") as caught:
        source.current("one.csv.dvc")
    assert "secret" not in str(caught.value)


def test_without_a_project_around_it(folder: Folder) -> None:
    shutil.copyfile(make_dvc.HERE / "one.csv.dvc", folder.root / "one.csv.dvc")
    with pytest.raises(UnusableInput, match="no DVC project"):
        DvcSource(Options(), folder).current("one.csv.dvc")
