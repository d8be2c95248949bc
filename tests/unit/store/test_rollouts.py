from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.errors import LeaseLost, UnusableInput, WorldFailed
from gatewright.domain.evidence import Block, Observation
from gatewright.domain.rollout import Phase, Rollout, RolloutPolicy, TrafficState, World
from gatewright.rules import evidence
from gatewright.store.database import Database
from gatewright.store.records import Event, Records
from gatewright.store.rollouts import Rollouts
from tests.scenarios.rollout_story import begun, rollout

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def event(kind: str = "started", **changes: Any) -> Event:
    return replace(Event(at=NOW, kind=kind, run="run1", model="employment", why="because", rollout="r1"), **changes)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "state.db")


@pytest.fixture
def rollouts(database: Database) -> Rollouts:
    return Rollouts(database)


@pytest.fixture
def leased(rollouts: Rollouts) -> Rollout:
    """A rollout that has begun, driven by ada."""
    return rollouts.lease(rollouts.start(begun(), event()), "ada", NOW, 60)


def advanced(rollouts: Rollouts, before: Rollout, phase: Phase, *events: Event) -> Rollout:
    return rollouts.advance(before, replace(before, phase=phase, ticked_at=NOW), events, {"why": "test"}, ())


class TestStart:
    def test_row_and_record_are_one(self, rollouts: Rollouts, database: Database) -> None:
        assert rollouts.start(begun(), event()) == begun()
        assert rollouts.get("r1") == rollouts.of_run("run1") == rollouts.active("employment") == begun()
        assert [record.kind for record in Records(database).all()] == ["started"]

    def test_the_same_run_gets_the_rollout_it_has(self, rollouts: Rollouts, database: Database) -> None:
        rollouts.start(begun(), event())
        assert rollouts.start(begun(id="r2"), event()).id == "r1"
        assert len(Records(database).all()) == 1

    def test_one_rollout_of_a_model_at_a_time(self, rollouts: Rollouts, database: Database) -> None:
        rollouts.start(begun(), event())
        with pytest.raises(UnusableInput, match="another rollout of employment"):
            rollouts.start(begun(id="r2", run="run2"), event(run="run2"))
        assert len(Records(database).all()) == 1
        rollouts.start(begun(id="r3", run="run3", model="other"), event(run="run3"))

    def test_a_quarantined_digest_never_starts_again(self, rollouts: Rollouts, leased: Rollout) -> None:
        back = advanced(rollouts, replace(leased, why="errors"), Phase.ROLLING_BACK)
        advanced(rollouts, back, Phase.ROLLED_BACK)
        assert rollouts.quarantined("employment") == {leased.canary: "errors"}
        with pytest.raises(UnusableInput, match="rolled back before: errors"):
            rollouts.start(begun(id="r2", run="run2"), event(run="run2"))

    def test_a_state_with_evidence_survives(self, rollouts: Rollouts) -> None:
        policy = RolloutPolicy(max_extension=Duration(90))
        started = begun(policy=policy, phase=Phase.PROGRESSING, weight=5.0)
        block = Block(canary_n=15, canary_bad=2, stable_n=285, stable_bad=1)
        seen = Observation(metric="errors", weight=5.0, tick=1, block=block)
        world = World(traffic=TrafficState(weight=5.0), observations=(seen,))
        learnt = evidence.absorb(started, world, "cursor", NOW)
        rollouts.start(learnt, event())
        assert rollouts.get("r1") == learnt
        assert rollouts.get("r2") is None


class TestLease:
    def test_the_owner_renews_without_a_new_epoch(self, rollouts: Rollouts, leased: Rollout) -> None:
        assert leased.epoch == 1
        assert rollouts.lease(leased, "ada", NOW + timedelta(seconds=30), 60).epoch == 1

    def test_nobody_else_drives_while_it_runs(self, rollouts: Rollouts, leased: Rollout) -> None:
        with pytest.raises(LeaseLost, match="driven by ada"):
            rollouts.lease(leased, "bob", NOW + timedelta(seconds=59), 60)

    @pytest.mark.parametrize("given_back", [True, False])
    def test_after_its_end_another_takes_over_with_a_new_epoch(
        self, rollouts: Rollouts, leased: Rollout, given_back: bool
    ) -> None:
        if given_back:
            rollouts.release(leased, "ada")
        after = NOW + timedelta(seconds=0 if given_back else 60)
        assert rollouts.lease(leased, "bob", after, 60).epoch == 2
        with pytest.raises(LeaseLost):
            rollouts.lease(leased, "ada", after, 60)

    def test_after_the_clock_went_back_it_lasts_no_longer_than_it_ever_did(
        self, rollouts: Rollouts, leased: Rollout
    ) -> None:
        """Else nobody could follow a controller that is gone until the clock has caught up."""
        back = NOW - timedelta(hours=1)
        with pytest.raises(LeaseLost, match="driven by ada"):
            rollouts.lease(leased, "bob", back, 60)
        with pytest.raises(LeaseLost):
            rollouts.lease(leased, "bob", back + timedelta(seconds=59), 60)
        assert rollouts.lease(leased, "bob", back + timedelta(seconds=60), 60).epoch == 2

    def test_only_the_owner_gives_it_back(self, rollouts: Rollouts, leased: Rollout) -> None:
        rollouts.release(leased, "bob")
        with pytest.raises(LeaseLost):
            rollouts.lease(leased, "bob", NOW, 60)

    def test_an_effect_is_made_by_who_drives_and_nobody_can_take_over_meanwhile(
        self, rollouts: Rollouts, leased: Rollout, database: Database
    ) -> None:
        other = Rollouts(Database(database.path, busy_s=0.05))
        later = NOW + timedelta(seconds=61)
        with rollouts.fenced(leased), pytest.raises(WorldFailed, match="locked"):
            other.lease(leased, "bob", later, 60)
        other.lease(leased, "bob", later, 60)
        with pytest.raises(LeaseLost, match="somebody else"), rollouts.fenced(leased):
            raise AssertionError("the effect of a controller that has lost its lease")

    def test_an_effect_of_an_older_revision_is_refused(self, rollouts: Rollouts, leased: Rollout) -> None:
        advanced(rollouts, leased, Phase.PROGRESSING)
        with pytest.raises(LeaseLost, match="somebody else"), rollouts.fenced(leased):
            raise AssertionError("the effect of a decision that is not the last one")


