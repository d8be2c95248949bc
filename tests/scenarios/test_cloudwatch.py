"""A rollout that sees only what CloudWatch tells of an endpoint, a minute at a time and two minutes late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatewright.domain.rollout import PauseReason, Phase, Rollout
from gatewright.domain.routing import cluster_name
from gatewright.engine.controller import Controller
from gatewright.engine.preflight import preflight, preflight_view
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures.cloudwatch import PretendedCloudWatch, pretended_cloudwatch
from tests.fixtures.s3 import ENVIRONMENT
from tests.scenarios.controlled import NEW, OLD, World, new_world

POLICY = {
    "steps": [{"weight": 20, "hold": "10m"}, {"weight": 50, "hold": "10m"}],
    "tick": "1m",
    "lease": "5m",
    "breaker": {"max_error_share": 0.5, "tick": "1m"},
    "errors": {"rollback_margin": 0.02, "promote_margin": 0.05},
    "latency": {"rollback_margin": 0.02, "promote_margin": 0.05},
    "max_extension": "3h",
    "blind_after": "15m",
}
PER_MINUTE, SHARE_BAD = 200, 50


class Seen:
    """200 requests a minute, of which each fiftieth fails; looked at once a minute."""

    def __init__(self, folder: Path, server: PretendedCloudWatch) -> None:
        self.server = server
        evidence = {"kind": "cloudwatch", "endpoint": "toys", "region": "eu-central-1"}
        self.world: World = new_world(folder, rollout=POLICY, evidence=evidence)
        opened = Workspace.open(folder / "project", clock=self.world.clock)
        self.world.workspace = replace(self.world.workspace, metrics=opened.metrics)
        server.now = lambda: self.world.clock.now().timestamp()
        self.asked = {NEW: 0, OLD: 0}
        for _ in range(60):
            self.forward()

    def forward(self, times: int = 1) -> None:
        """A minute of traffic at the weight that is shown; the canary fails `times` as often as stable."""
        at, share = self.world.clock.now().timestamp(), self.world.traffic.shown / 100
        for digest, part, often in ((NEW, share, times), (OLD, 1 - share, 1)):
            requests = round(PER_MINUTE * part)
            for number in range(requests):
                bad = (self.asked[digest] * often) % SHARE_BAD < often
                us = 5_000.0 + 100 * (self.asked[digest] % 100)
                self.asked[digest] += 1
                moment = at + 60 * number / requests
                self.server.invoke("toys", cluster_name(digest), moment, us=us, status=500 if bad else 200, late_s=90)
        self.world.clock.forward(60.0)

    def tick(self, times: int = 1) -> Rollout:
        self.forward(times)
        self.world.rollout = Controller(self.world.workspace, Silent()).tick(self.world.rollout)
        return self.world.rollout

    def until(self, *phases: Phase, times: int = 1) -> int:
        """How many minutes it takes."""
        for minute in range(1, 240):
            if self.tick(times).phase in phases:
                return minute
        raise AssertionError(f"still {self.world.rollout.phase}: {self.world.rollout.why}")


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    with pretended_cloudwatch() as server:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.address}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
        yield Seen(tmp_path, server)


def test_an_equal_canary_climbs_by_what_cloudwatch_says(seen: Seen) -> None:
    seen.until(Phase.PROMOTED)
    rollout = seen.world.rollout
    assert rollout.slow_after_ms == 20.0  # stable's p99 is below the floor
    assert list(dict.fromkeys(seen.world.traffic.weights))[:2] == [20.0, 50.0]
    # Each request of the canary is counted at most once, and most of them are.
    assert 0.5 * seen.asked[NEW] < rollout.requests <= seen.asked[NEW]
    errors = rollout.evidence["errors"].worse
    assert errors.canary_bad / errors.canary_n == pytest.approx(0.02, abs=0.005)


def test_the_hold_is_served_minute_by_minute_once_the_first_whole_one_has_arrived(seen: Seen) -> None:
    seen.until(Phase.PROGRESSING)
    held = [seen.tick().held_s for _ in range(10)]
    # Seen first, settled, ended, arrived: four minutes without evidence, then every look counts.
    assert held == [0.0] * 4 + [60.0 * minute for minute in range(1, 7)]


def test_a_canary_with_five_times_the_errors_is_rolled_back(seen: Seen) -> None:
    seen.until(Phase.ROLLED_BACK, times=5)
    rollout = seen.world.rollout
    assert rollout.why.startswith("errors: the canary fails")
    assert seen.world.traffic.weights[-1] == 0.0
    assert max(seen.world.traffic.weights) == 20.0


def test_fifteen_minutes_of_status_500_pause_blind_and_let_nothing_pass(seen: Seen) -> None:
    seen.until(Phase.PROGRESSING)
    for _ in range(8):
        seen.tick()
    before = seen.world.rollout
    seen.server.fault = lambda request: (500, b"")
    assert seen.until(Phase.PAUSED) == 16
    rollout = seen.world.rollout
    assert rollout.pause is PauseReason.BLIND
    assert "the metrics of the endpoint toys: 500 (Internal Server Error): AWS failed 3 times" in rollout.why
    assert (rollout.held_s, rollout.requests, rollout.weight) == (before.held_s, before.requests, 20.0)


def test_metrics_that_stop_coming_pause_blind(seen: Seen) -> None:
    seen.until(Phase.PROGRESSING)
    for _ in range(8):
        seen.tick()
    seen.server.spoil = lambda answer: {
        **answer,
        "MetricDataResults": [{**each, "Timestamps": [], "Values": []} for each in answer["MetricDataResults"]],
    }
    seen.until(Phase.PAUSED)
    assert seen.world.rollout.pause is PauseReason.BLIND
    assert "neither version has shown a request on the endpoint toys in eu-central-1 for 5m" in seen.world.rollout.why


def test_without_permission_no_rollout_begins(seen: Seen) -> None:
    seen.server.fault = lambda request: (400, b'{"__type": "AccessDeniedException", "message": "no"}')
    waiting = seen.tick()
    assert waiting.phase is Phase.PENDING
    assert "AccessDeniedException (no): access is refused" in waiting.why
    assert not any(seen.world.traffic.weights)


def test_preflight_rests_on_the_same_source(seen: Seen) -> None:
    view = preflight_view(preflight(seen.world.workspace))
    assert (view["source"], view["slow_after_ms"]) == ("cloudwatch", 20.0)
    assert view["per_second"] == pytest.approx(PER_MINUTE / 60, rel=0.05)
    assert view["history"]["requests"] == PER_MINUTE * 58
