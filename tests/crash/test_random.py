"""Signals at random moments: where no failpoint stands, in the middle of a write, while a command runs."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

import pytest

from tests.crash.asking import Warmed, told
from tests.crash.trial import Strike
from tests.crash.world import SCENARIOS

KILLS, PARTS = 2000, 20


def struck_at_random(
    warmed: Warmed, seed: int, wanted: int, number: int = signal.SIGKILL
) -> tuple[dict[str, list[str]], int]:
    """Trials until `wanted` signals have met their process: up to two in each, the second one during the resume."""
    draw = random.Random(seed)
    found: dict[str, list[str]] = {}
    met = 0
    while met < wanted:
        scenario = draw.choice(list(SCENARIOS))
        moments = [draw.uniform(0.0, warmed.usual_s(scenario)) for _ in range(2)]
        strikes = [Strike(after_s=moment, number=number) for moment in moments]
        outcome = warmed.trial(scenario, *strikes, beyond_lease=draw.random() < 0.5)
        met += outcome.struck
        if outcome.violations:
            found[f"{scenario}, {moments}"] = outcome.violations
    return found, met


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_kills_at_random_moments_break_nothing(
    warmed: Warmed, part: int, record_property: Callable[[str, object], None]
) -> None:
    found, met = struck_at_random(warmed, part, KILLS // PARTS)
    record_property("crash", {"random kills": met, "violations": len(found)})
    assert not found, told(found)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_few_signals_at_random_moments_break_nothing(
    warmed: Warmed, number: signal.Signals, record_property: Callable[[str, object], None]
) -> None:
    found, met = struck_at_random(warmed, 1000 + number, 12, number)
    record_property("crash", {f"random {number.name}": met, "violations": len(found)})
    assert not found, told(found)


def test_the_training_command_killed_alone_is_run_again(
    warmed: Warmed, record_property: Callable[[str, object], None]
) -> None:
    outcome = warmed.child_killed()
    record_property("crash", {"kills of the training command": outcome.struck, "violations": len(outcome.violations)})
    assert outcome.struck == 1
    assert outcome.violations == []
