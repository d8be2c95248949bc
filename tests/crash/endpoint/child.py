"""The process that is killed: `python -m tests.crash.endpoint.child FOLDER`, JSON lines in and out.

As tests.crash.warm, it has loaded everything and has one thread; each process of a trial is a fork of it. Real are
controller, stage 6, state, records, registry and traffic of SageMaker, boto3. Pretended: evidence and time.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.domain.errors import GatewrightError
from gatewright.domain.evidence import LIVE_METRICS, Block, History, Look, Observation
from gatewright.domain.lineage import ModelVersion
from gatewright.domain.rollout import Rollout
from gatewright.effects.aws import opened
from gatewright.engine.controller import Controller
from gatewright.engine.opening import open_run
from gatewright.engine.stages.finish import finish
from gatewright.engine.tending import tend_once, tend_to_the_end
from gatewright.store.records import Event
from gatewright.store.runs import Handoff, RunFolder
from gatewright.testing import Silent
from gatewright.testing.registries import registration
from gatewright.workspace import Workspace
from tests.crash import trial
from tests.crash.endpoint import bugs
from tests.crash.outside import Clock
from tests.fixtures import toy
from tests.fixtures.endpoint_world import GUARD, ROLE

HUNG = 124
POLICY = {
    "steps": [{"weight": 20, "hold": "1m"}, {"weight": 50, "hold": "1m"}],
    "tick": "1m",
    "breaker": {"max_error_share": 0.9, "tick": "1m"},
    "lease": "5m",
    "start_within": "3m",
    "max_extension": "4m",
}
SECTIONS: dict[str, Any] = {
    "registry": {"kind": "sagemaker", "store": "s3://models/crash", "image": "registry.example.org/s:1"},
    "serving": {"kind": "sagemaker", "role": ROLE, "guard": GUARD, "instance_type": "ml.m5.large"},
    "evidence": {"kind": "cloudwatch"},
    "rollout": POLICY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Port `MetricSource`: each look sees 500 requests of either arm, of which the canary fails `bad`."""

    bad: int

    def history(self, rollout: Rollout) -> History:
        return History(requests=1000, errors=2, slow=10, slow_after_ms=50.0)

    def observe(self, rollout: Rollout, tick: int) -> Look:
        block = Block(canary_n=500, canary_bad=self.bad, stable_n=500, stable_bad=1)
        each = [Observation(metric=metric, weight=rollout.weight, tick=tick, block=block) for metric in LIVE_METRICS]
        return Look(cursor=str(tick), observations=tuple(each) if rollout.weight else (), requests=1000)


class Site:
    """One workspace in `folder`, in this process."""

    def __init__(self, folder: Path, bad: int = 1) -> None:
        self.clock = Clock(folder.parent / "clock")
        found = Workspace.open(folder / "project", clock=self.clock)
        self.workspace = replace(found, metrics=Evidence(bad=bad))

    def go_on(self) -> int:
        """What `gatewright rollout finish` and then a tick do; the exit code."""
        rollout = self.workspace.rollouts.latest(toy.MODEL)
        assert rollout is not None
        try:
            tend_once(self.workspace, Silent())
            finish(self.workspace, self.workspace.runs.get(rollout.run), Silent())
        except GatewrightError as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            if error.exit_code != 1:
                return error.exit_code
        tend_to_the_end(self.workspace, Silent())
        return 0

    def look(self, times: int) -> int:
        """What a controller does in that many looks, whoever drove before."""
        for _ in range(times):
            rollout = self.workspace.rollouts.latest(toy.MODEL)
            assert rollout is not None
            try:
                tend_once(self.workspace, Silent())
                Controller(self.workspace, Silent()).tick(rollout)
            except GatewrightError as error:
                print(f"{type(error).__name__}: {error}", flush=True)
            self.clock.sleep(60.0)
        return 0

    def abort(self) -> int:
        """A person has the rollout go back."""
        rollout = self.workspace.rollouts.latest(toy.MODEL)
        assert rollout is not None
        self.workspace.rollouts.command(rollout, "abort", "eve", self.clock.now())
        return self.go_on()

    def start(self, content: str, stable: ModelVersion | None) -> ModelVersion:
        """A registered version, and its rollout in the database: nothing is prepared yet."""
        workspace = self.workspace
        run = open_run(workspace, bootstrap_by=None if stable else "ada")
        version = workspace.registry.register(registration(workspace.root, content, model=toy.MODEL, run=run.id))
        for name in ("evaluation-report", "verdict"):
            _written(run, name, self.clock)
        rollout = Rollout(
            id=f"r{version.number}",
            model=toy.MODEL,
            run=run.id,
            number=version.number,
            canary=version.artifact.digest,
            stable=stable.artifact.digest if stable else None,
            policy=workspace.project.rollout,
            started_at=self.clock.now(),
            bootstrap_by=None if stable else "ada",
        )
        event = Event(
            at=rollout.started_at, kind="started", run=run.id, model=toy.MODEL, why="crash test", rollout=rollout.id
        )
        workspace.rollouts.start(rollout, event)
        return version


def _written(run: RunFolder, name: str, clock: Clock) -> None:
    now = clock.now()
    run.write(name, Handoff(run=run.id, stage="-", status="passed", started_at=now, ended_at=now))


def build(folder: Path) -> int:
    """A project with the rollout of its first version, just started."""
    toy._fit = lambda kind, path: path.write_bytes(b"")  # nobody loads a model here
    toy.write_project(folder / "project", port=1, **SECTIONS)
    Site(folder).start("one", None)
    return 0


def follow(folder: Path) -> int:
    """The first version is promoted, and the rollout of the second one has just started."""
    site = Site(folder)
    assert site.go_on() == 0
    stable = site.workspace.registry.serving(toy.MODEL)
    assert stable is not None
    site.start("two", stable)
    return 0


def warm() -> None:
    """Load what a fork needs; descriptions of AWS's services are read once."""
    for service in ("sagemaker", "scheduler", "s3"):
        opened(service, None, 5.0)
    gc.collect()
    gc.freeze()


def started(words: dict[str, Any], said: Path) -> int:
    """Fork a process that does `do`; its pid."""
    folder, kind = Path(words["folder"]), words["do"]
    environment = {"GATEWRIGHT_TESTING": "1", "GATEWRIGHT_FAILPOINTS": words.get("point", "")}
    if trace := words.get("trace"):
        environment["GATEWRIGHT_FAILPOINTS_PASSED"] = trace

    def work() -> int:
        if kind in ("build", "follow"):
            return {"build": build, "follow": follow}[kind](folder)
        os.environ.update(environment)
        if bug := words.get("bug"):
            bugs.plant(bug)
        site = Site(folder, bad=words.get("bad", 1))
        return site.look(words["times"]) if kind == "look" else int(getattr(site, kind)())

    return trial.forked(work, said)


def _waited(pid: int) -> int:
    try:
        return trial.wait(pid, 60.0)
    except trial.Hung:
        return HUNG


def main() -> None:
    said = Path(sys.argv[1]) / "said"
    warm()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        words = json.loads(line)
        answer = {"code": _waited(words["wait"])} if "wait" in words else {"pid": started(words, said)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
