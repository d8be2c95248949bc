"""Deliberate bugs, each planted in the processes of a trial, to prove that the enumeration and the checker find them.

A bug names the scenario and the failpoints that it lies near, by parts of their names; which of them reveals it is
left to the enumeration.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.adapters.traffic.envoy import configuration
from gatewright.adapters.traffic.envoy.gateway import EnvoyGateway
from gatewright.adapters.traffic.envoy.traffic import EnvoyTraffic
from gatewright.domain.documents import canonical_json
from gatewright.domain.lineage import Candidate
from gatewright.effects import commands, failpoints, files, processes, reserve, unfinished
from gatewright.engine import ending, pipeline, scoring
from gatewright.ports import Registration
from gatewright.rules import canary, orders
from gatewright.store import records, rollouts, runs
from gatewright.store.codec import decode
from gatewright.store.rollouts import Rollouts
from gatewright.store.routes import Routes

Planting = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """`found_by` is the invariant that must break; with `second` a controller is stopped and another one takes over.

    `second` says where that one is stopped in its turn, `abort` that a person has it roll back.
    """

    plant: Planting
    found_by: str
    near: tuple[str, ...] = ()
    scenario: str = "good model"
    second: str | None = None
    abort: bool = False
    prepare: str = ""


def effect_before_intent() -> None:
    advance = Rollouts.advance

    def eager(self: Rollouts, before: Any, after: Any, *rest: Any) -> Any:
        with self._database.transaction("route") as connection:
            connection.execute(
                "UPDATE routes SET weight = ?, revision = revision + 1 WHERE rollout = ? AND weight <> ?",
                (after.weight, after.id, after.weight),
            )
        return advance(self, before, after, *rest)

    Rollouts.advance = eager  # type: ignore[method-assign]


def record_before_effect() -> None:
    canary._arrived = lambda rollout, world: True


def no_epoch_on_routes() -> None:
    put = Routes.put

    def unfenced(self: Routes, route: Any, *rest: Any) -> None:
        put(self, replace(route, epoch=10**6), *rest)

    Routes.put = unfenced  # type: ignore[method-assign]


def no_fence_on_the_baseline() -> None:
    Rollouts.fenced = lambda self, rollout: contextlib.nullcontext()  # type: ignore[method-assign,assignment]


def no_compare_and_set() -> None:
    advance = Rollouts.advance

    def blind(self: Rollouts, before: Any, *rest: Any) -> Any:
        now = self.get(before.id)
        return advance(self, now or before, *rest)

    Rollouts.advance = blind  # type: ignore[method-assign]


def second_rollout_on_resume() -> None:
    Rollouts.of_run = lambda self, run: None  # type: ignore[method-assign]


def quarantine_forgotten() -> None:
    rollouts._quarantine = lambda *_: None


def weight_left_in_the_route() -> None:
    rollouts.withdraw = lambda *_: None


def weight_not_read_back() -> None:
    state = EnvoyTraffic.state

    def believed(self: EnvoyTraffic, rollout: Any) -> Any:
        route = self._intents.own(rollout)
        seen = state(self, rollout)
        asked = route.weight if route is not None and route.canary is not None else seen.weight
        return replace(seen, weight=min(asked, 99.99) if asked is not None else None)

    EnvoyTraffic.state = believed  # type: ignore[method-assign]


def two_terminal_records() -> None:
    def append(self: Any, event: Any) -> Any:
        with self._database.transaction("record") as connection:
            return records.link(connection, event)

    records.Records.append = append  # type: ignore[method-assign]
    pipeline.already_ended = lambda *_: None


def write_in_place() -> None:
    def torn(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            failpoints.failpoint(f"before-rename:{path.name}")
            file.write(data[len(data) // 2 :])

    for module in (runs, scoring, reserve):
        module.write_atomic = torn  # type: ignore[attr-defined]


def temporary_files_left() -> None:
    for module in (files, ending, runs, unfinished):
        module.sweep = lambda *_: None  # type: ignore[attr-defined]


def approval_used_twice() -> None:
    decide, waits = canary.decide, orders.waits_for_approval

    def keeping(rollout: Any, world: Any) -> Any:
        decision = decide(rollout, world)
        return replace(decision, approval=decision.approval or orders.heard(rollout, world).approval)

    canary.decide = keeping
    orders.waits_for_approval = lambda rollout: waits(rollout) and rollout.approval is None


def event_lost() -> None:
    link = records.link
    rollouts.link = lambda connection, event: None if event.kind == "step" else link(connection, event)  # type: ignore[attr-defined]


def chain_not_linked() -> None:
    digest = records._digest
    records._digest = lambda previous, body: digest(records.GENESIS, body)


def state_and_record_apart() -> None:
    advance = Rollouts.advance

    def in_two(self: Rollouts, before: Any, after: Any, events: Any, *rest: Any) -> Any:
        changed = advance(self, before, after, (), *rest)
        for event in events:
            with self._database.transaction("record") as connection:
                records.link(connection, event)
        return changed

    Rollouts.advance = in_two  # type: ignore[method-assign]


def registered_without_report() -> None:
    def hasty(workspace: Any, run: Any, progress: Any) -> Any:
        trained = pipeline.train.train(workspace, run, progress)
        candidate = decode(Candidate, canonical_json(trained.body["candidate"]))
        workspace.registry.register(
            Registration(candidate=candidate, data_digest=candidate.data, report_digest="", run=run.id)
        )
        return trained

    pipeline.STAGES = tuple(replace(stage, work=hasty) if stage.name == "train" else stage for stage in pipeline.STAGES)


def weights_do_not_sum() -> None:
    split = configuration._split

    def generous(options: Any, table: Any) -> Any:
        document = split(options, table)
        if len(table.clusters) == 2:
            document["weighted_clusters"]["clusters"][0]["weight"] += 1
        return document

    configuration._split = generous


def orphans_left() -> None:
    def unkept(argv: Any, *, cwd: Path, env: Any, grace_s: float, stderr: int) -> Any:
        return processes.spawn(argv, cwd=cwd, env=env, stdout=-1, stderr=stderr)

    commands._spawn_kept = unkept


def table_emptied_by_a_restart() -> None:
    EnvoyGateway._write_unless_there = lambda self, path, document: self._write(Path(path), document)  # type: ignore[method-assign]


def lease_of_the_dead_respected() -> None:
    rollouts.has_ended = lambda owner: False  # type: ignore[attr-defined]


BUGS = {
    "effect before its intent": Bug(plant=effect_before_intent, found_by="I2", near=("before-commit:rollout-prog",)),
    "promoted before the traffic shows it": Bug(plant=record_before_effect, found_by="I1"),
    "routes take any epoch": Bug(
        plant=no_epoch_on_routes, found_by="stale", near=("after-commit:rollout-prog",), second="after-commit:lease"
    ),
    "the baseline is moved without a fence": Bug(
        plant=no_fence_on_the_baseline,
        found_by="stale",
        near=("after-commit:rollout-promoting",),
        second="",
        abort=True,
    ),
    "state changed without compare-and-set": Bug(
        plant=no_compare_and_set, found_by="stale", near=("after-commit:lease@",), second=""
    ),
    "a second rollout on resume": Bug(
        plant=second_rollout_on_resume, found_by="I4", near=("rollout-start", "rollout.json")
    ),
    "quarantine forgotten": Bug(plant=quarantine_forgotten, found_by="I3", scenario="canary regresses"),
    "the weight of the condemned stays in the route": Bug(
        plant=weight_left_in_the_route, found_by="I3", near=("rolling_back",), scenario="canary regresses"
    ),
    "weight not read back": Bug(plant=weight_not_read_back, found_by="I5"),
    "two terminal records": Bug(
        plant=two_terminal_records,
        found_by="I1",
        near=("commit:record", "deployment-record"),
        scenario="gate fails",
        prepare="DROP INDEX one_terminal_record",
    ),
    "files written in place": Bug(plant=write_in_place, found_by="I7", near=("before-rename:",), scenario="gate fails"),
    "temporary files left": Bug(
        plant=temporary_files_left, found_by="I10", near=("before-rename:",), scenario="gate fails"
    ),
    "an approval used twice": Bug(plant=approval_used_twice, found_by="I8"),
    "an event lost": Bug(plant=event_lost, found_by="I6"),
    "records not linked": Bug(plant=chain_not_linked, found_by="I6", scenario="gate fails"),
    "state and record in two transactions": Bug(
        plant=state_and_record_apart, found_by="I6", near=("after-commit:rollout-pro", "before-commit:record")
    ),
    "registered before it was judged": Bug(plant=registered_without_report, found_by="I5", scenario="gate fails"),
    "weights that do not sum to the whole": Bug(plant=weights_do_not_sum, found_by="I2"),
    "an orphan left": Bug(plant=orphans_left, found_by="I10", near=("spawn", "after-run"), scenario="gate fails"),
    "a restart empties the table": Bug(plant=table_emptied_by_a_restart, found_by="I9", near=("commit:route",)),
    "the lease of the dead is respected": Bug(
        plant=lease_of_the_dead_respected, found_by="I4", near=("after-commit:lease@",)
    ),
}


def plant(name: str) -> None:
    """Into this process, for good."""
    BUGS[name].plant()


def prepare(name: str, root: Path) -> None:
    """What the bug needs of the database: a guard of the schema taken away."""
    if sql := BUGS[name].prepare:
        with contextlib.closing(sqlite3.connect(root / ".gatewright" / "state.db")) as connection:
            connection.execute(sql)
            connection.commit()
