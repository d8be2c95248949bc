"""What gatewright.yaml names as evidence is what a rollout sees, and what it is blind without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.domain.rollout import PauseReason, Phase, Rollout
from gatewright.domain.routing import cluster_name
from gatewright.engine.controller import Controller
from gatewright.engine.preflight import preflight, preflight_view
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy
from tests.fixtures.prometheus import QUERIES, PretendedPrometheus
from tests.scenarios.controlled import NEW, OLD, World, new_world

ARMS = {"canary": cluster_name(NEW), "stable": cluster_name(OLD)}
LOOKS = {"tick": "10s", "breaker": {"max_error_share": 0.2, "tick": "10s"}, "blind_after": "2m"}


class Seen:
    """A rollout through a pretended Prometheus, looked at every ten seconds; 50 requests a second."""

    def __init__(self, folder: Path) -> None:
        self.server = PretendedPrometheus()
        evidence = {
            "kind": "prometheus",
            "url": self.server.url,
            "queries": QUERIES,
            "slow_above": "250ms",
            "scrape_interval": "10s",
        }
        self.world: World = new_world(folder, rollout=LOOKS, evidence=evidence)
        # The fakes of this world have no clock of their own; evidence is the real part, as the file names it.
        opened = Workspace.open(folder / "project", clock=self.world.clock)
        self.world.workspace = replace(self.world.workspace, metrics=opened.metrics)
        self.counted: dict[str, float] = {}
        self.forward(600, failed=0)

    def forward(self, seconds: int, *, failed: int) -> None:
        for _ in range(seconds // 10):
            self.world.clock.forward(10.0)
            share = self.world.traffic.shown / 100
            for role, part in (("canary", share), ("stable", 1 - share)):
                requests = round(500 * part)
                bad = failed if role == "canary" and requests else 0
                for name, gain in (("total", requests), ("good", requests - bad), ("fast", requests)):
                    query = QUERIES[name].replace("{arm}", ARMS[role]).replace("{le}", "0.25")
                    self.counted[query] = self.counted.get(query, 0.0) + gain
            known = {query: value for query, value in self.counted.items() if value}
            self.server.samples.add(self.world.clock.now().timestamp(), known)

    def tick(self, *, failed: int = 0) -> Rollout:
        self.forward(10, failed=failed)
        self.world.rollout = Controller(self.world.workspace, Silent()).tick(self.world.rollout)
        return self.world.rollout

    def until(self, *phases: Phase, failed: int = 0) -> Rollout:
        for _ in range(60):
            if self.tick(failed=failed).phase in phases:
                return self.world.rollout
        raise AssertionError(f"still {self.world.rollout.phase}: {self.world.rollout.why}")


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    found = Seen(tmp_path)
    try:
        yield found
    finally:
        found.server.stop()


def test_a_healthy_canary_is_promoted_by_what_prometheus_says(seen: Seen) -> None:
    rollout = seen.until(Phase.PROMOTED)
    assert seen.world.kinds()[-1] == "promoted"
    # Each look counted at most what there was at 50 per cent, and none twice.
    assert 20 <= rollout.requests <= seen.counted[QUERIES["total"].replace("{arm}", ARMS["canary"])]
    assert rollout.slow_after_ms == 250.0


def test_a_bad_canary_is_rolled_back_by_what_prometheus_says(seen: Seen) -> None:
    rollout = seen.until(Phase.ROLLED_BACK, failed=100)
    assert "error share" in rollout.why or "errors" in rollout.why


def test_a_prometheus_that_falls_silent_blinds_the_rollout_and_lets_nothing_pass(seen: Seen) -> None:
    seen.until(Phase.PROGRESSING)
    for _ in range(4):
        seen.tick()
    held, requests = seen.world.rollout.held_s, seen.world.rollout.requests
    seen.server.broken = lambda query, at: (500, {}, b"")
    rollout = seen.until(Phase.PAUSED)
    assert rollout.pause is PauseReason.BLIND
    assert "was answered with status 500" in rollout.why
    assert (rollout.held_s, rollout.requests, rollout.weight) == (held, requests, 50.0)


def test_without_a_server_no_rollout_begins(seen: Seen) -> None:
    seen.server.broken = lambda query, at: (500, {}, b"")
    waiting = seen.tick()
    assert waiting.phase is Phase.PENDING
    assert "the arms cannot be prepared: prometheus: total of stable was answered with status 500" in waiting.why
    assert not any(seen.world.traffic.weights)


def test_preflight_rests_on_the_same_source(seen: Seen) -> None:
    view = preflight_view(preflight(seen.world.workspace))
    assert (view["source"], view["slow_after_ms"], view["per_second"]) == ("prometheus", 250.0, 50.0)
    assert view["history"]["requests"] > 20_000


def test_the_kind_of_the_file_is_the_one_that_is_built(tmp_path: Path) -> None:
    root = toy.write_project(tmp_path / "project", port=1, evidence={"kind": "envoy-stats"})
    workspace = Workspace.open(root)
    try:
        assert workspace.project.evidence.kind == "envoy-stats"
        draft = new_world(tmp_path / "other").rollout
        seen = workspace.metrics.observe(replace(draft, weight=50.0, slow_after_ms=25.0), 1)
        assert seen.error == "envoy: the gateway is not up"
    finally:
        workspace.database.close()
