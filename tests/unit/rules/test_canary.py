"""What the stories in tests/scenarios/test_rollout_rules.py leave open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatewright.domain.rollout import ArmState, Command, Decision, PauseReason, Phase, TrafficState, Verb, World
from gatewright.rules import canary
from gatewright.rules.canary import apply, decide
from tests.scenarios.rollout_story import CANARY, STABLE, begun

READY = TrafficState(weight=0.0, canary=ArmState(digest=CANARY, ready=True))


def said(*verbs: Verb) -> tuple[Command, ...]:
    return tuple(Command(id=i, verb=verb, actor=f"person {i}", at=begun().started_at) for i, verb in enumerate(verbs))


class TestPending:
    def test_the_first_step_begins_when_the_canary_has_proven_its_digest(self) -> None:
        decision = decide(begun(), World(traffic=READY))
        assert (decision.phase, decision.step, decision.weight) == (Phase.PROGRESSING, 0, 5)

    @pytest.mark.parametrize(
        "arm", [None, ArmState(digest=CANARY, ready=False), ArmState(digest=STABLE, ready=True)], ids=str
    )
    def test_anything_else_waits(self, arm: ArmState | None) -> None:
        decision = decide(begun(), World(traffic=replace(READY, canary=arm)))
        assert (decision.phase, decision.weight) == (Phase.PENDING, 0)
        assert "proven its digest" in decision.why

    @pytest.mark.parametrize("weight", [None, 3.0])
    def test_no_weight_is_given_before_the_traffic_reads_back_none(self, weight: float | None) -> None:
        assert decide(begun(), World(traffic=replace(READY, weight=weight))).phase is Phase.PENDING

    @pytest.mark.parametrize(("waited", "blind"), [(1801.0, 0.0), (0.0, 1801.0)])
    def test_it_waits_as_long_as_the_policy_says(self, waited: float, blind: float) -> None:
        late = begun(waited_s=waited, blind_s=blind)
        assert decide(late, World(traffic=TrafficState(weight=None))).phase is Phase.ROLLING_BACK


class TestPromoting:
    @pytest.mark.parametrize(
        ("weight", "settled", "serving", "phase"),
        [
            (99.99, True, CANARY, Phase.PROMOTED),
            (100.0, True, CANARY, Phase.PROMOTED),
            (99.98, True, CANARY, Phase.PROMOTING),
            (None, True, CANARY, Phase.PROMOTING),
            (100.0, False, CANARY, Phase.PROMOTING),
            (100.0, True, STABLE, Phase.PROMOTING),
            (100.0, True, None, Phase.PROMOTING),
        ],
    )
    def test_promoted_is_what_traffic_and_registry_show(
        self, weight: float | None, settled: bool, serving: str | None, phase: Phase
    ) -> None:
        last = begun(phase=Phase.PROMOTING, step=2, weight=100.0)
        shown = World(traffic=TrafficState(weight=weight, settled=settled), serving=serving)
        assert decide(last, shown).phase is phase

    def test_traffic_that_never_arrives_is_a_matter_for_a_person(self) -> None:
        last = begun(phase=Phase.PROMOTING, step=2, weight=100.0, blind_s=901.0)
        decision = decide(last, World(traffic=TrafficState(weight=None, error="gone")))
        assert (decision.phase, decision.pause, decision.weight) == (Phase.PAUSED, PauseReason.BLIND, 100)


class TestRollingBack:
    @pytest.mark.parametrize(
        ("weight", "serving", "phase"),
        [
            (0.0, STABLE, Phase.ROLLED_BACK),
            (0.0, CANARY, Phase.ROLLING_BACK),
            (0.01, STABLE, Phase.ROLLING_BACK),
            (None, STABLE, Phase.ROLLING_BACK),
        ],
    )
    def test_rolled_back_is_what_traffic_and_registry_show(
        self, weight: float | None, serving: str, phase: Phase
    ) -> None:
        leaving = begun(phase=Phase.ROLLING_BACK, weight=0.0, why="errors")
        decision = decide(leaving, World(traffic=TrafficState(weight=weight), serving=serving, commands=said("resume")))
        assert (decision.phase, decision.weight, decision.why) == (phase, 0, "errors")


class TestPeople:
    def test_the_decision_names_who_asked_for_it(self) -> None:
        shown = World(traffic=READY, commands=said("resume", "pause"))
        assert decide(begun(), shown).actor == "person 1"
        assert decide(begun(), replace(shown, commands=said("pause", "abort"))).actor == "person 1"
        paused = begun(phase=Phase.PAUSED, pause=PauseReason.MANUAL)
        assert decide(paused, replace(shown, commands=said("resume"))).actor == "person 0"

    def test_a_resume_of_what_is_not_paused_changes_nothing(self) -> None:
        decision = decide(begun(), World(traffic=READY, commands=said("resume")))
        assert (decision.phase, decision.actor) == (Phase.PROGRESSING, "gatewright")


class TestApply:
    served = begun(phase=Phase.PROGRESSING, weight=5.0, held_s=60.0, waited_s=70.0, blind_s=3.0, step_requests=900)

    def decided(self, phase: Phase, step: int) -> Decision:
        return Decision(phase=phase, step=step, weight=25.0, why="because", pause=None)

    def test_a_new_step_starts_its_own_hold(self) -> None:
        after = apply(self.served, self.decided(Phase.PROGRESSING, 1))
        assert (after.held_s, after.waited_s, after.step_requests, after.step) == (0, 0, 0, 1)

    def test_the_same_step_keeps_what_it_has_served(self) -> None:
        after = apply(self.served, self.decided(Phase.PROGRESSING, 0))
        assert (after.held_s, after.waited_s, after.blind_s, after.step_requests) == (60, 70, 3, 900)

    def test_a_resumed_step_keeps_its_hold_and_gets_a_new_extension(self) -> None:
        paused = replace(self.served, phase=Phase.PAUSED, pause=PauseReason.INCONCLUSIVE)
        after = apply(paused, self.decided(Phase.PROGRESSING, 0))
        assert (after.held_s, after.waited_s, after.blind_s, after.pause) == (60, 0, 0, None)


def test_the_rules_read_no_clock() -> None:
    assert not {"datetime", "time", "random"} & set(vars(canary))
