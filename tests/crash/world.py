"""One workspace for crash tests: real pipeline, controller, state, files, registry and records; a pretended outside.

A world is made once, its first version deployed, and kept as a template; each trial starts from a copy at the same
place. The training command takes milliseconds and leaves a straggler that the product has to end.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.domain.errors import GatewrightError, LeaseLost, Pending
from gatewright.domain.rollout import PauseReason, Rollout
from gatewright.engine import operator
from gatewright.engine.controller import Controller
from gatewright.engine.opening import open_run
from gatewright.engine.pipeline import run_all
from gatewright.store.runs import RunFolder
from gatewright.testing import Silent
from gatewright.workspace import Workspace
from tests.crash import pretended
from tests.crash.outside import Outside
from tests.fixtures import toy

TRAINING = """#!/bin/sh
# Something that goes on after the command has ended, as many libraries leave it.
sleep 600 >/dev/null 2>&1 &
if [ -e training/wait ]; then cat training/wait; fi
cp training/model/* "$2"
"""
POLICY = {
    "steps": [
        {"weight": 20, "hold": "3s", "approval": True},
        {"weight": 50, "hold": "3s", "approval": True},
    ],
    "tick": "3s",
    "breaker": {"max_error_share": 0.9, "tick": "3s"},
}
LEASE_S = 30.0
FIRST_RUN = "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the next model is like, and the one record that its run has to end with."""

    answers: str
    faulty: bool
    end: str


SCENARIOS = {
    "good model": Scenario(answers="good", faulty=False, end="promoted"),
    "gate fails": Scenario(answers="bad", faulty=False, end="stopped"),
    "canary regresses": Scenario(answers="good", faulty=True, end="rolled_back"),
}


class World:
    """A workspace and its outside, in this process."""

    def __init__(self, folder: Path, answers: str = "good") -> None:
        self.folder = folder
        self.root = folder / "project"
        self.outside = Outside(folder / "outside", self.root, toy.MODEL)
        self.answers = folder / "canned" / answers
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """Opened as every command does, once per process."""
        if self._workspace is None:
            opened = Workspace.open(self.root, clock=self.outside.clock)
            executor = pretended.CannedScoring(real=opened.executor, answers=self.answers)
            self._workspace = replace(opened, executor=executor)
        return self._workspace

    def run(self) -> int:
        """What a person or a CI job does until the run has ended: start it or resume it, approve what waits."""
        try:
            run = self._open()
            while True:
                try:
                    run_all(self.workspace, run, Silent())
                    return 0
                except Pending as error:
                    self._approve(run, error)
        except GatewrightError as error:
            self.outside.journal.add("error", what=error.what, error=type(error).__name__)
            return error.exit_code

    def drive(self, *, abort: bool) -> int:
        """A second controller takes the rollout over and brings it to its end; or a person aborts it."""
        rollout = self._rollout()
        if rollout is None:
            return 0
        controller = Controller(self.workspace, Silent(), keep_runtime=self._supervise)
        self._supervise()
        try:
            while not rollout.phase.terminal:
                if abort:
                    rollout = operator.ask(controller, self.workspace, rollout, "abort", "eve")
                elif rollout.pause is PauseReason.APPROVAL:
                    rollout = operator.ask(controller, self.workspace, rollout, "approve", "ada")
                else:
                    rollout = controller.tick(rollout)
                if not rollout.phase.terminal:
                    self.outside.clock.sleep(1.0)
            controller.tick(rollout)
        except GatewrightError as error:
            self.outside.journal.add("error", what=error.what, error=type(error).__name__)
            return error.exit_code
        return 0

    def live(self, *, beyond_lease: bool = False) -> int:
        """Nobody works on the run; the supervisor is there, and users ask.

        Perhaps for longer than a lease holds; then a new supervisor takes over, which does not know of that.
        """
        self._supervise()
        self.outside.live(1.0)
        if beyond_lease:
            self.outside.clock.forward(LEASE_S + 5.0)
            self.outside.live(1.0)
            self.outside.supervisor = None
            self._supervise()
        self.outside.live(1.0)
        return 0

    def _supervise(self) -> None:
        if self.outside.supervisor is None:
            self.outside.supervisor = pretended.supervisor(self.outside, self.workspace)

    def _open(self) -> RunFolder:
        known = [run for run in self.workspace.runs.all() if run.id != self._first()]
        return known[-1] if known else open_run(self.workspace)

    def _first(self) -> str:
        return (self.folder / FIRST_RUN).read_text()

    def _rollout(self) -> Rollout | None:
        rollout = self.workspace.rollouts.latest(toy.MODEL)
        return rollout if rollout is not None and rollout.run != self._first() else None

    def _approve(self, run: RunFolder, reason: Pending) -> None:
        """A person is asked, and allows the step that waits; whatever else is pending, nobody can help with."""
        rollout = self.workspace.rollouts.of_run(run.id)
        if rollout is None or rollout.pause is not PauseReason.APPROVAL:
            raise reason
        self.outside.journal.add("approves", rollout=rollout.id, weight=rollout.weight)
        controller = Controller(self.workspace, Silent(), keep_runtime=self._supervise)
        rollout = operator.ask(controller, self.workspace, rollout, "approve", "ada")
        if rollout.pause is PauseReason.APPROVAL:
            raise LeaseLost("another controller drives", fix="let it drive")


def build(folder: Path) -> None:
    """The template: version 1 is promoted and has served a while; the next run finds a new model."""
    (folder / "outside").mkdir(parents=True)
    _write_answers(folder / "canned")
    toy._fit = lambda kind, path: path.write_bytes(b"")  # nobody loads a model here
    root = toy.write_project(
        folder / "project",
        port=_port(),
        gates={"latency": "none"},
        checks={"lint": "none", "dependencies": "none"},
        train={"command": ["sh", "training/train.sh", "{data.path}", "{output.dir}"]},
        rollout=POLICY | {"lease": f"{LEASE_S:.0f}s"},
    )
    (root / "training" / "train.sh").write_text(TRAINING)
    write_model(root, 1)
    world = World(folder, "first")
    pretended.pretend(world.outside)
    run = open_run(world.workspace, bootstrap_by="ada")
    run_all(world.workspace, run, Silent())
    (folder / FIRST_RUN).write_text(run.id)
    world.outside.live(5.0)
    world.workspace.database.close()
    write_model(root, 2)
    _audit(root / ".gatewright" / "state.db")


def _port() -> int:
    from tests.fixtures.ports import free_port

    return free_port()


def write_model(root: Path, number: int) -> None:
    """What the training command makes next: nobody loads it, only its bytes count."""
    folder = root / "training" / "model"
    folder.mkdir(exist_ok=True)
    (folder / "model.skops").write_bytes(b"model %d" % number)
    (folder / "signature.json").write_text(json.dumps({"number": number}))


def _write_answers(folder: Path) -> None:
    """What scoring leaves: of the first model, of a candidate that is nearly always right, and of one that never is."""
    import polars as pl

    people = toy.people(450, offset=1000)
    right = people["employed"]
    good = pl.Series([1 - label if row % 20 == 0 else label for row, label in enumerate(right)])
    columns = {"first": {"candidate": good}, "good": {"candidate": good, "baseline": good}}
    columns["bad"] = {"candidate": 1 - right, "baseline": good}
    for name, answers in columns.items():
        (folder / name).mkdir(parents=True)
        rows = people.select("id", pl.col("employed").alias("label"), "SEX", "REGION").with_columns(
            series.alias(role) for role, series in answers.items()
        )
        rows.write_parquet(folder / name / "predictions.parquet")
        (folder / name / "models.json").write_text(json.dumps({"task": "binary", "classes": [0, 1], "positive": 1}))
        nothing = {"candidate": None, "baseline": None, "ratio": None, "unit": "ms", "order": "ABBA"}
        (folder / name / "latency.json").write_text(json.dumps(nothing))


def _audit(database: Path) -> None:
    """Have the database itself keep every change, in the order of the commits, where the product does not look."""
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, deed TEXT, body TEXT)")
    for table in ("rollouts", "routes", "serving", "versions", "records", "quarantine", "commands"):
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for deed, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            words = ", ".join(f"'{column}', {row}.{column}" for column in columns)
            connection.execute(
                f"CREATE TRIGGER audit_{table}_{deed} AFTER {deed} ON {table} BEGIN "
                f"INSERT INTO audit (kind, deed, body) VALUES ('{table}', '{deed}', json_object({words})); END"
            )
    connection.commit()
    connection.close()


def lay_out(template: Path, folder: Path, scenario: Scenario) -> None:
    """A copy of the template in `folder`, set for `scenario`; what lies there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    if scenario.faulty:
        names = json.dumps([_cluster_of(folder / "project" / "training" / "model")])
        (folder / "outside" / "faulty.json").write_text(names)


def _cluster_of(model: Path) -> str:
    from gatewright.domain.routing import cluster_name
    from gatewright.effects.files import measure_artifact

    return cluster_name(measure_artifact(model).digest)


Work = Callable[[World], int]


def work_of(kind: str, **words: Any) -> Work:
    """What a process of a trial does: run, drive or live."""
    return lambda world: int(getattr(world, kind)(**words))
