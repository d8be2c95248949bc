"""Sources behind URLs: S3 against moto's server on loopback, http against one that can fail, memory."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.registry import _registry as fsspec_registry

from gatewright.adapters.data.cached import Item
from gatewright.adapters.data.remote import Options, RemoteSource
from gatewright.domain.errors import DataError, DigestChanged, UnusableInput, WorldFailed
from gatewright.domain.lineage import DataVersion
from tests.fixtures.s3 import ENVIRONMENT, Faulty, client, faulty_server, s3_server
from tests.unit.adapters.data.conftest import Folder, below

Recorded = Callable[..., DataVersion]
OLD, NEW = b"id,y\n1,0\n", b"id,y\n1,1\n"
pytestmark = pytest.mark.xdist_group("s3")


@dataclass
class Told:
    """Progress that remembers."""

    waits: list[str] = field(default_factory=list)

    def stage(self, name: str, state: str, note: str = "") -> None: ...
    def line(self, text: str) -> None: ...
    def warning(self, text: str) -> None: ...
    def waiting(self, what: str) -> None:
        self.waits.append(what)


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[str, Any]]:
    """The address of the server, and a client of it."""
    with s3_server() as address:
        yield address, client(address)


@pytest.fixture
def bucket(store: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client, and two empty buckets: `plain`, and `kept`, which keeps versions; the environment names the server."""
    endpoint, found = store
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    for name in ("plain", "kept"):
        found.create_bucket(Bucket=name)
    found.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    yield found
    for name in ("plain", "kept"):
        told = found.list_object_versions(Bucket=name)
        for each in (*told.get("Versions", ()), *told.get("DeleteMarkers", ())):
            found.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
        found.delete_bucket(Bucket=name)


def put(bucket: Any, name: str, key: str, data: bytes) -> str:
    return str(bucket.put_object(Bucket=name, Key=key, Body=data).get("VersionId"))


@pytest.fixture
def source(folder: Folder) -> RemoteSource:
    return RemoteSource(Options(connect_s=2, read_s=1), folder)


def again(folder: Folder, *, fresh: bool = False) -> RemoteSource:
    """A source as the next process would have it."""
    return RemoteSource(Options(connect_s=2, read_s=2), Folder(folder.root, read_again=fresh))


def forget(folder: Folder) -> None:
    shutil.rmtree(folder.root / ".gatewright")


def test_a_prefix_lists_its_data_files_only(bucket: Any, source: RemoteSource) -> None:
    for key in ("set/b.csv", "set/deep/a.csv", "set/README.md", "set/.hidden.csv", "settle/c.csv"):
        put(bucket, "plain", key, OLD)
    assert [(file.path, file.size) for file in source.current("s3://plain/set")] == [("b.csv", 9), ("deep/a.csv", 9)]
    assert [file.path for file in source.current("s3://plain/set/b.csv")] == ["b.csv"]


def test_a_watch_learns_of_another_file_by_the_pin_alone(bucket: Any, source: RemoteSource) -> None:
    put(bucket, "plain", "set/a.csv", OLD)
    before = source.probe("s3://plain/set")
    assert source.probe("s3://plain/set") == before
    put(bucket, "plain", "set/b.csv", NEW)
    assert source.probe("s3://plain/set") != before


def test_a_version_id_is_the_pin_and_brings_the_old_bytes_back(
    bucket: Any, source: RemoteSource, recorded: Recorded, folder: Folder, tmp_path: Path
) -> None:
    first = put(bucket, "kept", "set/a.csv", OLD)
    other = put(bucket, "kept", "set/b.csv", OLD)
    version = recorded(source, "fsspec", "s3://kept/set/")
    assert (version.pin, version.immutable) == (f"{first} {other}", True)
    put(bucket, "kept", "set/a.csv", NEW)
    bucket.delete_object(Bucket="kept", Key="set/b.csv")
    forget(folder)
    assert source.doubt(version) is None
    source.read(version, tmp_path / "in")
    assert below(tmp_path / "in") == {"a.csv": OLD, "b.csv": OLD}
    bucket.delete_object(Bucket="kept", Key="set/b.csv", VersionId=other)
    assert source.doubt(version) == "b.csv is gone"


def test_a_version_id_in_the_url(bucket: Any, source: RemoteSource, recorded: Recorded) -> None:
    first = put(bucket, "kept", "a.csv", OLD)
    put(bucket, "kept", "a.csv", NEW)
    version = recorded(source, "fsspec", f"s3://kept/a.csv?versionId={first}")
    assert version.pin == first
    assert version.files != source.current("s3://kept/a.csv")


