"""One controller with 1,000 open rollouts: what a tick over all of them costs.

The fleet, the rules, the database with full sync and the records are real; traffic, evidence and registry are the
public fakes of `gatewright.testing`, so that nothing but the controller is measured. The peer is the same fleet in ten
workspaces of a hundred rollouts: the cost must not grow with the number in one.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from measuring import progress, publish, table, told, verdict

from gatewright.domain.duration import Duration
from gatewright.domain.evidence import LIVE_METRICS, Block, Look, Observation
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.domain.rollout import Phase, Rollout, RolloutPolicy, TrafficState
from gatewright.engine.fleet import Fleet
from gatewright.store.records import Event
from gatewright.testing import FakeClock, FakeMetricSource, FakeRegistry, FakeTraffic, Silent
from gatewright.workspace import Workspace

CONFIG = """model: m0
data: {train: t, evaluation: e}
train: {command: [python, train.py, "{output.dir}"]}
evaluation: {label: y}
gates: none
"""
GOAL_S = 5.0
POLICY = RolloutPolicy(tick=Duration(60.0))


@dataclass(slots=True)
class ManyTraffic:
    """A `FakeTraffic` for each rollout."""

    each: dict[str, FakeTraffic] = field(default_factory=dict)

    def prepare(self, rollout: Rollout, canary: Artifact, stable: Artifact | None) -> None:
        self.each.setdefault(rollout.id, FakeTraffic()).prepare(rollout, canary, stable)

    def state(self, rollout: Rollout) -> TrafficState:
        return self.each.setdefault(rollout.id, FakeTraffic()).state(rollout)

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        self.each[rollout.id].set_weight(rollout, weight)

    def finish(self, rollout: Rollout) -> None:
        self.each[rollout.id].finish(rollout)


class BusySource(FakeMetricSource):
    """A block of ten seconds at 200 requests a second in each look."""

    def observe(self, rollout: Rollout, tick: int) -> Look:
        canary_n = round(20 * rollout.weight)
        block = Block(canary_n=canary_n, canary_bad=0, stable_n=2000 - canary_n, stable_bad=4)
        seen = [Observation(metric=metric, weight=rollout.weight, tick=tick, block=block) for metric in LIVE_METRICS]
        return Look(cursor=str(tick), observations=tuple(seen), requests=2000)


class Registry(FakeRegistry):
    """One version that serves and one that comes, for whatever model."""

    def find(self, model: str, digest: str) -> ModelVersion | None:
        return version(model, digest)

    def serving(self, model: str) -> ModelVersion | None:
        return version(model, "sha256:old")


def version(model: str, digest: str) -> ModelVersion:
    """A version of `model` with this digest."""
    return ModelVersion(
        model=model, number=1, artifact=Artifact(uri="/m", digest=digest, size=1), data="d", commit="c", report="r",
        run="run", registered_at=FakeClock().now(),
    )  # fmt: skip


def opened(folder: Path, count: int) -> tuple[Fleet, FakeClock, Workspace]:
    """A fleet with `count` rollouts of as many models, just started."""
    folder.mkdir(parents=True)
    (folder / "gatewright.yaml").write_text(CONFIG, encoding="utf-8")
    clock = FakeClock()
    outside: dict[str, Any] = {"registry": Registry(), "traffic": ManyTraffic(), "metrics": BusySource()}
    workspace = replace(Workspace.open(folder, clock=clock), **outside)
    for number in range(count):
        name = f"m{number}"
        rollout = Rollout(
            id=f"r{number}", model=name, run=f"run{number}", number=2, canary=f"sha256:new{number}",
            stable="sha256:old", policy=POLICY, started_at=clock.now(),
        )  # fmt: skip
        event = Event(at=clock.now(), kind="started", run=rollout.run, model=name, why="bench", rollout=rollout.id)
        workspace.rollouts.start(rollout, event)
    fleet = Fleet(
        workspace.rollouts, clock, Silent(), lambda event, **facts: None,
        open_model=lambda model: workspace, keep_runtime=lambda workspace: None,
    )  # fmt: skip
    return fleet, clock, workspace


def cpu_s(fleets: list[tuple[Fleet, FakeClock, Workspace]]) -> float:
    """CPU seconds of one look over all fleets, ten seconds after the last."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    for fleet, clock, _ in fleets:
        clock.forward(10.0)
        fleet.look()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, fleets: int, each: int, looks: int) -> list[float]:
    """CPU seconds of each look; the first three, which start and prepare, are not counted."""
    found = [opened(folder / f"w{number}", each) for number in range(fleets)]
    for _ in range(3):
        cpu_s(found)
    costs = [cpu_s(found) for _ in range(looks)]
    for _, _, workspace in found:
        rollouts = [workspace.rollouts.get(name) for name, _ in workspace.rollouts.open_ids()]
        assert len(rollouts) == each, "some have ended: not every look was at all of them"
        assert all(each and each.phase is Phase.PROGRESSING and each.requests for each in rollouts)
    return costs


def main() -> None:
    """Measure, tell, and fail when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--looks", type=int, default=5)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="many-rollouts-"))
    try:
        progress(f"{arguments.rollouts} rollouts in one controller")
        one = measure(folder / "one", 1, arguments.rollouts, arguments.looks)
        progress("the same in ten controllers")
        ten = measure(folder / "ten", 10, arguments.rollouts // 10, arguments.looks)
    finally:
        shutil.rmtree(folder)
    count = arguments.rollouts
    rows = [
        (name, told(costs), f"{1000 * median(costs) / count:.2f}", goal)
        for name, costs, goal in (
            (f"one controller, {count:,} rollouts", one, verdict(median(one), GOAL_S)),
            (f"ten controllers, {count // 10:,} each", ten, ""),
        )
    ]
    text = table("A tick over every open rollout", ("", "CPU s a tick", "ms a rollout", "goal"), rows)
    publish("many_rollouts", text, {"rollouts": count, "one_s": one, "ten_s": ten, "goal_s": GOAL_S})
    raise SystemExit(int(median(one) > GOAL_S))


if __name__ == "__main__":
    main()
