"""The promises of port `Traffic`: pretended, a real Envoy with supervisor and model servers, and moto's SageMaker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.testing import FakeTraffic
from gatewright.testing.courses import Site
from gatewright.testing.traffic import TrafficConformance
from tests.fixtures.endpoint_site import EndpointSite
from tests.fixtures.endpoint_world import World
from tests.fixtures.endpoints import endpoint_server
from tests.fixtures.s3 import ENVIRONMENT, client
from tests.fixtures.traffic_sites import EnvoySite, FakeSite


class TestPretended(TrafficConformance):
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return FakeSite(tmp_path, FakeTraffic())


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoySite]:
    """One for all: a model server takes two seconds of a processor to start."""
    site = EnvoySite(tmp_path_factory.mktemp("envoy-traffic") / "project")
    try:
        yield site
    finally:
        site.end()


@pytest.mark.xdist_group("envoy-traffic")
class TestEnvoy(TrafficConformance):
    @pytest.fixture
    def site(self, envoy: EnvoySite) -> Site:
        return envoy

    @pytest.fixture
    def bare(self, envoy: EnvoySite) -> Site:
        envoy.clear()
        return envoy


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointSite]:
    with endpoint_server() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address}.items():
            patch.setenv(name, value)
        client(server.address).create_bucket(Bucket="models")
        yield EndpointSite(World(root=tmp_path_factory.mktemp("endpoint-traffic"), server=server))


@pytest.mark.xdist_group("sagemaker-traffic")
class TestSagemaker(TrafficConformance):
    @pytest.fixture
    def site(self, endpoint: EndpointSite) -> Site:
        return endpoint

    @pytest.fixture
    def bare(self, endpoint: EndpointSite) -> Site:
        endpoint.clear()
        return endpoint
