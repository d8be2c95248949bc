"""Everything that can happen to a rollout, in any order, and what must hold after each: the rules of the machine."""

from __future__ import annotations

import math
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gatewright.domain.errors import LeaseLost, UnusableInput, WorldFailed
from gatewright.domain.rollout import PauseReason, Phase, Verb
from gatewright.engine.reversal import retry, roll_back
from gatewright.rules import orders
from gatewright.store.rollouts import Rollouts
from tests.fixtures import toy
from tests.scenarios.stormy import HOLD_S, TICK_S, WEIGHTS, Gone, Storm, Traffic, Where

HEALTHY: tuple[Traffic, ...] = ("healthy",) * 5
TRAFFIC: tuple[Traffic, ...] = (*HEALTHY, "bad", "none", "canary alone", "stable alone", "elsewhere")
PLACES: tuple[Where, ...] = ("before the commit", "before the effect")
FAILURES = (ValueError("canary: nan bad of 3 requests"), TypeError("'<=' not supported between 'int' and 'str'"))
VERBS: tuple[Verb, ...] = ("pause", "resume", "resume", "approve", "approve", "promote", "promote-full")
ENOUGH = 90


@cache
def template() -> Path:
    """One project for all examples; each gets a copy."""
    steps: list[dict[str, Any]] = [{"weight": weight, "hold": f"{HOLD_S:g}s"} for weight in WEIGHTS]
    steps[1]["approval"] = True
    rollout = {
        "steps": steps,
        "tick": f"{TICK_S:g}s",
        "breaker": {"max_error_share": 0.2, "tick": f"{TICK_S:g}s"},
        "lease": "30s",
        "max_extension": "15s",
        "blind_after": "8s",
    }
    return toy.write_project(Path(tempfile.mkdtemp()) / "project", port=1, rollout=rollout)


