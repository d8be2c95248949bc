"""GetMetricData as moto's server takes it: an implementation that is not ours accepts our questions.

moto 5.2 has Sum and SampleCount, and fails with status 500 over TC(x:y) and p99; it has no pages and no PartialData.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatewright.adapters.metrics.cloudwatch import CloudWatch, Options
from gatewright.adapters.metrics.metric_data import MetricData, Series
from gatewright.domain.errors import WorldFailed
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeClock
from tests.fixtures.s3 import ENVIRONMENT, client, s3_server
from tests.unit.adapters.metrics.test_counted import ROLLOUT

pytestmark = pytest.mark.xdist_group("sagemaker")
END = 1_800_000_000  # a whole minute
NEW, OLD = f"model-{'a' * 12}", f"model-{'b' * 12}"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as address:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": address}.items():
            monkeypatch.setenv(name, value)
        yield address


def put(moto: str, metric: str, variant: str, at: float, *values: float, endpoint: str = "people") -> None:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    data = [
        {"MetricName": metric, "Dimensions": dimensions, "Timestamp": datetime.fromtimestamp(at, UTC), "Value": value}
        for value in values
    ]
    client(moto, "cloudwatch").put_metric_data(Namespace="AWS/SageMaker", MetricData=data)


def sums() -> dict[str, Series]:
    return {
        f"{role}_{name}": Series(of=role, variant=variant, metric=metric, stat=stat)
        for role, variant in (("canary", NEW), ("stable", OLD))
        for name, metric, stat in (
            ("requests", "Invocations", "Sum"),
            ("errors", "InvocationModelErrors", "Sum"),
            ("timed", "ModelLatency", "SampleCount"),
        )
    }


def test_sums_and_counts_of_both_variants_by_the_minute(moto: str) -> None:
    for minute, (new, old) in enumerate(((3, 5), (0, 7), (4, 0)), start=-3):
        at = END + 60 * minute
        for variant, requests in ((NEW, new), (OLD, old)):
            for second in range(requests):
                put(moto, "Invocations", variant, at + second, 1.0)
                put(moto, "InvocationModelErrors", variant, at + second, float(second == 0))
                put(moto, "ModelLatency", variant, at + second, 1000.0 + second)
    put(moto, "Invocations", NEW, END, 1.0)  # the end is not in it
    put(moto, "Invocations", NEW, END - 61, 1.0, endpoint="elsewhere")
    data = MetricData(endpoint="people", region="us-east-1", timeout_s=10.0)
    points = data.points(sums(), start=END - 180, end=END, period=60)
    assert points == {
        "canary_requests": {END - 180: 3, END - 60: 4},
        "canary_errors": {END - 180: 1, END - 60: 1},
        "canary_timed": {END - 180: 3, END - 60: 4},
        "stable_requests": {END - 180: 5, END - 120: 7},
        "stable_errors": {END - 180: 1, END - 120: 1},
        "stable_timed": {END - 180: 5, END - 120: 7},
    }


def test_an_endpoint_that_nobody_knows_and_another_region_are_empty(moto: str) -> None:
    put(moto, "Invocations", NEW, END - 60, 1.0, endpoint="there")
    for endpoint, region in (("nobody", "us-east-1"), ("there", "eu-central-1")):
        data = MetricData(endpoint=endpoint, region=region, timeout_s=10.0)
        assert not any(data.points(sums(), start=END - 180, end=END, period=60).values())
        assert data.region == region


def test_what_moto_cannot_count_is_no_zero(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole source against moto: over a trimmed count it fails, and no look passes."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
    clock = FakeClock(moment=datetime.fromtimestamp(END + 120, UTC))
    context = Context(root=tmp_path, model="whole", database=Database(tmp_path / "state.db"), clock=clock)
    source = CloudWatch(Options(), context)
    rollout = replace(ROLLOUT, slow_after_ms=250.0)
    assert "neither version has shown a request" in (source.observe(rollout, 1).error or "")
    for metric in ("Invocations", "InvocationModelErrors", "ModelLatency"):
        for variant in (NEW, OLD):
            put(moto, metric, variant, END - 30, 1.0, endpoint="whole")
    found = source.observe(rollout, 2)
    assert (found.observations, "AWS failed 3 times" in (found.error or "")) == ((), True)
    with pytest.raises(WorldFailed, match="AWS failed 3 times"):
        source.history(rollout)
