"""The promises of port `Registry`, over the local one and over a real MLflow server."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from gatewright.adapters.registries.local import LocalRegistry
from gatewright.adapters.registries.local import Options as LocalOptions
from gatewright.adapters.registries.mlflow.registry import MlflowRegistry, Options
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeClock
from gatewright.testing.registries import MODEL, Opened, RegistryConformance
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
