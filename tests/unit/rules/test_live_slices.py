"""Slices as evidence of a rollout: which are followed, when they speak, and what their mean needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatewright.domain.evidence import (
    Block,
    History,
    PastSlice,
    PastSlices,
    SliceKey,
    SliceMetric,
    SliceObservation,
    SlicesEvidence,
)
from gatewright.domain.rollout import LiveSlice, QualityMargins, Rollout, TrafficState, World
from gatewright.rules import evidence, live_slices
from gatewright.stats import sequential
from tests.scenarios.rollout_story import POLICY, rollout

HISTORY = History(requests=5000, errors=10, slow=50, slow_after_ms=40.0, labelled=2000, wrong=160)
PAST = PastSlices(answers=1000, slices=tuple(PastSlice(name=f"SEX={n}", answers=500) for n in (1, 2)))


def watching(quality: bool = True, history: History = HISTORY, **changes: object) -> Rollout:
    wanted = {"slices": (LiveSlice(columns=("SEX",)),), "quality": QualityMargins() if quality else None, **changes}
    return evidence.begin(rollout(policy=replace(POLICY, **wanted)), history)  # type: ignore[arg-type]


def world(*slices: SliceObservation, past: PastSlices | None = None, error: str | None = None) -> World:
    return World(traffic=TrafficState(weight=5.0), slices=slices, past_slices=past, source_error=error)


def seen(name: str, metric: SliceMetric, canary: tuple[int, int], stable: tuple[int, int]) -> SliceObservation:
    block = Block(canary_n=canary[0], canary_bad=canary[1], stable_n=stable[0], stable_bad=stable[1])
    return SliceObservation(key=SliceKey(name=name, metric=metric), weight=5.0, tick=1, block=block)


def following(rollout: Rollout) -> Rollout:
    return replace(rollout, slices=live_slices.absorb(rollout, world(past=PAST)))


def parts(found: SlicesEvidence | None) -> dict[SliceKey, object]:
    assert found is not None
    return dict(zip(found.keys, found.mixed.parts, strict=True))


def test_slices_are_frozen_once_those_of_enough_answers_are_known() -> None:
    new = watching()
    assert live_slices.absorb(new, world(past=replace(PAST, answers=299))) is None
    assert live_slices.absorb(new, world(past=PAST, error="gone")) is None
    assert live_slices.absorb(replace(new, evidence={}), world(past=PAST)) is None
    chosen = live_slices.absorb(new, world(past=PAST))
    assert chosen is not None
    assert [(key.name, key.metric) for key in chosen.keys] == [
        ("SEX=1", "errors"), ("SEX=1", "quality"), ("SEX=2", "errors"), ("SEX=2", "quality"),
    ]  # fmt: skip
    later = replace(new, slices=chosen)
    other = PastSlices(answers=900, slices=(PastSlice(name="SEX=3", answers=900),))
    assert live_slices.absorb(later, world(past=other)) == chosen


def test_the_most_frequent_slices_are_followed_and_rare_ones_are_not() -> None:
    many = tuple(PastSlice(name=f"RAC1P={n:02}", answers=100 - n) for n in range(95))
    chosen = live_slices.begin(watching(quality=False), PastSlices(answers=5000, slices=many))
    assert chosen is not None
    assert [key.name for key in chosen.keys] == [f"RAC1P={n:02}" for n in range(50)]
    rare = PastSlices(answers=5000, slices=(PastSlice(name="SEX=9", answers=9),))
    assert live_slices.begin(watching(), rare) is None


def test_margins_are_twice_those_of_the_whole_and_the_past_is_that_of_the_slice() -> None:
    labelled = PastSlices(answers=300, slices=(PastSlice(name="SEX=1", answers=300, labelled=180, wrong=60),))
    found = live_slices.begin(watching(), labelled)
    assert found is not None
    errors, quality = found.mixed.parts
    assert (errors.margin, quality.margin) == (0.005, 0.01)
    assert (errors.prior_n, errors.prior_bad) == (20.0, pytest.approx(20 * 0.002))
    assert (quality.prior_n, quality.prior_bad) == (200.0, pytest.approx(60 + 20 * 0.08))


def test_without_any_past_nothing_is_borrowed() -> None:
    bare = watching(history=History(requests=0, errors=0, slow=0, slow_after_ms=40.0))
    found = live_slices.begin(bare, PAST)
    assert found is not None
    assert {part.prior_n for part in found.mixed.parts} == {0.0}


def test_blocks_speak_for_their_own_slice_and_others_are_left_alone() -> None:
    begun = following(watching())
    unknown, mine = seen("SEX=3", "errors", (50, 50), (900, 0)), seen("SEX=2", "errors", (50, 20), (900, 2))
    after = live_slices.absorb(begun, world(unknown, mine))
    before = parts(begun.slices)
    changed = [key for key, part in parts(after).items() if part != before[key]]
    assert changed == [SliceKey(name="SEX=2", metric="errors")]
    assert live_slices.absorb(begun, world(mine, error="gone")) == begun.slices


def test_counts_are_divided_by_the_design_effect_of_the_metric() -> None:
    begun = following(watching(history=replace(HISTORY, design_effects={"errors": 4.0})))
    after = live_slices.absorb(begun, world(seen("SEX=2", "errors", (40, 4), (400, 4))))
    part = parts(after)[SliceKey(name="SEX=2", metric="errors")]
    assert (part.canary_n, part.stable_n) == (10.0, 100.0)  # type: ignore[attr-defined]


def test_the_mean_is_compared_at_the_end_of_a_look_only() -> None:
    begun = following(watching())
    bad, good = seen("SEX=2", "errors", (60, 20), (900, 0)), seen("SEX=2", "errors", (4000, 0), (900, 100))
    within = live_slices.absorb(begun, world(bad, good))
    assert within is not None
    assert within.mixed.peak_log_e == 0.0
    apart = replace(begun, slices=live_slices.absorb(begun, world(bad)))
    after = live_slices.absorb(apart, world(good))
    assert after is not None
    assert after.mixed.peak_log_e > 7


def test_one_bad_slice_reaches_the_limit_and_is_named() -> None:
    rollout = following(watching())
    looks = 0
    while not (found := live_slices.standing(rollout)) or not found.degraded:
        rollout = replace(
            rollout, slices=live_slices.absorb(rollout, world(seen("SEX=2", "errors", (40, 4), (900, 2))))
        )
        looks += 1
    assert looks < 10
    assert (found.limit, found.worst.name, found.worst.metric) == (pytest.approx(1000), "SEX=2", "errors")
    told = live_slices.in_words(found)
    assert told.startswith("slices: in SEX=2 the canary fails on 10.00% of the requests, stable 0.22% (e ")
    assert sequential.log_e_value(rollout.slices.mixed.parts[0]) == pytest.approx(0.0)  # type: ignore[union-attr]
    summary = live_slices.summary(rollout)
    assert summary is not None
    assert ([each.name for each in summary.slices], summary.followed) == (["SEX=2"], 4)


def test_what_is_missing_is_said_until_the_canary_was_seen_in_each_declaration() -> None:
    wanted = (LiveSlice(columns=("SEX",)), LiveSlice(columns=("SEX", "AGEP"), bins=(30.0,)))
    rollout = watching(slices=wanted)
    assert list(live_slices.missing(rollout)) == [
        "slices not observed yet: 300 answers of stable are needed to choose them"
    ]
    names = ("SEX=1", "SEX=1 & AGEP<30", "SEXUAL=1 & AGEP=[30,40)")
    past = PastSlices(answers=500, slices=tuple(PastSlice(name=name, answers=400) for name in names))
    rollout = replace(rollout, slices=live_slices.begin(rollout, past))
    assert list(live_slices.missing(rollout)) == [
        "slices by SEX not yet observed on the canary",
        "slices by SEX & AGEP not yet observed on the canary",
    ]
    heard = world(seen("SEX=1", "errors", (5, 0), (90, 0)), seen("SEX=1 & AGEP<30", "errors", (5, 0), (90, 0)))
    assert list(live_slices.missing(replace(rollout, slices=live_slices.absorb(rollout, heard)))) == []


def test_who_does_not_ask_for_slices_gets_none() -> None:
    plain = watching(slices=())
    assert live_slices.absorb(plain, world(past=PAST)) is None
    assert (live_slices.standing(plain), list(live_slices.missing(plain))) == (None, [])
    assert live_slices.summary(plain) is None
