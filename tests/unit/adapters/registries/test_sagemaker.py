"""The registry of SageMaker on moto's server: what its own client sees, what a kill leaves, and every way to fail."""

from __future__ import annotations

import io
import os
import secrets
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatewright.adapters.registries.sagemaker.registry import Options, SagemakerRegistry
from gatewright.domain.duration import Duration
from gatewright.domain.errors import DigestChanged, UnusableInput, WorldFailed
from gatewright.domain.lineage import ModelVersion
from gatewright.effects.files import measure_artifact
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeClock
from gatewright.testing.registries import MODEL, registration
from tests.fixtures.forwarding import Fault, Forwarding, forwarding
from tests.fixtures.s3 import ENVIRONMENT, client, s3_server

pytestmark = pytest.mark.xdist_group("sagemaker")
IMAGE = "registry.example.org/serving:1"
REGISTER = """
import sys
from pathlib import Path
from gatewright.adapters.registries.sagemaker.registry import Options, SagemakerRegistry
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing.registries import MODEL, registration
from gatewright.workspace import SystemClock

root = Path(sys.argv[1])
context = Context(root=root, model=MODEL, database=Database(root / ".gatewright" / "state.db"), clock=SystemClock())
SagemakerRegistry(Options(store=sys.argv[2], image="i", group=sys.argv[3]), context).register(registration(root))
"""


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with s3_server() as address:
        client(address).create_bucket(Bucket="models")
        yield address


@pytest.fixture(scope="module")
def between(moto: str) -> Iterator[Forwarding]:
    with forwarding(moto) as server:
        yield server


