"""The example's whole pipeline on SageMaker: group, endpoint with two variants, evidence from CloudWatch alone.

Everything is real but AWS, and time: it jumps whenever somebody waits, and requests come as it passes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.errors import StageFailed
from gatewright.domain.rollout import Rollout
from gatewright.domain.routing import cluster_name
from gatewright.engine.opening import open_run
from gatewright.engine.pipeline import run_all
from gatewright.engine.tending import tend_to_the_end
from gatewright.store.runs import Handoff
from gatewright.testing import FakeClock, Silent
from gatewright.workspace import Workspace
from tests.fixtures.cloudwatch import PretendedCloudWatch, pretended_cloudwatch
from tests.fixtures.employment import MODEL, Employment
from tests.fixtures.endpoint_world import GUARD, ROLE
from tests.fixtures.endpoints import Endpoints, endpoint_server
from tests.fixtures.forwarding import Fault
from tests.fixtures.s3 import ENVIRONMENT, client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("sagemaker")]

SECTIONS: dict[str, Any] = {
    "registry": {"kind": "sagemaker", "store": "s3://models/acs", "image": "registry.example.org/serving:1"},
    "serving": {"kind": "sagemaker", "role": ROLE, "guard": GUARD, "instance_type": "ml.m5.large"},
    "evidence": {"kind": "cloudwatch"},
    "rollout": {
        "steps": [{"weight": 5, "hold": "20m"}, {"weight": 25, "hold": "20m"}, {"weight": 50, "hold": "20m"}],
        "tick": "1m",
        "breaker": {"max_error_share": 0.5, "tick": "1m"},
        "errors": {"rollback_margin": 0.02, "promote_margin": 0.05},
        "latency": {"rollback_margin": 0.02, "promote_margin": 0.05},
    },
}
PER_SECOND = 10.0
THROTTLED = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()


@dataclass(slots=True)
class Clients(FakeClock):
    """Time, and who asks for predictions while it passes: SageMaker draws each of them by the weights it has.

    `failing` is the share that a variant fails, 1 % unless it is named; `throttle_at`: AWS throttles the order after
    that weight. `seen` are the weights of the newest variant, in turn.
    """

    endpoints: Endpoints | None = None
    metrics: PretendedCloudWatch | None = None
    failing: dict[str, float] = field(default_factory=dict)
    throttle_at: float | None = None
    seen: list[float] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    draws: random.Random = field(default_factory=lambda: random.Random(8))

    def forward(self, seconds: float) -> None:
        assert self.endpoints is not None
        assert self.metrics is not None
        if self.endpoints.exists(MODEL):
            weights = self.endpoints.weights(MODEL)
            self._remember(weights)
            start = self.moment.timestamp()
            for number in range(round(PER_SECOND * seconds)):
                (variant,) = self.draws.choices(list(weights), list(weights.values()))
                failed = self.draws.random() < self.failing.get(variant, 0.01)
                at, us = start + number / PER_SECOND, 4000.0 + self.draws.expovariate(1 / 3000)
                self.metrics.invoke(MODEL, variant, at, us=us, status=500 if failed else 200, late_s=70.0)
                self.asked[variant] = self.asked.get(variant, 0) + 1
        FakeClock.forward(self, seconds)

    def hour(self) -> None:
        """An hour of traffic."""
        for _ in range(60):
            self.forward(60.0)

    def _remember(self, weights: dict[str, float]) -> None:
        assert self.endpoints is not None
        newest = list(weights.values())[-1]
        if not self.seen or self.seen[-1] != newest:
            self.seen.append(newest)
            if newest == self.throttle_at:
                self.endpoints.front.fault = Fault(
                    of="UpdateEndpointWeightsAndCapacities", times=4, status=400, body=THROTTLED
                )


@dataclass(slots=True)
class Account:
    """The example with an account of AWS: what is asked here is asked of the servers themselves."""

    project: Employment
    endpoints: Endpoints
    clock: Clients
    told: Silent = field(default_factory=Silent)

    def run(self, *, bootstrap_by: str | None = None) -> Handoff:
        """All six stages, in this process, as `gatewright run` does."""
        workspace = Workspace.open(self.project.root, clock=self.clock)
        try:
            return run_all(workspace, open_run(workspace, bootstrap_by=bootstrap_by), self.told)
        finally:
            workspace.database.close()

    def tend(self) -> None:
        """What the next `gatewright rollout tick` does first."""
        workspace = Workspace.open(self.project.root, clock=self.clock)
        tend_to_the_end(workspace, self.told)
        workspace.database.close()

    def weights(self, *rollouts: Rollout) -> list[float | None]:
        """Of the canary of each rollout; None when its variant is not there."""
        found = self.endpoints.weights(MODEL)
        return [found.get(cluster_name(rollout.canary)) for rollout in rollouts]

    def statuses(self) -> dict[int, str]:
        """Of each version in the group."""
        aws = client(self.endpoints.address, "sagemaker")
        listed = aws.list_model_packages(ModelPackageGroupName=MODEL)["ModelPackageSummaryList"]
        return {each["ModelPackageVersion"]: each["ModelApprovalStatus"] for each in listed}

    def schedules(self) -> list[Any]:
        """What may still move traffic."""
        return list(
            client(self.endpoints.address, "scheduler").list_schedules(NamePrefix=f"gatewright-{MODEL}")["Schedules"]
        )


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with endpoint_server() as endpoints, pretended_cloudwatch() as metrics:
        servers = {"AWS_ENDPOINT_URL": endpoints.address, "AWS_ENDPOINT_URL_CLOUDWATCH": metrics.address}
        for name, value in {**ENVIRONMENT, **servers}.items():
            monkeypatch.setenv(name, value)
        client(endpoints.address).create_bucket(Bucket="models")
        clock = Clients(datetime.now(UTC), endpoints=endpoints, metrics=metrics)
        metrics.now = lambda: clock.moment.timestamp()
        endpoints.looks = 2
        yield Account(project=Employment(tmp_path / "demo", SECTIONS), endpoints=endpoints, clock=clock)


def test_a_model_climbs_by_what_cloudwatch_tells_and_a_bad_one_goes_back(account: Account) -> None:
    project, clock = account.project, account.clock
    assert account.run(bootstrap_by="ada").status == "promoted"
    first = project.newest()
    assert (account.weights(first), account.statuses()) == ([1.0], {1: "Approved"})

    clock.hour()
    project.boost()
    clock.seen.clear()
    clock.throttle_at = 5.0
    assert account.run().status == "promoted"
    second = project.newest()
    assert clock.seen == [1.0, 0.0, 5.0, 25.0, 50.0, 100.0]
    assert any("ThrottlingException" in line for line in account.told.told), "it was told, and tried again"
    assert (account.weights(first, second), account.schedules()) == ([0.0, 100.0], [])
    assert account.statuses() == {1: "Approved", 2: "Approved"}
    assert second.requests > 0.5 * clock.asked[cluster_name(second.canary)]
    assert "nothing changed" in project.done("run", "--if-changed")

    clock.forward(second.policy.rollback_window.seconds)
    account.tend()
    assert account.weights(first, second) == [None, 100.0]

    clock.hour()
    project.boost(n_estimators=80)
    clock.seen.clear()
    clock.throttle_at = None
    clock.failing = _Failing(known={cluster_name(second.canary): 0.01})
    with pytest.raises(StageFailed, match="rolled back: errors: the canary fails"):
        account.run()
    third = project.newest()
    assert clock.seen[:3] == [100.0, 0.0, 5.0]
    assert 25.0 not in clock.seen
    assert (account.weights(second, third), account.schedules()) == ([100.0, None], [])
    assert account.statuses() == {1: "Approved", 2: "Approved", 3: "PendingManualApproval"}
    print(f"requests: {clock.asked}")


@dataclass(slots=True)
class _Failing(dict[str, float]):
    """Whoever is not known fails 15 % of its requests."""

    known: dict[str, float]

    def get(self, variant: str, default: float = 0.0) -> float:  # type: ignore[override]
        """The share that this variant fails."""
        return self.known.get(variant, 0.15)
