"""The promises of port `Traffic`, over the pretended one and a real Envoy with its supervisor and model servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.testing import FakeTraffic
from gatewright.testing.courses import Site
from gatewright.testing.traffic import TrafficConformance
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
