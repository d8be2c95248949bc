"""The whole chain with SageMaker's registry on moto's server, seen by boto3's own client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.effects.files import measure_artifact
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.elsewhere import copied
from tests.fixtures.live import Project
from tests.fixtures.load import Load
from tests.fixtures.ports import free_port
from tests.fixtures.s3 import ENVIRONMENT, client, s3_server

pytestmark = [pytest.mark.xdist_group("sagemaker"), pytest.mark.timeout(600)]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as address:
        client(address).create_bucket(Bucket="models")
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": address}.items():
            monkeypatch.setenv(name, value)
        yield address


@pytest.fixture
def project(tmp_path: Path, aws: str) -> Iterator[Project]:
    found = Project(root=tmp_path / "project", port=free_port())
    registry = {"kind": "sagemaker", "store": "s3://models/toy", "image": "registry.example.org/s:1", "group": "toy"}
    toy.write_project(found.root, port=found.port, registry=registry)
    try:
        yield found
    finally:
        found.command("serve", "stop")


@pytest.mark.slow
def test_a_pipeline_s_versions_are_approved_tagged_and_brought_elsewhere(
    project: Project, aws: str, tmp_path: Path
) -> None:
    first = project.command("run", "--bootstrap-by", "tests")
    assert first.returncode == 0, first.stdout + first.stderr
    toy.write_recipe(project.root, kind="good", seed=1)
    toy.add_data(project.root, "train-1", toy.people(700))
    with Load(project.port) as load:
        second = project.command("run")
    assert second.returncode == 0, second.stdout + second.stderr
    assert not load.failures
    again = project.command("run", "--if-changed")
    assert (again.returncode, "nothing changed" in again.stdout) == (0, True)

    own, rollout = client(aws, "sagemaker"), project.rollout()
    listed = own.list_model_packages(ModelPackageGroupName="toy")["ModelPackageSummaryList"]
    packages = [own.describe_model_package(ModelPackageName=each["ModelPackageArn"]) for each in listed]
    newest = max(packages, key=lambda each: int(each["ModelPackageVersion"]))
    assert [each["ModelApprovalStatus"] for each in packages] == ["Approved", "Approved"]
    assert newest["ModelPackageVersion"] == 2
    assert newest["CustomerMetadataProperties"]["gatewright.model_digest"] == rollout.canary
    assert newest["CustomerMetadataProperties"]["gatewright.run"] == project.runs()[-1]
    assert newest["CustomerMetadataProperties"]["gatewright.commit"] == newest["MetadataProperties"]["CommitId"]
    assert {"Statistics", "Constraints"} <= newest["ModelMetrics"]["ModelQuality"].keys()
    group = own.describe_model_package_group(ModelPackageGroupName="toy")["ModelPackageGroupArn"]
    tags = {tag["Key"]: tag["Value"] for tag in own.list_tags(ResourceArn=group)["Tags"]}
    assert tags == {"gatewright.production": "2", "gatewright.previous": "1"}

    verified = copied(project.root, tmp_path / "verified")
    program = Path(sys.executable).with_name("gatewright")
    words = [str(program), "verify", "2"]
    proof = subprocess.run(words, cwd=verified, text=True, capture_output=True, timeout=60, check=False)
    assert proof.returncode == 3, proof.stdout + proof.stderr
    assert proof.stdout.splitlines()[-1].endswith("nothing is broken; not proven here: code"), proof.stdout

    there = tmp_path / "there"
    there.mkdir()
    (there / "gatewright.yaml").write_text((project.root / "gatewright.yaml").read_text())
    workspace = Workspace.open(there)
    try:
        version = workspace.registry.serving(toy.MODEL)
        assert version is not None
        workspace.registry.bring(version.artifact)  # type: ignore[attr-defined]
        assert measure_artifact(there / version.artifact.uri).digest == rollout.canary
    finally:
        workspace.database.close()
