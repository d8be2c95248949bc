"""The promises of port `Registry`, over the local one, a real MLflow server, and moto's SageMaker."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.adapters.registries.local import LocalRegistry
from gatewright.adapters.registries.local import Options as LocalOptions
from gatewright.adapters.registries.mlflow.registry import MlflowRegistry, Options
from gatewright.adapters.registries.sagemaker.registry import Options as SagemakerOptions
from gatewright.adapters.registries.sagemaker.registry import SagemakerRegistry
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeClock
from gatewright.testing.registries import MODEL, Opened, RegistryConformance
from tests.fixtures.s3 import ENVIRONMENT, client, s3_server
from tests.fixtures.tracking_server import TrackingServer


def context(root: Path) -> Context:
    database = Database(root / ".gatewright" / "state.db")
    return Context(root=root, model=MODEL, database=database, clock=FakeClock())


class TestLocal(RegistryConformance):
    @pytest.fixture
    def opened(self) -> Opened:
        return lambda root: LocalRegistry(LocalOptions(), context(root))


@pytest.mark.xdist_group("mlflow")
@pytest.mark.timeout(300)
class TestMlflow(RegistryConformance):
    @pytest.fixture
    def opened(self, mlflow_server: TrackingServer) -> Opened:
        options = Options(tracking_uri=mlflow_server.address, name=f"{MODEL}-{secrets.token_hex(4)}")
        return lambda root: MlflowRegistry(options, context(root))


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with s3_server() as address:
        client(address).create_bucket(Bucket="models")
        yield address


@pytest.mark.xdist_group("sagemaker")
class TestSagemaker(RegistryConformance):
    @pytest.fixture
    def opened(self, aws: str, monkeypatch: pytest.MonkeyPatch) -> Opened:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": aws}.items():
            monkeypatch.setenv(name, value)
        own = secrets.token_hex(4)
        options = SagemakerOptions(store=f"s3://models/{own}", image="registry.example.org/serving:1", group=f"c-{own}")
        return lambda root: SagemakerRegistry(options, context(root))