@dataclass(slots=True)
class Aws:
    """One group and its folder, as the registry and as boto3's own client have them."""

    root: Path
    group: str
    between: Forwarding
    moto: str

    @property
    def options(self) -> Options:
        return Options(store=f"s3://models/{self.group}", image=IMAGE, group=self.group)

    def registry(self, **changes: Any) -> SagemakerRegistry:
        database = Database(self.root / ".gatewright" / "state.db")
        context = Context(root=self.root, model=MODEL, database=database, clock=FakeClock())
        return SagemakerRegistry(replace(self.options, **changes), context)

    def packages(self) -> list[dict[str, Any]]:
        """Every version that SageMaker lists, by number."""
        own = client(self.moto, "sagemaker")
        listed = own.list_model_packages(ModelPackageGroupName=self.group)["ModelPackageSummaryList"]
        found = [own.describe_model_package(ModelPackageName=each["ModelPackageArn"]) for each in listed]
        for each in found:
            del each["ResponseMetadata"]
        return sorted(found, key=lambda each: int(each["ModelPackageVersion"]))

    def statuses(self) -> list[str]:
        return [each["ModelApprovalStatus"] for each in self.packages()]

    def _arn(self) -> str:
        described = client(self.moto, "sagemaker").describe_model_package_group(ModelPackageGroupName=self.group)
        return str(described["ModelPackageGroupArn"])

    def tags(self) -> dict[str, str]:
        found = client(self.moto, "sagemaker").list_tags(ResourceArn=self._arn())["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def tag(self, value: str) -> None:
        tags = [{"Key": "gatewright.production", "Value": value}]
        client(self.moto, "sagemaker").add_tags(ResourceArn=self._arn(), Tags=tags)

    def object(self, url: str) -> bytes:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        found: bytes = client(self.moto).get_object(Bucket=bucket, Key=key)["Body"].read()
        return found

    def put(self, url: str, content: bytes) -> None:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        client(self.moto).put_object(Bucket=bucket, Key=key, Body=content)


@pytest.fixture
def aws(tmp_path: Path, moto: str, between: Forwarding, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": between.address}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
    between.asked.clear()
    yield Aws(root=tmp_path, group=f"people-{secrets.token_hex(4)}", between=between, moto=moto)
    between.fault = None


def two(aws: Aws) -> tuple[SagemakerRegistry, ModelVersion, ModelVersion]:
    registry = aws.registry()
    first, second = (registry.register(registration(aws.root, content)) for content in ("one", "two"))
    return registry, first, second


def test_a_version_tells_its_digests_and_leads_to_model_report_and_verdict(aws: Aws) -> None:
    wanted = registration(aws.root)
    version = aws.registry().register(wanted)
    (found,) = aws.packages()
    told = found["CustomerMetadataProperties"]
    assert (found["ModelPackageVersion"], found["ModelApprovalStatus"]) == (1, "PendingManualApproval")
    assert told["gatewright.model_digest"] == version.artifact.digest
    assert (told["gatewright.data_digest"], told["gatewright.report_digest"]) == ("sha256:d", "sha256:r")
    assert (told["gatewright.run"], told["gatewright.commit"]) == ("r1", "abc")
    assert (told["metric/overall_accuracy"], told["metric/slices/SEX=1"]) == ("0.9", "0.8")
    assert told["link/train"] == "people-train v1"
    assert found["MetadataProperties"]["CommitId"] == "abc"
    quality = found["ModelMetrics"]["ModelQuality"]
    assert aws.object(quality["Statistics"]["S3Uri"]) == wanted.documents["evaluation-report.json"]
    assert aws.object(quality["Constraints"]["S3Uri"]) == wanted.documents["verdict.json"]
    (container,) = found["InferenceSpecification"]["Containers"]
    assert container["Image"] == IMAGE
    with tarfile.open(fileobj=io.BytesIO(aws.object(container["ModelDataUrl"]))) as archive:
        assert archive.getnames() == ["model.skops", "parts/weights.bin"]


def test_who_serves_is_approved_and_tagged_and_a_rolled_back_one_is_rejected(aws: Aws) -> None:
    registry, first, second = two(aws)
    registry.mark_serving(MODEL, first)
    assert (aws.statuses(), aws.tags()) == (["Approved", "PendingManualApproval"], {"gatewright.production": "1"})
    registry.mark_serving(MODEL, second)
    assert aws.statuses() == ["Approved", "Approved"]
    assert aws.tags() == {"gatewright.production": "2", "gatewright.previous": "1"}
    before = aws.packages()
    registry.mark_serving(MODEL, second)
    assert aws.packages() == before
    registry.mark_serving(MODEL, first)
    assert (aws.statuses(), aws.tags()) == (["Approved", "Rejected"], {"gatewright.production": "1"})
    registry.mark_serving(MODEL, None)
    assert (aws.statuses(), aws.tags()) == (["Rejected", "Rejected"], {})
    assert registry.find(MODEL, second.artifact.digest) == second


def test_of_two_versions_of_one_digest_the_lowest_counts_and_the_other_is_rejected(aws: Aws) -> None:
    registry = aws.registry()
    aws.between.fault = Fault(of="CreateModelPackage", times=1, lost=True)
    first = registry.register(registration(aws.root))
    # botocore asked again, and moto, which knows no ClientToken, made a second one.
    assert (first.number, aws.statuses()) == (1, ["PendingManualApproval", "Rejected"])
    assert registry.numbered(MODEL, 2) is None
    assert aws.registry().register(registration(aws.root, run="r2")) == first
    assert registry.register(registration(aws.root, "two")).number == 3


def test_what_others_registered_is_not_seen_and_cannot_be_said_to_serve(aws: Aws) -> None:
    registry = aws.registry()
    registry.register(registration(aws.root))
    client(aws.moto, "sagemaker").create_model_package(ModelPackageGroupName=aws.group, ModelPackageDescription="x")
    assert registry.numbered(MODEL, 2) is None
    aws.tag("2")
    with pytest.raises(UnusableInput, match="which Gatewright did not register"):
        registry.serving(MODEL)
    aws.tag("latest")
    with pytest.raises(UnusableInput, match="no number of a version"):
        registry.serving(MODEL)


def test_a_changed_archive_is_refused_and_nothing_is_laid(aws: Aws) -> None:
    registry, first, second = two(aws)
    urls = [each["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] for each in aws.packages()]
    aws.put(urls[0], aws.object(urls[1]))
    elsewhere = replace(first.artifact, uri="brought")
    with pytest.raises(DigestChanged, match=r"s3://models"):
        registry.bring(elsewhere)
    aws.put(urls[0], b"<html>")
    with pytest.raises(UnusableInput, match="cannot be unfolded"):
        registry.bring(elsewhere)
    assert not (aws.root / "brought").exists()
    registry.bring(replace(second.artifact, uri="brought"))
    assert measure_artifact(aws.root / "brought").digest == second.artifact.digest
    with pytest.raises(UnusableInput, match="neither here nor registered"):
        registry.bring(replace(first.artifact, digest="sha256:0"))


def test_an_archive_in_the_place_of_a_new_model_is_proven_before_it_is_registered(aws: Aws) -> None:
    wanted = registration(aws.root)
    digest = wanted.candidate.artifact.digest.removeprefix("sha256:")
    aws.put(f"s3://models/{aws.group}/models/{digest}.tar.gz", b"planted")
    with pytest.raises(UnusableInput, match="cannot be unfolded"):
        aws.registry().register(wanted)
    assert aws.packages() == []


def test_a_model_card_is_kept_beside_its_version(aws: Aws) -> None:
    registry, first, _ = two(aws)
    for content in (b"# One", b"# Two", b"# Two"):
        registry.attach(first, "model-card.md", content)
    digest = first.artifact.digest.removeprefix("sha256:")
    assert aws.object(f"s3://models/{aws.group}/evidence/{digest}/r1/model-card.md") == b"# Two"


@pytest.mark.parametrize(
    "place",
    [
        "before-http:sagemaker-upload",
        "after-http:sagemaker-upload",
        "before-http:sagemaker-create-version",
        "after-http:sagemaker-create-version",
    ],
)
def test_killed_anywhere_the_next_one_registers_one_version(aws: Aws, place: str) -> None:
    armed = {**os.environ, "GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": place}
    argv = [sys.executable, "-c", REGISTER, str(aws.root), aws.options.store, aws.group]
    assert subprocess.run(argv, env=armed, timeout=60, check=False).returncode == -signal.SIGKILL
    assert aws.registry().register(registration(aws.root)).number == 1
    assert len(aws.packages()) == 1


def answer(code: str, message: str = "no") -> bytes:
    return f'{{"__type": "{code}", "message": "{message}"}}'.encode()


def test_what_passes_is_asked_again(aws: Aws) -> None:
    aws.between.fault = Fault(of="ListModelPackages", times=2, status=400, body=answer("ThrottlingException"))
    assert aws.registry().register(registration(aws.root)).number == 1
    aws.between.fault = Fault(of="PUT /models", times=2, status=503)
    assert aws.registry().register(registration(aws.root, "two")).number == 2
    aws.between.fault = Fault(of="AddTags", times=1, lost=True)
    registry = aws.registry()
    registry.mark_serving(MODEL, registry.numbered(MODEL, 1))
    assert aws.tags() == {"gatewright.production": "1"}


@pytest.mark.parametrize(
    ("status", "body", "told", "tries"),
    [
        (400, answer("ThrottlingException", "Rate exceeded"), "ThrottlingException .Rate exceeded., 3 times", 3),
        (500, answer("InternalFailure"), "AWS failed 3 times", 3),
        (503, b"<html>busy</html>", "AWS failed 3 times|none of AWS", 3),
        (400, answer("AccessDeniedException"), "access is refused", 1),
        (400, answer("UnrecognizedClientException"), "UnrecognizedClientException", 1),
        (400, answer("ExpiredTokenException"), "ExpiredTokenException", 1),
        (400, answer("ResourceLimitExceeded", "quota"), "ResourceLimitExceeded .quota.", 1),
        (200, b"<html>sign in</html>", "none of AWS", 1),
    ],
)
def test_a_service_that_fails_is_told_as_what_it_is(aws: Aws, status: int, body: bytes, told: str, tries: int) -> None:
    aws.between.fault = Fault(of="ListModelPackages", status=status, body=body)
    with pytest.raises(WorldFailed, match=told) as failed:
        aws.registry().find(MODEL, "sha256:0")
    assert failed.value.fix
    assert aws.between.asked == ["ListModelPackages"] * tries


def test_a_silent_service_is_given_up(aws: Aws) -> None:
    aws.between.fault = Fault(of="ListModelPackages", silent=True)
    with pytest.raises(WorldFailed, match="cannot be reached"):
        aws.registry(timeout=Duration(0.2)).find(MODEL, "sha256:0")


def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")


def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        (nobody, WorldFailed, "cannot be reached"),
        (nameless, WorldFailed, "no credentials"),
        (lambda patch: patch.delenv("AWS_DEFAULT_REGION"), UnusableInput, "region"),
        (lambda patch: patch.setenv("AWS_PROFILE", "absent"), UnusableInput, "absent"),
    ],
)
def test_surroundings_that_cannot_work_are_told(
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
    kind: type[Exception],
    told: str,
) -> None:
    change(monkeypatch)
    with pytest.raises(kind, match=told):
        aws.registry().serving(MODEL)


def test_a_bucket_that_is_not_there_and_a_name_that_is_none_are_told(aws: Aws) -> None:
    with pytest.raises(WorldFailed, match="NoSuchBucket") as failed:
        aws.registry(store="s3://absent").register(registration(aws.root))
    assert "create the bucket" in failed.value.fix
    with pytest.raises(UnusableInput, match=r"registry.group|no name of a model package group"):
        aws.registry(group=None).find("people_model", "sha256:0")
    assert aws.packages() == []
