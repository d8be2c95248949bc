"""The promises of port `MetricSource`, over each kind of the section `evidence` and the public fake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.testing.evidence import MetricSourceConformance
from gatewright.testing.scenes import Scene
from tests.fixtures.cloudwatch import PretendedCloudWatch, pretended_cloudwatch
from tests.fixtures.evidence_scenes import AccessLogScene, FakeScene, LedgerScene
from tests.fixtures.evidence_servers import CloudWatchScene, EnvoyScene, PrometheusScene, stopped
from tests.fixtures.s3 import ENVIRONMENT


class TestLedger(MetricSourceConformance):
    @pytest.fixture
    def scene(self) -> Scene:
        return LedgerScene()


class TestPretended(MetricSourceConformance):
    test_a_history_of_nothing_is_empty_or_refused = None  # its past is the one that it is told

    @pytest.fixture
    def scene(self) -> Scene:
        return FakeScene()


class TestAccessLog(MetricSourceConformance):
    @pytest.fixture
    def scene(self, tmp_path: Path) -> Scene:
        return AccessLogScene(tmp_path)


class TestEnvoyStats(MetricSourceConformance):
    @pytest.fixture
    def scene(self, tmp_path: Path) -> Iterator[Scene]:
        with stopped(EnvoyScene(tmp_path)) as scene:
            yield scene


class TestPrometheus(MetricSourceConformance):
    @pytest.fixture
    def scene(self, tmp_path: Path) -> Iterator[Scene]:
        with stopped(PrometheusScene(tmp_path)) as scene:
            yield scene


@pytest.fixture(scope="module")
def server() -> Iterator[PretendedCloudWatch]:
    with pretended_cloudwatch() as found:
        yield found


class TestCloudWatch(MetricSourceConformance):
    @pytest.fixture
    def scene(self, tmp_path: Path, server: PretendedCloudWatch, monkeypatch: pytest.MonkeyPatch) -> Scene:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address}.items():
            monkeypatch.setenv(name, value)
        server.samples.clear()
        return CloudWatchScene(tmp_path, server)
