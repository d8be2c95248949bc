"""The promises of port `MetricSource`, over each kind of the section `evidence` and the public fake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.store.database import Database
from gatewright.testing.evidence import MetricSourceConformance
from gatewright.testing.scenes import Scene
from tests.fixtures.cloudwatch import PretendedCloudWatch, pretended_cloudwatch
from tests.fixtures.evidence_scenes import AccessLogScene, FakeScene, LedgerScene
from tests.fixtures.evidence_servers import (
    CloudWatchScene,
    EnvoyScene,
    PrometheusOfErrorsScene,
    PrometheusScene,
)
from tests.fixtures.s3 import ENVIRONMENT


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One for all: no source of evidence looks into it."""
    return Database(tmp_path_factory.mktemp("evidence") / "state.db")


class TestLedger(MetricSourceConformance):
    @pytest.fixture
    def scene(self) -> Scene:
        return LedgerScene()


class TestPretended(MetricSourceConformance):
    # It tells what it is shown, whoever asks.
    test_a_history_of_nothing_is_empty_or_refused = None
    test_what_an_earlier_rollout_was_told_is_no_evidence_of_this_one = None

    @pytest.fixture
    def scene(self) -> Scene:
        return FakeScene()


class TestAccessLog(MetricSourceConformance):
    @pytest.fixture
    def scene(self, tmp_path: Path, database: Database) -> Scene:
        return AccessLogScene(tmp_path, database)


class TestEnvoyStats(MetricSourceConformance):
    @pytest.fixture
    def scene(self, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Scene:
        return EnvoyScene(tmp_path, database).wire(monkeypatch)


class TestPrometheus(MetricSourceConformance):
    @pytest.fixture
    def scene(self, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Scene:
        return PrometheusScene(tmp_path, database).wire(monkeypatch)


class TestPrometheusOfErrors:
    @pytest.fixture
    def scene(self, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Scene:
        return PrometheusOfErrorsScene(tmp_path, database).wire(monkeypatch)

    test_what_is_missing_is_not_zero = MetricSourceConformance.test_what_is_missing_is_not_zero
    test_requests = MetricSourceConformance.test_requests_errors_and_slow_answers_are_those_of_each_arm
    test_counters = MetricSourceConformance.test_counters_that_begin_anew_are_not_taken_for_those_before


@pytest.fixture(scope="module")
def server() -> Iterator[PretendedCloudWatch]:
    with pretended_cloudwatch() as found:
        yield found


class TestCloudWatch(MetricSourceConformance):
    @pytest.fixture
    def scene(
        self, tmp_path: Path, database: Database, server: PretendedCloudWatch, monkeypatch: pytest.MonkeyPatch
    ) -> Scene:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address}.items():
            monkeypatch.setenv(name, value)
        server.samples.clear()
        return CloudWatchScene(tmp_path, database, server)