class TestAdvance:
    def test_state_record_tick_and_commands_are_one_change(
        self, rollouts: Rollouts, leased: Rollout, database: Database
    ) -> None:
        rollouts.command(leased, "pause", "ada", NOW)
        taken = rollouts.commands(leased)
        after = replace(leased, phase=Phase.PAUSED, ticked_at=NOW)
        stored = rollouts.advance(leased, after, (event("paused"),), {"why": "paused"}, taken)
        assert stored.revision == leased.revision + 1
        assert rollouts.get("r1") == stored
        assert rollouts.commands(leased) == ()
        assert [record.kind for record in Records(database).all()] == ["started", "paused"]
        assert [row["body"] for row in database.rows("SELECT body FROM ticks")] == ['{"why":"paused"}']

    def test_who_saw_an_older_revision_changes_nothing(self, rollouts: Rollouts, leased: Rollout) -> None:
        advanced(rollouts, leased, Phase.PROGRESSING)
        with pytest.raises(LeaseLost, match="changed by somebody else"):
            advanced(rollouts, leased, Phase.PROMOTING)
        assert rollouts.active("employment").phase is Phase.PROGRESSING  # type: ignore[union-attr]

    def test_an_older_epoch_changes_nothing(self, rollouts: Rollouts, leased: Rollout, database: Database) -> None:
        rollouts.lease(leased, "bob", NOW + timedelta(seconds=61), 60)
        with pytest.raises(LeaseLost):
            advanced(rollouts, leased, Phase.PROMOTING, event("promoting"))
        assert [record.kind for record in Records(database).all()] == ["started"]

    def test_an_end_is_recorded_once(self, rollouts: Rollouts, leased: Rollout, database: Database) -> None:
        Records(database).append(event("aborted"))
        with pytest.raises(UnusableInput, match="has ended already"):
            advanced(rollouts, leased, Phase.PROMOTED, event("promoted"))
        assert rollouts.get("r1").phase is Phase.PENDING  # type: ignore[union-attr]

    def test_an_ended_rollout_makes_room_for_the_next(self, rollouts: Rollouts, leased: Rollout) -> None:
        advanced(rollouts, leased, Phase.PROMOTED)
        assert rollouts.active("employment") is None
        assert rollouts.latest("employment").id == "r1"  # type: ignore[union-attr]
        rollouts.start(rollout(id="r2", run="run2", canary="sha256:newer"), event(run="run2"))
        assert rollouts.latest("employment").id == "r2"  # type: ignore[union-attr]


def test_commands_come_in_the_order_they_were_given(rollouts: Rollouts, leased: Rollout) -> None:
    rollouts.command(leased, "pause", "ada", NOW)
    rollouts.command(leased, "abort", "bob", NOW)
    assert [(command.verb, command.actor) for command in rollouts.commands(leased)] == [
        ("pause", "ada"),
        ("abort", "bob"),
    ]


class TestPeople:
    def test_a_command_is_bound_to_canary_and_step(self, rollouts: Rollouts, leased: Rollout) -> None:
        rollouts.command(leased, "approve", "ada", NOW, 1)
        rollouts.command(leased, "abort", "ada", NOW)
        found = [(command.verb, command.step, command.digest) for command in rollouts.commands(leased)]
        assert found == [("approve", 1, leased.canary), ("abort", None, leased.canary)]

    def test_open_rollouts_of_every_model(self, rollouts: Rollouts, leased: Rollout) -> None:
        rollouts.start(begun(id="r2", run="run2", model="other"), event(run="run2"))
        assert rollouts.open_ids() == (("r1", "employment"), ("r2", "other"))
        advanced(rollouts, leased, Phase.PROMOTED)
        assert rollouts.open_ids() == (("r2", "other"),)

    def test_a_retry_lifts_the_quarantine_only_if_it_starts(self, rollouts: Rollouts, leased: Rollout) -> None:
        back = advanced(rollouts, leased, Phase.ROLLING_BACK)
        with pytest.raises(UnusableInput, match="another rollout"):
            rollouts.start(begun(id="r2", run="run2"), event(run="run2"), lift=True)
        assert list(rollouts.quarantined("employment")) == [leased.canary]
        advanced(rollouts, back, Phase.ROLLED_BACK)
        with pytest.raises(UnusableInput, match="rolled back before"):
            rollouts.start(begun(id="r2", run="run2"), event(run="run2"))
        rollouts.start(begun(id="r2", run="run2"), event(run="run2"), lift=True)
        assert rollouts.quarantined("employment") == {}

    def test_a_return_condemns_what_it_has_replaced_once_it_is_through(self, rollouts: Rollouts) -> None:
        back = rollouts.lease(rollouts.start(begun(restored_by="ada"), event()), "ada", NOW, 60)
        moving = advanced(rollouts, back, Phase.PROMOTING)
        assert rollouts.quarantined("employment") == {}
        advanced(rollouts, moving, Phase.PROMOTED)
        assert rollouts.quarantined("employment") == {back.stable: f"taken back by {back.restored_by}"}
