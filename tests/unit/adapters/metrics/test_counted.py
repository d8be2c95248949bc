"""Counters as evidence: a block lies between two readings at one weight, proven before, between and after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.adapters.metrics import counted
from gatewright.adapters.metrics.by_weight import Counts
from gatewright.adapters.metrics.counted import Reading
from gatewright.domain.errors import WorldFailed
from gatewright.domain.evidence import Observation
from gatewright.domain.rollout import Phase, Rollout, RolloutPolicy

SETTLE_S, LOOK_S = 15.0, 10.0
ROLLOUT = Rollout(
    id="r1",
    model="toy",
    run="run",
    number=2,
    canary="sha256:" + "a" * 64,
    stable="sha256:" + "b" * 64,
    policy=RolloutPolicy(),
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    phase=Phase.PROGRESSING,
    weight=5.0,
)


def counts(requests: int, bad: int = 0) -> Counts:
    return Counts(requests=requests, bad=bad, timed=requests, slow=bad)


@dataclass
class Looks:
    """Somebody who looks every ten seconds at counters that rise by one a second."""

    rollout: Rollout = ROLLOUT
    tick: int = 0
    now: float = 1000.0

    def look(self, *, after: float = LOOK_S, source: str = "s", **changes: object) -> list[Observation]:
        """What this look tells; `changes` of the rollout come before it."""
        self.now, self.tick = self.now + after, self.tick + 1
        self.rollout = replace(self.rollout, **changes)  # type: ignore[arg-type]
        watch = counted.going_on(self.rollout, self.tick, self.now, source)
        count = counts(int(self.now))
        reading = Reading(at=self.now, oldest=self.now, canary=count, stable=count)
        watch, pairs = counted.closed(watch, reading, tick=self.tick, now=self.now, settle_s=SETTLE_S)
        self.rollout = replace(self.rollout, cursor=counted.encode(watch))
        return list(counted.observations(self.rollout, pairs))

    def until_told(self) -> int:
        """How many looks it takes until a block is told."""
        return next(number for number in range(1, 20) if self.look())


def test_a_block_is_told_at_the_look_after_its_last_reading() -> None:
    looks = Looks()
    # Seen first, not settled, opened after 20 s, read again, and told.
    assert [len(looks.look()) for _ in range(6)] == [0, 0, 0, 0, 2, 2]
    (errors, latency) = looks.look()
    assert (errors.metric, latency.metric, errors.weight) == ("errors", "latency", 5.0)
    assert (errors.block.canary_n, errors.block.stable_n) == (10, 10)


def test_readings_that_follow_within_one_tick_are_one_block() -> None:
    def at(moment: float) -> Reading:
        return Reading(at=moment, oldest=moment, canary=counts(int(moment)), stable=counts(int(moment), 0))

    pairs = [(at(1000.0), at(1005.0)), (at(1005.0), at(1012.0))]
    told = [(seen.metric, seen.tick, seen.block.canary_n) for seen in counted.observations(ROLLOUT, pairs)]
    assert told == [("errors", 100, 12), ("latency", 100, 12)]


def test_every_request_between_the_first_and_the_last_reading_is_told_once() -> None:
    looks = Looks()
    told = sum(block.block.canary_n for _ in range(12) for block in looks.look() if block.metric == "errors")
    assert told == 10 * (12 - 4)


@pytest.mark.parametrize(
    "change",
    [{"weight": 25.0}, {"blind_s": 10.0}, {"source": "other"}, {"after": 301.0}, {"after": -10.0}],
    ids=["weight", "blind", "source", "lease", "clock"],
)
def test_a_block_that_spans_a_change_is_dropped(change: dict[str, float]) -> None:
    looks = Looks()
    looks.until_told()
    assert looks.look(**change) == []  # type: ignore[arg-type]
    looks.rollout = replace(looks.rollout, blind_s=0.0)
    again = "other" if "source" in change else "s"
    assert [len(looks.look(source=again)) for _ in range(4)] == [0, 0, 0, 2]


def test_a_look_that_failed_opens_a_new_block() -> None:
    looks = Looks()
    looks.until_told()
    looks.tick += 1  # nobody took over what that look had read
    assert [len(looks.look()) for _ in range(5)] == [0, 0, 0, 0, 2]


def test_while_nothing_is_verified_nothing_is_told() -> None:
    looks = Looks()
    looks.until_told()
    assert [looks.look(blind_s=10.0) for _ in range(9)] == [[]] * 9


@pytest.mark.parametrize(
    "cursor", ["", "[]", "{}", '{"position": {"at": 3}, "closed": 1}', "no json", '{"readings": 5}']
)
def test_a_cursor_of_another_source_is_no_watch(cursor: str) -> None:
    watch = counted.going_on(replace(ROLLOUT, cursor=cursor), 7, 50.0, "s")
    assert (watch.since, watch.readings) == (50.0, ())


@given(
    changes=st.lists(st.sampled_from(["", "", "", "weight", "blind", "late", "failed"]), max_size=40),
)
def test_no_block_reaches_over_a_change(changes: list[str]) -> None:
    looks, since, weight = Looks(), 1000.0, 5.0
    for change in changes:
        if change == "failed":
            looks.tick, looks.now = looks.tick + 1, looks.now + LOOK_S
            since = looks.now
            continue
        weight = 55.0 - weight if change == "weight" else weight
        blind_s = 10.0 if change == "blind" else 0.0
        told = looks.look(weight=weight, blind_s=blind_s, after=400.0 if change == "late" else LOOK_S)
        if change:
            since = looks.now
        for block in told:
            assert block.weight == weight
            assert block.tick * LOOK_S >= since + SETTLE_S - LOOK_S
        assert not (told and change)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (counts(90), "0 more failed of -10 more requests"),
        (counts(105, 6), "6 more failed of 5 more requests"),
        (Counts(requests=105, bad=0, timed=105, slow=-1), "-1 more slow of 5"),
    ],
)
def test_counters_that_contradict_each_other_are_no_evidence(after: Counts, why: str) -> None:
    before = Reading(at=0.0, oldest=0.0, canary=counts(100), stable=counts(100))
    later = Reading(at=10.0, oldest=10.0, canary=after, stable=counts(100))
    with pytest.raises(WorldFailed, match=f"canary contradict each other: {why}"):
        list(counted.observations(ROLLOUT, [(before, later)]))


def test_a_block_without_requests_is_not_told() -> None:
    before = Reading(at=0.0, oldest=0.0, canary=counts(100), stable=counts(100))
    assert list(counted.observations(ROLLOUT, [(before, replace(before, at=10.0))])) == []
