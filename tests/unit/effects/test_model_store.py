from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.domain.errors import DigestChanged, UnusableInput, WorldFailed
from gatewright.effects.files import measure_artifact
from gatewright.effects.model_store import ModelStore
from tests.fixtures.s3 import ENVIRONMENT, client, s3_server

PLACES = ["folder", "memory", "s3"]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that nobody has used."""
    match request.param:
        case "folder":
            return str(tmp_path / "models")
        case "memory":
            return f"memory://{uuid.uuid4()}/models"
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    address = request.getfixturevalue("s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    bucket = f"b-{uuid.uuid4()}"
    client(address).create_bucket(Bucket=bucket)
    return f"s3://{bucket}/models"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "more").mkdir(parents=True)
    (folder / "model.skops").write_bytes(b"\0weights" * 1000)
    (folder / "more" / "words.txt").write_text("a b c", encoding="utf-8")
    (folder / "empty").write_bytes(b"")
    return folder


def digest_of(folder: Path) -> str:
    return measure_artifact(folder).digest


def test_what_is_kept_is_had_elsewhere(place: str, model: Path, tmp_path: Path) -> None:
    digest = digest_of(model)
    ModelStore(place, tmp_path).keep(model, digest)
    ModelStore(place, tmp_path / "other").bring(digest, tmp_path / "other" / "runs" / "model")
    assert digest_of(tmp_path / "other" / "runs" / "model") == digest


def test_keeping_it_twice_is_fine(place: str, model: Path, tmp_path: Path) -> None:
    store = ModelStore(place, tmp_path)
    for _ in range(2):
        store.keep(model, digest_of(model))
    store.bring(digest_of(model), tmp_path / "again")
    assert digest_of(tmp_path / "again") == digest_of(model)


def test_bytes_that_are_not_those_of_the_digest_are_not_kept(place: str, model: Path, tmp_path: Path) -> None:
    digest = digest_of(model)
    (model / "model.skops").write_bytes(b"other")
    store = ModelStore(place, tmp_path)
    with pytest.raises(DigestChanged):
        store.keep(model, digest)
    with pytest.raises(UnusableInput, match="neither here nor in"):
        store.bring(digest, tmp_path / "laid")


def test_a_model_that_was_never_kept_says_what_to_do(place: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="neither here nor in") as told:
        ModelStore(place, tmp_path).bring("sha256:" + "0" * 64, tmp_path / "laid")
    assert "gatewright train" in told.value.fix
    assert not (tmp_path / "laid").exists()


def test_one_byte_changed_in_a_folder_is_told_and_not_laid(model: Path, tmp_path: Path) -> None:
    store, digest = ModelStore("models", tmp_path), digest_of(model)
    store.keep(model, digest)
    (tmp_path / "models" / "sha256" / digest[7:] / "model.skops").write_bytes(b"planted")
    with pytest.raises(DigestChanged, match="models"):
        store.bring(digest, tmp_path / "laid")
    assert not (tmp_path / "laid").exists()


@pytest.mark.parametrize("planted", ["a file", "a list", "no list", "half a list"])
def test_one_byte_changed_behind_a_url_is_told_and_not_laid(planted: str, model: Path, tmp_path: Path) -> None:
    import fsspec

    place, digest = f"memory://{uuid.uuid4()}", digest_of(model)
    store, system = ModelStore(place, tmp_path), fsspec.filesystem("memory")
    store.keep(model, digest)
    at = f"{place}/sha256/{digest[7:]}"
    listed = system.cat_file(f"{at}.json")
    match planted:
        case "a file":
            system.pipe_file(f"{at}/model.skops", b"planted")
        case "a list":
            document = json.loads(listed)
            document["files"][0]["path"] = "../../outside"
            system.pipe_file(f"{at}.json", json.dumps(document).encode())
        case "no list":
            system.rm_file(f"{at}.json")
        case _:
            system.pipe_file(f"{at}.json", listed[:-5])
    with pytest.raises(UnusableInput, match=r"neither here|changed|cannot be read"):
        store.bring(digest, tmp_path / "laid")
    assert not (tmp_path / "laid").exists()
    assert not list(tmp_path.rglob("outside"))


def test_a_bucket_that_is_not_there_is_the_worlds_fault(model: Path, tmp_path: Path, s3: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": s3}.items():
            environment.setenv(name, value)
        with pytest.raises(WorldFailed, match="no such bucket"):
            ModelStore("s3://no-such-bucket", tmp_path).keep(model, digest_of(model))


@pytest.mark.parametrize(
    "place", ["http://h/x", "file:///etc", "ftp://h/x", "s3://key:secret@bucket/x", "s3://b/x?k=s"]
)
def test_places_that_cannot_be_a_store_are_refused_without_their_secret(place: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput) as told:
        ModelStore(place, tmp_path)
    assert "secret" not in str(told.value) + told.value.fix


def test_a_file_beside_the_models_is_had_elsewhere_and_replaced(place: str, tmp_path: Path) -> None:
    here, elsewhere = ModelStore(place, tmp_path), ModelStore(place, tmp_path / "other")
    assert here.file("attached/toy/model.sig") is None
    for content in (b"one", b"two", b"two"):
        here.keep_file("attached/toy/model.sig", content)
        assert elsewhere.file("attached/toy/model.sig") == content
    assert elsewhere.file("attached/toy") is None
    assert elsewhere.file("attached/toy/other.sig") is None


def test_a_file_whose_bucket_is_not_there_is_the_worlds_fault(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": s3}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WorldFailed, match="no such bucket"):
        ModelStore("s3://nobody-made-it/models", tmp_path).keep_file("attached/x", b"one")
