"""Two controllers: one is stopped past its lease, a second one takes over, the first one comes back: nothing changes.

It is stopped at each failpoint of a controller outside of transactions: inside of one it holds the database's lock, and
nobody can take over. When it comes back, the second one has ended the rollout, or is itself stopped at work.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash.asking import Warmed, thinned, told

PLOTS = {
    "the second one promotes": {"abort": False},
    "the second one rolls back": {"abort": True},
    "the second one has just taken over": {"abort": False, "second": "after-commit:lease"},
    "the second one is about to roll back": {"abort": True, "second": "after-commit:rollout-rolling_back"},
}
FEW, PARTS = 8, 4


def came_back(warmed: Warmed, scenario: str, plot: str, points: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for point in points:
        outcome = warmed.stale(scenario, point, **PLOTS[plot])
        if texts := [*outcome.violations, *outcome.stale, *([] if outcome.reached else ["not reached"])]:
            found[point] = texts
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("plot", PLOTS)
def test_a_controller_that_comes_back_late_changes_nothing(
    warmed: Warmed, plot: str, record_property: Callable[[str, object], None]
) -> None:
    points = thinned(warmed.points_of_the_controller("good model"))
    effects = [point for point in points if point.startswith(("after-commit:rollout-pro", "after-commit:route"))][-FEW:]
    found = came_back(warmed, "good model", plot, effects)
    record_property("crash", {"stale controllers": len(effects), "stale effects accepted": len(found)})
    assert not found, told(found)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("scenario", ["good model", "canary regresses"])
def test_a_controller_may_come_back_anywhere(
    warmed: Warmed, scenario: str, plot: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    points = thinned(warmed.points_of_the_controller(scenario))[part::PARTS]
    found = came_back(warmed, scenario, plot, points)
    record_property("crash", {"stale controllers": len(points), "stale effects accepted": len(found)})
    assert not found, told(found)
