"""The harness proves itself: each deliberate bug is found by the enumeration, in the invariant that it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.crash.asking import Warmed, thinned
from tests.crash.bugs import BUGS
from tests.crash.trial import Outcome, Strike


def findings(warmed: Warmed, name: str) -> Iterator[tuple[str, list[str]]]:
    """What each trial of the enumeration near the bug says, until somebody has heard enough."""
    bug = BUGS[name]
    whole = warmed.trial(bug.scenario, bug=name, trace=True)
    yield "no kill", whole.violations
    near = [point for point in thinned(whole.passed) if any(part in point for part in bug.near)]
    for point in near:
        for outcome in trials(warmed, name, point):
            yield point, [*outcome.violations, *(f"stale: {text}" for text in outcome.stale)]


def trials(warmed: Warmed, name: str, point: str) -> Iterator[Outcome]:
    bug = BUGS[name]
    if bug.second is not None:
        outcome = warmed.stale(bug.scenario, point, abort=bug.abort, second=bug.second, bug=name)
        if outcome.reached:
            yield outcome
        return
    for beyond_lease in (False, True):
        yield warmed.trial(bug.scenario, Strike(point=point), beyond_lease=beyond_lease, bug=name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_is_found(warmed: Warmed, name: str, record_property: Callable[[str, object], None]) -> None:
    tried, seen = 0, set[str]()
    for point, texts in findings(warmed, name):
        tried += 1
        seen |= {text.partition(":")[0] for text in texts}
        if BUGS[name].found_by in seen:
            record_property("crash", {"seeded bugs found": 1, "trials until found": tried, "bug": (name, point)})
            return
    pytest.fail(f"not found in {tried} trials; broken were only {sorted(seen)}")
