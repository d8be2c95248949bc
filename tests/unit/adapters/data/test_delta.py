"""Delta tables as a source: a version number pins the files that the log names."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from gatewright.adapters.data.delta import DeltaSource, Options
from gatewright.domain.errors import DataError, DigestChanged, UnusableInput, WorldFailed
from gatewright.domain.lineage import DataVersion
from gatewright.rules.changes import told_by_pointers
from tests.fixtures.s3 import ENVIRONMENT, client, faulty_server, s3_server
from tests.unit.adapters.data.conftest import Folder, below

Recorded = Callable[..., DataVersion]


def rows(first: int, count: int) -> pl.DataFrame:
    return pl.DataFrame({"id": range(first, first + count), "y": [n % 2 for n in range(count)]})


@pytest.fixture
def table(folder: Folder) -> Path:
    place = folder.root / "table"
    write_deltalake(place, rows(0, 10))
    return place


@pytest.fixture
def source(folder: Folder) -> DeltaSource:
    return DeltaSource(Options(), folder)


def test_a_version_is_pinned_and_comes_back(
    source: DeltaSource, table: Path, recorded: Recorded, folder: Folder, tmp_path: Path
) -> None:
    first = recorded(source, "delta", "table")
    assert (first.pin, first.immutable) == ("0", True)
    write_deltalake(table, rows(100, 5), mode="overwrite")
    second = recorded(source, "delta", "table")
    assert second.pin == "1"
    shutil.rmtree(folder.root / ".gatewright")
    assert source.doubt(first) is None
    assert pl.read_parquet(source.read(first, tmp_path / "first")).sort("id").equals(rows(0, 10))
    assert pl.read_parquet(source.read(second, tmp_path / "second")).equals(rows(100, 5))
    assert recorded(source, "delta", "table?version=0").files == first.files


def test_an_append_of_the_log_is_an_append(source: DeltaSource, table: Path, recorded: Recorded) -> None:
    """The log's files of the parent are all there: told without a look at the rows."""
    before = replace(recorded(source, "delta", "table"), rows=10)
    write_deltalake(table, rows(10, 5), mode="append")
    now = replace(recorded(source, "delta", "table"), rows=15)
    (last, *_) = DeltaTable(table).history()
    assert last["operationParameters"]["mode"] == "Append"
    told = told_by_pointers(before, now)
    assert told is not None
    assert (told.kind, told.rows_added, told.rows_removed) == ("append", 5, 0)


def test_vacuumed_files_are_told(
    source: DeltaSource, table: Path, recorded: Recorded, folder: Folder, tmp_path: Path
) -> None:
    version = recorded(source, "delta", "table")
    write_deltalake(table, rows(100, 5), mode="overwrite")
    gone = DeltaTable(table).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert gone
    assert str(source.doubt(version)).endswith("is gone")
    source.read(version, tmp_path / "cached")
    shutil.rmtree(folder.root / ".gatewright")
    with pytest.raises(DigestChanged, match="found no file"):
        source.read(version, tmp_path / "in")


def test_partitioned_tables_are_refused(source: DeltaSource, folder: Folder) -> None:
    write_deltalake(folder.root / "parts", rows(0, 4), partition_by=["y"])
    with pytest.raises(DataError, match="partitioned by y"):
        source.current("parts")


@pytest.mark.parametrize(
    ("uri", "kind", "words"),
    [
        ("nothing", DataError, "no Delta table"),
        ("table?version=9", DataError, "cannot be read as a Delta table"),
        ("table?version=x", UnusableInput, "is no version"),
        ("../table", UnusableInput, "leads out"),
        ("file:///etc", UnusableInput, "may not come from file"),
        ("http://127.0.0.1/table", UnusableInput, "may not be behind http"),
    ],
)
def test_what_is_no_table_is_told(
    source: DeltaSource, table: Path, uri: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        source.current(uri)


@pytest.mark.xdist_group("s3")
def test_a_table_in_s3(
    source: DeltaSource, table: Path, recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as endpoint:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"}.items():
            monkeypatch.setenv(name, value)
        store = client(endpoint)
        store.create_bucket(Bucket="lake")
        for name, data in below(table).items():
            store.put_object(Bucket="lake", Key=f"set/{name}", Body=data)
        version = recorded(source, "delta", "s3://lake/set")
        assert version.files == source.current("table")
        assert source.doubt(version) is None
        assert pl.read_parquet(source.read(version, tmp_path / "in")).equals(rows(0, 10))


@pytest.mark.parametrize("mode", ["403", "500", "truncated", "down"])
def test_faults_of_the_store(source: DeltaSource, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    with faulty_server() as server:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address, "AWS_ALLOW_HTTP": "true"}.items():
            monkeypatch.setenv(name, value)
        server.mode = mode
        if mode != "down":
            with pytest.raises(WorldFailed, match=r"s3://lake/set: Kernel error"):
                source.current("s3://lake/set")
    if mode == "down":
        with pytest.raises(WorldFailed, match=r"s3://lake/set: Kernel error"):
            source.current("s3://lake/set")


def test_a_package_that_is_missing_is_named(source: DeltaSource, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(UnusableInput, match="deltalake, which is not installed") as caught:
        source.current("table")
    assert "gatewright[delta]" in caught.value.fix
