"""Two kills: one at a failpoint, the second while the run is resumed.

The square of all failpoints would take a day. The first kill is at the first and at the last occurrence of each name
(of the canary that regresses: from the registration on, before it there is no difference); the second one at each of
the first three failpoints that the resume passes, and at a later one drawn with a fixed seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.crash.asking import Warmed, told
from tests.crash.trial import Strike
from tests.crash.world import SCENARIOS

WINDOW, DRAWN = 3, 1
PARTS = {"good model": 6, "gate fails": 2, "canary regresses": 6}
CASES = [(scenario, part) for scenario in SCENARIOS for part in range(PARTS[scenario])]


def pairs(points: list[str]) -> Iterator[tuple[str, str]]:
    """First failpoint by name, second by its ordinal in the resume."""
    draw = random.Random(0)
    last = {point.partition("@")[0]: point for point in points}
    first = {point.partition("@")[0]: point for point in reversed(points)}
    chosen = [point for point in points if point in first.values() or point in last.values()]
    for point in chosen:
        left = max(len(points) - points.index(point), WINDOW + DRAWN)
        later = draw.sample(range(WINDOW + 1, left + 1), DRAWN)
        yield from ((point, f"#{ordinal}") for ordinal in (*range(1, WINDOW + 1), *later))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("scenario", "part"), CASES)
def test_a_second_kill_during_the_resume_breaks_nothing(
    warmed: Warmed, scenario: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    found: dict[str, list[str]] = {}
    both = 0
    points = warmed.points_to_strike(scenario)
    for number, (first, second) in enumerate(list(pairs(points))[part :: PARTS[scenario]]):
        outcome = warmed.trial(scenario, Strike(point=first), Strike(point=second), beyond_lease=number % 2 == 1)
        both += outcome.struck == 2
        if outcome.violations:
            found[f"{first}, {second}"] = outcome.violations
    record_property("crash", {"pairs of kills": both, "violations": len(found)})
    assert not found, told(found)
    assert both > 10
