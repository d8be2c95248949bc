"""A rollout on an endpoint of SageMaker whose process is killed at each failpoint it passes; a new one goes on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.endpoint.bench import SCENARIOS, Bench, Outcome
from tests.crash.endpoint.bugs import BUGS
from tests.fixtures.endpoints import endpoint_server

pytestmark = [pytest.mark.xdist_group("sagemaker-crash")]

_READS = ("-look@", "-list@", "-describe@", "-group@", "-tags@")
_PARTS = 4
SAMPLE = (
    ("good", "after-http:sagemaker-endpoint-update@1", False),
    ("good", "before-http:sagemaker-endpoint-weigh@2", True),
    ("bad", "after-commit:rollout-rolling_back@1", True),
    ("first", "after-http:sagemaker-endpoint-create@1", False),
)
"""One kill of each kind, for every change: scenario, failpoint, and whether the lease is over when somebody comes."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="endpoint-", dir=memory if memory.is_dir() else None))
    with endpoint_server() as endpoints:
        bench = Bench(folder, endpoints)
        try:
            yield bench
        finally:
            bench.close()
            shutil.rmtree(folder)


def struck(bench: Bench, name: str, points: list[str], record_property: Callable[[str, object], None]) -> None:
    """Kill at each of these; every other time the lease is over before anybody comes."""
    found = {}
    for number, point in enumerate(points):
        outcome = bench.make(name, point, beyond_lease=number % 2 == 1)
        if outcome.violations or not outcome.struck:
            found[point] = outcome.violations or ["not passed again"]
    record_property("crash", {"kills at an endpoint": len(points), "violations": len(found)})
    assert not found, "\n".join(f"{point}: {what}" for point, what in found.items())


@pytest.mark.timeout(300)
def test_a_kill_at_the_edges_of_each_order_breaks_nothing(bench: Bench) -> None:
    for name, point, beyond_lease in SAMPLE:
        outcome = bench.make(name, point, beyond_lease=beyond_lease)
        assert (outcome.struck, outcome.violations) == (True, []), point


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_any_failpoint_breaks_nothing(
    bench: Bench, name: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    struck(bench, name, bench.points(name)[part::_PARTS], record_property)


STALE = [
    (point, other)
    for point in (
        "before-http:sagemaker-endpoint-weigh@1",
        "before-http:sagemaker-endpoint-weigh@2",
        "before-http:sagemaker-guard-renew@2",
        "before-http:sagemaker-endpoint-update@1",
    )
    for other in ("abort", "go_on")
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("point", "other"), STALE)
def test_a_controller_that_comes_back_late_is_mended_by_the_next_looks(
    bench: Bench, point: str, other: str, killed: bool
) -> None:
    looks, wrong = bench.stale("good", point, other, killed=killed)
    assert wrong == []
    assert looks <= 3


def near(points: list[str], parts: tuple[str, ...]) -> list[str]:
    return [point for point in points if any(part in point for part in parts)]


def tried(bench: Bench, name: str) -> Iterator[Outcome]:
    """Trials with this bug planted: without a kill, then near where it lies."""
    bug = BUGS[name]
    yield bench.make(bug.scenario, bug=name)
    if not bug.near:
        return
    for point in near(bench.points(bug.scenario), bug.near):
        for beyond_lease in (False, True):
            yield bench.make(bug.scenario, point, beyond_lease=beyond_lease, bug=name)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_is_found(bench: Bench, name: str) -> None:
    seen: list[str] = []
    for outcome in tried(bench, name):
        seen += outcome.violations
        if any(BUGS[name].found_by in what for what in seen):
            return
    pytest.fail(f"not found; broken were only {seen}")