def test_without_versions_the_pin_only_tells_that_something_changed(
    bucket: Any, source: RemoteSource, recorded: Recorded, folder: Folder, tmp_path: Path
) -> None:
    put(bucket, "plain", "a.csv", OLD)
    version = recorded(source, "fsspec", "s3://plain/a.csv")
    assert not version.immutable
    assert str(version.pin).startswith("marks:")
    assert source.doubt(version) is None
    put(bucket, "plain", "a.csv", NEW)
    assert "recorded at marks:" in str(source.doubt(version))
    assert source.digests(version) != version.files
    source.read(version, tmp_path / "in")  # the cache holds the bytes that the bucket has lost
    assert below(tmp_path / "in") == {"a.csv": OLD}
    forget(folder)
    with pytest.raises(DigestChanged, match=r"a\.csv of set .*found 9 bytes sha256:"):
        source.read(version, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_the_same_bytes_written_again_are_the_same(bucket: Any, source: RemoteSource, recorded: Recorded) -> None:
    put(bucket, "plain", "a.csv", OLD)
    version = recorded(source, "fsspec", "s3://plain/a.csv")
    put(bucket, "plain", "a.csv", OLD)
    assert source.digests(version) == version.files


def test_an_etag_is_no_digest(bucket: Any, source: RemoteSource) -> None:
    """Of an upload in parts the ETag is no md5 of the bytes."""
    part = b"id,y\n" + b"1,0\n" * (5 << 18)
    begun = bucket.create_multipart_upload(Bucket="plain", Key="big.csv")["UploadId"]
    told = [
        {"PartNumber": number, "ETag": bucket.upload_part(
            Bucket="plain", Key="big.csv", UploadId=begun, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, part), (2, b"2,1\n"))
    ]  # fmt: skip
    bucket.complete_multipart_upload(Bucket="plain", Key="big.csv", UploadId=begun, MultipartUpload={"Parts": told})
    (file,) = source.current("s3://plain/big.csv")
    assert (file.size, file.sha256) == (len(part) + 4, hashlib.sha256(part + b"2,1\n").hexdigest())


class Cut(RemoteSource):
    """A source whose line is cut at one file; it remembers what it was asked for."""

    def __init__(self, folder: Folder, at: str = "") -> None:
        super().__init__(Options(), folder)
        self.at, self.asked = at, list[str]()

    def chunks(self, item: Item) -> Iterator[bytes]:
        self.asked.append(item.path)
        for chunk in super().chunks(item):
            yield chunk[:3]
            if item.path == self.at:
                raise WorldFailed("the line is cut")
            yield chunk[3:]


def test_what_was_cut_off_goes_on_with_what_is_missing(
    bucket: Any, folder: Folder, recorded: Recorded, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        put(bucket, "kept", f"set/{name}.csv", OLD + name.encode())
    cut, whole = Cut(folder, "b.csv"), Cut(folder)
    with pytest.raises(WorldFailed, match="cut"):
        cut.current("s3://kept/set")
    assert [file.path for file in whole.current("s3://kept/set")] == ["a.csv", "b.csv", "c.csv"]
    assert (cut.asked, whole.asked) == (["a.csv", "b.csv"], ["b.csv", "c.csv"])
    version = recorded(whole, "fsspec", "s3://kept/set")
    forget(folder)
    cut, whole = Cut(folder, "b.csv"), Cut(folder)
    with pytest.raises(WorldFailed, match="cut"):
        cut.read(version, tmp_path / "in")
    whole.read(version, tmp_path / "in")
    assert (cut.asked, whole.asked) == (["a.csv", "b.csv"], ["b.csv", "c.csv"])
    assert len(below(tmp_path / "in")) == 3


def test_what_is_here_is_not_asked_for_again(folder: Folder, recorded: Recorded, tmp_path: Path) -> None:
    with faulty_server() as server:
        server.files = {"/a.csv": OLD}
        version = recorded(again(folder), "fsspec", f"{server.address}/a.csv")
        asked = len(server.asked)
        again(folder).read(version, tmp_path / "in")
        assert again(folder).current(version.uri) == version.files
        assert len(server.asked) == asked, "the bytes came twice"
        again(folder, fresh=True).current(version.uri)
        assert len(server.asked) > asked


def test_a_damaged_cache_is_fetched_again(folder: Folder, recorded: Recorded, tmp_path: Path) -> None:
    with faulty_server() as server:
        server.files = {"/a.csv": OLD}
        version = recorded(again(folder), "fsspec", f"{server.address}/a.csv")
        (cached,) = (folder.root / ".gatewright/data-cache/sha256").glob("*/*")
        assert not cached.stat().st_mode & 0o222
        cached.chmod(0o644)
        cached.write_bytes(NEW)
        again(folder).read(version, tmp_path / "in")
        assert below(tmp_path / "in") == {"a.csv": OLD}


def test_progress_is_told(folder: Folder) -> None:
    told = Told()
    with faulty_server() as server:
        server.files = {"/a.csv": OLD}
        RemoteSource(Options(), Folder(folder.root, progress=told)).current(f"{server.address}/a.csv")
    assert told.waits == ["a.csv: 0.0 of 0.0 MB"]


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty_server() as found:
        found.files = {"/a.csv": OLD}
        yield found


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("403", WorldFailed, "access is refused"),
        ("401", WorldFailed, "access is refused"),
        ("404", DataError, "there is nothing at this address"),
        ("500", WorldFailed, "500"),
        ("truncated", WorldFailed, r"a\.csv"),
        ("hanging", WorldFailed, r"a\.csv"),
    ],
)
def test_faults_of_http(
    server: Faulty, source: RemoteSource, folder: Folder, mode: str, kind: type[Exception], words: str
) -> None:
    server.mode = mode
    with pytest.raises(kind, match=words):
        source.current(f"{server.address}/a.csv")
    assert list((folder.root / ".gatewright").rglob("sha256/*/*")) == []
    assert list((folder.root / ".gatewright").rglob("coming/*")) == []


