"""The real controller and its database, with pretended traffic, evidence, registry and clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.domain.evidence import LIVE_METRICS, Block, Observation
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.domain.rollout import Phase, Rollout, Verb
from gatewright.engine.controller import Controller
from gatewright.engine.opening import open_run
from gatewright.rules import orders
from gatewright.store.records import Event
from gatewright.store.runs import Handoff
from gatewright.testing import FakeClock, FakeMetricSource, FakeRegistry, FakeTraffic, Silent
from gatewright.workspace import Workspace
from tests.fixtures import toy

NEW, OLD = "sha256:new", "sha256:old"


@dataclass(kw_only=True)
class World:
    """A workspace whose outside is pretended; `tick` lets a second pass, with requests of both arms."""

    workspace: Workspace
    traffic: FakeTraffic
    metrics: FakeMetricSource
    registry: FakeRegistry
    clock: FakeClock
    rollout: Rollout

    def tick(self, *, bad: int = 0) -> Rollout:
        self.clock.forward(1.0)
        if 0 < self.traffic.shown < 99:
            block = Block(canary_n=100, canary_bad=bad, stable_n=100, stable_bad=0)
            at = int(self.clock.now().timestamp())
            self.metrics.show(
                *(
                    Observation(metric=metric, weight=self.traffic.shown, tick=at, block=block)
                    for metric in LIVE_METRICS
                )
            )
        self.rollout = Controller(self.workspace, Silent()).tick(self.rollout)
        return self.rollout

    def say(self, verb: Verb, actor: str = "ada") -> None:
        """A person leaves a command, as of what the rollout is now."""
        step = orders.bound_to(self.rollout, verb)
        self.workspace.rollouts.command(self.rollout, verb, actor, self.clock.now(), step)

    def until(self, *phases: Phase, bad: int = 0) -> Rollout:
        for _ in range(60):
            if self.tick(bad=bad).phase in phases:
                return self.rollout
        raise AssertionError(f"still {self.rollout.phase}: {self.rollout.why}")

    def kinds(self) -> list[str]:
        return [record.kind for record in self.workspace.records.all()]


def new_world(folder: Path, **sections: Any) -> World:
    """A rollout of version 2 against version 1, just started; `sections` replace those of gatewright.yaml."""
    return begun_in(toy.write_project(folder / "project", port=1, **sections))


def begun_in(project: Path, traffic: FakeTraffic | None = None, **policy: Any) -> World:
    """The same in a project that is there already and has no run yet; `policy` replaces parts of its own."""
    opened = Workspace.open(project, clock=(clock := FakeClock()))
    registry, metrics = FakeRegistry(), FakeMetricSource()
    traffic = traffic or FakeTraffic()
    traffic.rollouts = opened.rollouts
    workspace = replace(opened, registry=registry, traffic=traffic, metrics=metrics)
    registry.versions = [version(number, digest) for number, digest in enumerate((OLD, NEW), start=1)]
    registry.mark_serving(toy.MODEL, registry.versions[0])
    run = open_run(workspace)
    registry.versions[1] = replace(registry.versions[1], run=run.id)
    for name in ("evaluation-report", "verdict"):
        run.write(name, Handoff(run=run.id, stage="-", status="passed", started_at=clock.now(), ended_at=clock.now()))
    rollout = Rollout(
        id="r1",
        model=toy.MODEL,
        run=run.id,
        number=2,
        canary=NEW,
        stable=OLD,
        policy=replace(workspace.project.rollout, **policy),
        started_at=clock.now(),
    )
    event = Event(at=clock.now(), kind="started", run=run.id, model=toy.MODEL, why="test", rollout="r1")
    begun = workspace.rollouts.start(rollout, event)
    return World(workspace=workspace, traffic=traffic, metrics=metrics, registry=registry, clock=clock, rollout=begun)


def version(number: int, digest: str) -> ModelVersion:
    artifact = Artifact(uri=f"/{number}", digest=digest, size=1)
    return ModelVersion(
        model=toy.MODEL,
        number=number,
        artifact=artifact,
        data="sha256:d",
        commit="c",
        report="sha256:r",
        run="run",
        registered_at=FakeClock().now(),
    )