class RolloutMachine(RuleBasedStateMachine):
    """The real controller and the real database; router, source, registry, people and the clock do as they like."""

    storm: Storm

    @initialize(
        on_blind=st.sampled_from(("pause", "rollback")),
        on_inconclusive=st.sampled_from(("pause", "abort", "advance")),
    )
    def begin(self, on_blind: str, on_inconclusive: str) -> None:
        self.storm = Storm.begin(template(), on_blind=on_blind, on_inconclusive=on_inconclusive)
        self.aborted: set[str] = set()

    def teardown(self) -> None:
        """Once everything works again, every rollout ends, and one that was to be aborted ends at stable."""
        if not hasattr(self, "storm"):
            return
        try:
            self.storm.mend()
            self._to_the_end()
            self.what_must_hold()
        finally:
            self.storm.end()

    @rule(kind=st.sampled_from(TRAFFIC), times=st.integers(1, 6))
    def time_passes(self, kind: Traffic, times: int) -> None:
        for _ in range(times):
            self._tick(kind)

    @rule(where=st.sampled_from(PLACES), sleeps=st.booleans())
    def the_controller_is_killed_or_falls_asleep(self, where: Where, sleeps: bool) -> None:
        self.storm.halt.where, self.storm.halt.sleeps = where, sleeps
        self._tick("healthy")
        self.storm.halt.where = None
        self.storm.succeed()

    @precondition(lambda self: self.storm.halt.asleep)
    @rule()
    def a_sleeper_wakes(self) -> None:
        """It does what it was about to do; the one that took over meanwhile has fenced it off, or nobody has."""
        before, late = self.storm.rollout, self.storm.halt.asleep.pop(0)
        try:
            late()
        except (LeaseLost, WorldFailed):
            assert self.storm.rollout == before
        else:
            if isinstance(late, partial) and late.args[0].id == before.id:  # a commit of what that state became
                assert late.args[0].revision == before.revision, "written over a newer state"

    @rule()
    def an_impatient_controller_does_not_wait_for_the_lease(self) -> None:
        row = self.storm.world.workspace.database.row("SELECT * FROM rollouts WHERE id = ?", (self.storm.rollout.id,))
        assert row is not None
        now = self.storm.world.clock.now().isoformat()
        if row["lease_owner"] is None or row["lease_until"] <= now:
            return
        before = self.storm.rollout
        try:
            self.storm.tick("none", as_owner="elsewhere:impatient")
        except LeaseLost:
            assert self.storm.rollout == before
        else:
            assert row["lease_until"] <= self.storm.world.clock.now().isoformat()

    @rule(verb=st.sampled_from(VERBS), of_step=st.sampled_from((None, None, 0, 1, 2)))
    def somebody_orders(self, verb: Verb, of_step: int | None) -> None:
        world, rollout = self.storm.world, self.storm.rollout
        step = of_step if of_step is not None and verb in ("approve", "promote") else orders.bound_to(rollout, verb)
        world.workspace.rollouts.command(rollout, verb, "ada", world.clock.now(), step)
        if verb in ("promote", "promote-full") and step is not None:
            steps = range(len(WEIGHTS)) if verb == "promote-full" else (step,)
            self.storm.excused |= {(rollout.id, index) for index in steps}
        if verb == "approve" and step is not None:
            self.storm.approved[rollout.id, step] = self.storm.approved.get((rollout.id, step), 0) + 1

    @rule(router=st.sampled_from(("deaf", "unreadable", "down", "works", "works")))
    def the_router(self, router: str) -> None:
        traffic = self.storm.traffic
        traffic.deaf = router == "deaf"
        traffic.unreadable = "no answer" if router == "unreadable" else None
        traffic.down = "connection refused" if router == "down" else None

    @rule(source=st.sampled_from(("error", "stale", *FAILURES, None, None)))
    def the_source(self, source: str | Exception | None) -> None:
        metrics = self.storm.world.metrics
        metrics.raises = source if isinstance(source, Exception) else None
        metrics.error = source if isinstance(source, str) else None

    @rule(down=st.booleans())
    def the_registry(self, down: bool) -> None:
        self.storm.world.registry.down = "503 from the registry" if down else None

    @rule(arm=st.sampled_from(("canary", "stable")), how=st.sampled_from(("ended 3 times", "starts", None, None)))
    def a_server(self, arm: str, how: str | None) -> None:
        traffic = self.storm.traffic
        error, ready = (how if how != "starts" else None), how is None
        if arm == "canary":
            traffic.canary_error, traffic.canary_ready = error, ready
        else:
            traffic.stable_error, traffic.stable_ready = error, ready

    @rule()
    def the_runtime_is_killed_and_comes_back(self) -> None:
        """Its lease was not renewed: stable serves alone, until somebody asks for the weight again."""
        traffic = self.storm.traffic
        traffic.shown = traffic.shown if traffic.settled else 0.0
        traffic.canary_ready = False
        self._tick("none")
        traffic.canary_ready = True

    @precondition(lambda self: not self.storm.rollout.phase.terminal)
    @rule(shown=st.sampled_from((0.0, 12.5, 99.99)))
    def somebody_moves_the_traffic_by_hand(self, shown: float) -> None:
        self.storm.traffic.shown = shown

    @rule(hours=st.sampled_from((-1, 1)))
    def the_clock_jumps(self, hours: int) -> None:
        self.storm.world.clock.forward(3600.0 * hours)

    @rule()
    def somebody_aborts(self) -> None:
        """An abort is carried out at the next look that is committed, whatever else is wrong."""
        storm, rollout = self.storm, self.storm.rollout
        storm.world.workspace.rollouts.command(rollout, "abort", "ada", storm.world.clock.now())
        ended = rollout.phase.terminal
        if not ended:
            self.aborted.add(rollout.id)
        self._tick("healthy")
        after = storm.rollout
        if not ended and after.revision > rollout.revision:
            assert after.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)

    @precondition(lambda self: self.storm.rollout.phase.terminal and not self.storm.world.registry.down)
    @rule()
    def what_has_ended_is_tried_again_or_taken_back(self) -> None:
        world, ended = self.storm.world, self.storm.rollout
        try:
            if ended.phase is Phase.ROLLED_BACK:
                world.rollout, _ = retry(world.workspace, "ada", "why not")
            else:
                world.rollout = roll_back(world.workspace, "ada", "complaints") or ended
        except UnusableInput:
            return  # a return that was aborted condemned nothing; nothing was promoted before
        if world.rollout.id != ended.id:
            self.storm.served_s, self.storm.ticked_at = 0.0, None

    @invariant()
    def what_must_hold(self) -> None:
        if not hasattr(self, "storm"):
            return
        storm, workspace = self.storm, self.storm.world.workspace
        assert workspace.records.first_broken() is None
        records = workspace.records.all()
        for row in workspace.database.rows("SELECT id, run, phase, state FROM rollouts"):
            mine = [record for record in records if record.run == row["run"]]
            terminal = [record for record in mine if record.kind in ("promoted", "restored", "rolled_back")]
            assert len(terminal) == (row["phase"] in ("promoted", "rolled_back")), row["phase"]
            back = [record.seq for record in mine if record.kind == "rolling_back"]
            assert len(back) <= 1
            assert not back or not [r for r in mine if r.seq > back[0] and r.kind not in ("rolled_back",)]
            self._approvals(row["id"], mine)
        quarantined = workspace.rollouts.quarantined(toy.MODEL)
        rollout = Rollouts(workspace.database).get(storm.world.rollout.id)
        assert rollout is not None
        assert rollout.weight in (0.0, *WEIGHTS, 100.0)
        if rollout.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
            assert rollout.weight == 0.0
            assert rollout.canary in quarantined or rollout.restored_by is not None
        if rollout.id in self.aborted:
            assert rollout.phase is not Phase.PROMOTED

    def _approvals(self, rollout: str, mine: list[Any]) -> None:
        begun = [r for r in mine if r.kind == "step" and r.details["step"] == 1 and "approved_by" in r.details]
        given = [record for record in mine if record.kind == "approved" and record.details["step"] == 1]
        assert len(begun) <= 1
        assert len(begun) <= len(given) <= self.storm.approved.get((rollout, 1), 0)
        assert len({record.details["command"] for record in given}) == len(given)
        steps = [record for record in mine if record.kind == "step" and record.details["step"] == 1]
        assert len(steps) == len(begun), "a step that needs an approval began without one"

    def _tick(self, kind: Traffic) -> None:
        try:
            self.storm.tick(kind)
        except Gone:
            return
        except LeaseLost:
            self.storm.succeed()  # a sleeper has woken, or the clock has gone back: the lease still runs
        except WorldFailed:
            assert self.storm.traffic.down or self.storm.world.registry.down

    def _to_the_end(self) -> None:
        storm = self.storm
        for _ in range(ENOUGH):
            rollout = storm.rollout
            if rollout.phase.terminal:
                break
            if rollout.phase is Phase.PAUSED:
                verb: Verb = "approve" if rollout.pause is PauseReason.APPROVAL else "resume"
                self.somebody_orders(verb, None)
            self._tick("healthy")
        rollout = storm.rollout
        assert rollout.phase.terminal, f"{rollout.phase} ({rollout.pause}): {rollout.why}"
        self._tick("none")
        serving = storm.world.registry.serving(toy.MODEL)
        promoted = rollout.phase is Phase.PROMOTED
        assert serving is not None
        assert serving.artifact.digest == (rollout.canary if promoted else rollout.stable)
        assert storm.traffic.settled
        assert promoted == (storm.traffic.shown >= 99.99), storm.traffic.shown
        assert not promoted or rollout.id not in self.aborted
        assert math.isfinite(rollout.held_s)