def test_bytes_that_change_between_list_and_read(server: Faulty, source: RemoteSource) -> None:
    server.after_get["/a.csv"] = NEW + b"2,2\n"
    with pytest.raises(WorldFailed, match=r"changed while it was read: a\.csv is another now"):
        source.current(f"{server.address}/a.csv")
    assert source.current(f"{server.address}/a.csv")[0].size == 13


def test_a_server_that_is_down(source: RemoteSource, folder: Folder) -> None:
    with faulty_server() as gone:
        address = gone.address
    with pytest.raises(WorldFailed, match=r"a\.csv: "):
        source.current(f"{address}/a.csv")


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/meta-data/x.csv", "file:///etc/passwd"])
def test_a_redirect_to_secrets_of_the_machine_is_refused(server: Faulty, source: RemoteSource, to: str) -> None:
    server.mode, server.redirect = "redirect", to
    with pytest.raises(UnusableInput, match=r"link-local|leads to file"):
        source.current(f"{server.address}/a.csv")


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("403", WorldFailed, "access is refused"),
        ("404", DataError, "there is nothing"),
        ("truncated", WorldFailed, "s3://bucket/a.csv"),
    ],
)
def test_faults_of_s3(
    server: Faulty, source: RemoteSource, monkeypatch: pytest.MonkeyPatch, mode: str, kind: type[Exception], words: str
) -> None:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address}.items():
        monkeypatch.setenv(name, value)
    server.files = {"/bucket/a.csv": OLD}
    server.mode = mode
    with pytest.raises(kind, match=words):
        source.current("s3://bucket/a.csv")


def test_an_endpoint_of_s3_that_is_down(source: RemoteSource, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_server() as gone:
        address = gone.address
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": address}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WorldFailed, match=r"s3://bucket/a\.csv: "):
        source.current("s3://bucket/a.csv")


def test_memory(source: RemoteSource, recorded: Recorded, tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    system.pipe({"/set/a.csv": OLD, "/set/b.csv": NEW})
    version = recorded(source, "fsspec", "memory://set")
    assert [file.path for file in version.files] == ["a.csv", "b.csv"]
    source.read(version, tmp_path / "in")
    assert below(tmp_path / "in") == {"a.csv": OLD, "b.csv": NEW}
    system.rm("/set", recursive=True)


@pytest.mark.parametrize(
    ("package", "uri", "extra"),
    [("fsspec", "s3://b/a.csv", "s3"), ("s3fs", "s3://b/a.csv", "s3"), ("aiohttp", "http://127.0.0.1:1/a.csv", "s3")],
)
def test_a_package_that_is_missing_is_named(
    source: RemoteSource, monkeypatch: pytest.MonkeyPatch, package: str, uri: str, extra: str
) -> None:
    for scheme in ("s3", "http"):
        monkeypatch.delitem(fsspec_registry, scheme, raising=False)  # what other tests have loaded
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnusableInput, match="not installed") as caught:
        source.current(uri)
    assert f"gatewright[{extra}]" in caught.value.fix
