"""The example's whole pipeline on registries elsewhere: live traffic through Envoy, and what their own clients see."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.rollout import ALMOST_FULL, Phase
from gatewright.effects.files import measure_artifact
from tests.fixtures.employment import Employment
from tests.fixtures.s3 import ENVIRONMENT, client, s3_server
from tests.fixtures.tracking_server import TrackingServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GROUP = "employment-alone"
"""Servers of moto in one process have one memory."""
Laid = Callable[..., Employment]
FETCH = """
production = client.get_model_version_by_alias(words[0], "production")
found = client.download_artifacts(production.run_id, "model", words[1])
"""


@pytest.fixture
def laid(tmp_path: Path) -> Iterator[Laid]:
    started: list[Employment] = []

    def lay(**registry: Any) -> Employment:
        started.append(Employment(tmp_path / "demo", {"registry": registry}))
        return started[-1]

    yield lay
    for each in started:
        each.end()


def traffic_of(project: Employment) -> dict[str, Any]:
    """What the load generator counted, all of it answered; shown with `-rP`."""
    project.load.stop()
    found = project.load.summary()
    print(f"traffic: {found}")
    assert (found["failed"], found["missing"], found["finished"]) == ({}, 0, True)
    return found


@pytest.mark.xdist_group("mlflow")
def test_on_mlflow_each_model_is_one_version_also_when_the_server_dies_during_an_upload(
    laid: Laid, mlflow_server: TrackingServer, tmp_path: Path
) -> None:
    name = f"employment-{mlflow_server.port}"
    project = laid(kind="mlflow", tracking_uri=mlflow_server.address, name=name)
    project.deploy_first()
    project.boost()
    second = project.start("run")
    begun = project.until_divided(second)
    found = mlflow_server.lineage(name)
    assert found["aliases"] == {"production": 1, "candidate": 2}
    project.ended(second, 0)
    check_second_version(project, mlflow_server.lineage(name))
    assert project.shown(begun) >= ALMOST_FULL
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    folder = mlflow_server.seen_by_mlflow(FETCH, name, str(fetched))
    assert measure_artifact(Path(folder)).digest == begun.canary

    assert "nothing changed" in project.done("run", "--if-changed")
    project.done("run")
    assert project.newest().id == begun.id
    assert (mlflow_server.versions_of(name), mlflow_server.lineage(name)["aliases"]["production"]) == ([1, 2], 2)

    project.boost(n_estimators=80)
    third = project.start("run", failpoints="before-http:mlflow-upload@1=stop")
    mlflow_server.kill_while_it_gets_a_file_of(third)
    assert "cannot be reached" in project.ended(third, 4)
    mlflow_server.start()
    assert mlflow_server.versions_of(name) == [1, 2]
    project.done("run", "--resume", project.runs()[-1])
    found, ended = mlflow_server.lineage(name), project.newest()
    assert found["aliases"] == {"production": 3, "previous": 2}
    assert [each["number"] for each in found["versions"]] == [1, 2, 3]
    assert (ended.phase, ended.number, ended.run) == (Phase.PROMOTED, 3, project.runs()[-1])
    assert found["versions"][2]["tags"]["gatewright.model_digest"] == ended.canary
    assert project.shown(ended) >= ALMOST_FULL
    assert len(traffic_of(project)["models"]) == 3


def check_second_version(project: Employment, found: dict[str, Any]) -> None:
    """What MLflow's own client says of the version that was promoted."""
    run, rollout = project.root / ".gatewright" / "runs" / project.runs()[-1], project.newest()
    assert found["aliases"] == {"production": 2, "previous": 1}
    assert [each["number"] for each in found["versions"]] == [1, 2]
    newest = found["versions"][1]
    assert rollout.phase is Phase.PROMOTED
    assert newest["tags"]["gatewright.model_digest"] == rollout.canary
    assert newest["tags"]["gatewright.run"] == rollout.run
    assert newest["tags"]["mlflow.source.git.commit"] == project.commit()
    assert newest["report"] == json.loads((run / "evaluation-report.json").read_text(encoding="utf-8"))
    assert newest["report"]["digest"] == newest["tags"]["gatewright.report_digest"]
    evidence = {Path(path).name for path in newest["evidence"]}
    assert {"evaluation-report.json", "verdict.json", "candidate.json", "lock.json"} <= evidence
    assert {Path(path).name for path in newest["model"]} == {"model.skops", "signature.json"}
    assert newest["metrics"]["overall_accuracy"] > 0.8
    assert any(metric.startswith("slices/") for metric in newest["metrics"])
    lock = json.loads((run / "lock.json").read_text(encoding="utf-8"))
    used = [f"{lock[role]['name']} {lock[role]['version']}" for role in ("evaluation", "train")]
    assert sorted(newest["data"]) == used
    assert (newest["params"]["format"], newest["status"]) == ("skops", "FINISHED")


@pytest.mark.xdist_group("sagemaker")
def test_on_sagemaker_a_version_is_approved_by_its_promotion_and_not_before(
    laid: Laid, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as address:
        client(address).create_bucket(Bucket="models")
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": address}.items():
            monkeypatch.setenv(name, value)
        image = "registry.example.org/serving:1"
        project = laid(kind="sagemaker", store="s3://models/acs", image=image, group=GROUP)
        project.deploy_first()
        project.boost()
        second = project.start("run")
        project.until_divided(second)
        before = statuses(address)
        project.ended(second, 0)
        ended, shown = project.newest(), packages(address)
        assert (before, statuses(address)) == (
            {1: "Approved", 2: "PendingManualApproval"},
            {1: "Approved", 2: "Approved"},
        )
        told = shown[-1]["CustomerMetadataProperties"]
        assert (told["gatewright.model_digest"], told["gatewright.run"]) == (ended.canary, ended.run)
        assert shown[-1]["MetadataProperties"]["CommitId"] == project.commit()
        assert project.shown(ended) >= ALMOST_FULL
        assert "nothing changed" in project.done("run", "--if-changed")
        project.done("run")
        assert statuses(address) == {1: "Approved", 2: "Approved"}
        assert len(traffic_of(project)["models"]) == 2


def packages(address: str) -> list[dict[str, Any]]:
    """Every version as boto3's own client describes it, oldest first."""
    own = client(address, "sagemaker")
    listed = own.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    found = [own.describe_model_package(ModelPackageName=each["ModelPackageArn"]) for each in listed]
    return sorted(found, key=lambda each: int(each["ModelPackageVersion"]))


def statuses(address: str) -> dict[int, str]:
    return {int(each["ModelPackageVersion"]): each["ModelApprovalStatus"] for each in packages(address)}
