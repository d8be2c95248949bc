"""A kill at each failpoint that a scenario passes, one at a time: most of them always, the rest when slow tests run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash.asking import Warmed, thinned, told
from tests.crash.trial import Strike
from tests.crash.world import SCENARIOS

PARTS = {"good model": 5, "gate fails": 1, "canary regresses": 2}
CASES = [(scenario, part) for scenario in SCENARIOS for part in range(PARTS[scenario])]


def often(warmed: Warmed, scenario: str) -> list[str]:
    """Of what each tick passes again, every third; of reads, every thirtieth."""
    return thinned(warmed.points_to_strike(scenario), reads_every=30, others_every=3)


def struck_at(warmed: Warmed, scenario: str, points: list[str]) -> tuple[dict[str, list[str]], int]:
    """What the checker found, by failpoint; and how many trials. Every other one outlives the lease of a canary."""
    found: dict[str, list[str]] = {}
    for number, point in enumerate(points):
        outcome = warmed.trial(scenario, Strike(point=point), beyond_lease=number % 2 == 1)
        if outcome.struck != 1:
            found[point] = [f"not passed again: {outcome.struck} strikes"]
        if outcome.violations:
            found[point] = outcome.violations
    return found, len(points)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("scenario", "part"), CASES)
def test_a_kill_at_any_failpoint_breaks_nothing(
    warmed: Warmed, scenario: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    found, trials = struck_at(warmed, scenario, often(warmed, scenario)[part :: PARTS[scenario]])
    record_property("crash", {"single kills": trials, "violations": len(found)})
    assert not found, told(found)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("scenario", "part"), CASES)
def test_a_kill_at_all_the_others_breaks_nothing(
    warmed: Warmed, scenario: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    known = set(often(warmed, scenario))
    rest = [point for point in warmed.points(scenario) if point not in known]
    found, trials = struck_at(warmed, scenario, rest[part :: PARTS[scenario]])
    record_property("crash", {"single kills": trials, "violations": len(found)})
    assert not found, told(found)
