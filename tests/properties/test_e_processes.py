"""Every e-process, enumerated: whatever its past, no block within the null is expected to make it grow.

The block e-process itself is enumerated in `test_sequential`. What is expected to grow here is what is compared with
1/alpha: the whole wealth, cash and all parts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gatewright.domain.evidence import (
    Block,
    BlockEvidence,
    Cells,
    Difference,
    Direction,
    History,
    Losses,
    PastSlice,
    PastSlices,
    SliceKey,
    SliceObservation,
)
from gatewright.domain.rollout import LiveSlice, Rollout, TrafficState, World
from gatewright.rules import evidence, live_slices
from gatewright.stats import betting, breaker, confidence, drift, sequential
from tests.properties.test_sequential import binomial
from tests.scenarios.rollout_story import POLICY, rollout

NO_GAIN = 1.0 + 1e-9
SHARES = st.floats(0, 1)


def multinomial(shares: tuple[float, ...], n: int) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every way in which n things fall into cells, with its probability."""
    for counts in itertools.product(range(n + 1), repeat=len(shares)):
        if sum(counts) == n:
            ways = math.factorial(n) // math.prod(map(math.factorial, counts))
            yield counts, ways * math.prod(share**count for share, count in zip(shares, counts, strict=True))


@given(
    st.lists(st.tuples(st.integers(0, 50), SHARES), max_size=4),
    st.integers(1, 12),
    st.floats(1e-3, 1.0),
    st.floats(0, 1),
)
def test_the_breaker(past: list[tuple[int, float]], n: int, limit: float, depth: float) -> None:
    state: tuple[float, ...] = ()
    for size, share in past:
        state = breaker.update(state, size, round(size * share), limit)
    rate = limit * (1.0 - depth**4)
    before = breaker.log_e_value(state)
    gain = sum(
        binomial(n, bad, rate) * math.exp(breaker.log_e_value(breaker.update(state, n, bad, limit)) - before)
        for bad in range(n + 1)
    )
    assert gain <= NO_GAIN


@st.composite
def bettors(draw: st.DrawFn) -> BlockEvidence:
    direction: Direction = draw(st.sampled_from(("worse", "acceptable")))
    margin = draw(st.one_of(st.just(0.0), st.floats(1e-4, 0.3)))
    n, mean, within = draw(st.integers(0, 3000)), draw(SHARES), draw(SHARES)
    state = betting.start(direction, margin, n, n * mean, n * mean * (mean + within * (1.0 - mean)))
    arms = st.lists(SHARES, max_size=6)
    for _ in range(draw(st.integers(0, 3))):
        state = betting.update(state, losses(draw(arms), draw(arms)))
    return state


def losses(canary: list[float], stable: list[float]) -> Losses:
    return Losses(canary=betting.spread(canary), stable=betting.spread(stable))


@settings(deadline=None)
@given(
    bettors(),
    st.lists(st.tuples(SHARES, SHARES, SHARES), min_size=1, max_size=3),
    st.lists(st.tuples(SHARES, SHARES, SHARES), min_size=1, max_size=3),
)
def test_bets_on_losses_of_any_two_values_each(
    state: BlockEvidence, canary: list[tuple[float, float, float]], stable: list[tuple[float, float, float]]
) -> None:
    """Each loss has a distribution of its own on two values: (value, other value, probability of the other)."""

    def mean(arm: list[tuple[float, float, float]]) -> float:
        return sum(low + (high - low) * p for low, high, p in arm) / len(arm)

    beyond = mean(canary) - mean(stable) - state.margin
    assume(beyond <= 0.0 if state.direction == "worse" else beyond >= 0.0)
    before, gain = sequential.log_e_value(state), 0.0
    for drawn in itertools.product((0, 1), repeat=len(canary) + len(stable)):
        values = [
            (each[side], each[2] if side else 1.0 - each[2]) for each, side in zip(canary + stable, drawn, strict=True)
        ]
        chance = math.prod(p for _, p in values)
        block = losses([x for x, _ in values[: len(canary)]], [y for y, _ in values[len(canary) :]])
        gain += chance * math.exp(sequential.log_e_value(betting.update(state, block)) - before)
    assert gain <= NO_GAIN


@settings(deadline=None, max_examples=60)
@given(
    st.booleans(),
    st.floats(0.01, 0.3),
    st.lists(SHARES, min_size=3, max_size=3),
    st.lists(SHARES, min_size=3, max_size=3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=3),
)
def test_the_mean_over_events_and_directions_of_a_drift(
    classes: bool,
    margin: float,
    stable: list[float],
    towards: list[float],
    n_c: int,
    n_s: int,
    past: list[tuple[int, ...]],
) -> None:
    """The canary's shares lie between stable's and others, as far away as the margin allows for every event."""
    assume(sum(stable) > 0.1)
    assume(sum(towards) > 0.1)
    p_s = tuple(share / sum(stable) for share in stable)
    other = tuple(share / sum(towards) for share in towards)
    cells = Cells(classes=classes, points=(0.0, 1.0, 2.0) if classes else (0.0, 1.0))
    empty = (0,) if classes else ()
    apart = max(abs(x - y) for x, y in zip(followed(cells, other), followed(cells, p_s), strict=True))
    step = min(1.0, margin / apart) if apart else 1.0
    p_c = tuple(s + step * (o - s) for s, o in zip(p_s, other, strict=True))
    state = drift.start(cells, margin, (10, 20, 30, *empty))
    for counts in past:
        state = drift.update(state, cells, (*counts, *empty), (*reversed(counts), *empty))
    before, gain = drift.log_e_value(state), 0.0
    for (canary, chance), (seen, likely) in itertools.product(multinomial(p_c, n_c), multinomial(p_s, n_s)):
        after = drift.update(state, cells, (*canary, *empty), (*seen, *empty))
        gain += chance * likely * math.exp(drift.log_e_value(after) - before)
    assert gain <= NO_GAIN


def followed(cells: Cells, shares: tuple[float, ...]) -> tuple[float, ...]:
    """The share of each event, as `drift.events` counts them."""
    return shares if cells.classes else (shares[1] + shares[2], shares[2])


@given(
    st.lists(st.tuples(st.integers(0, 60), SHARES, st.integers(0, 60), SHARES), max_size=3),
    st.integers(1, 5),
    st.integers(1, 5),
    SHARES,
    SHARES,
    st.sampled_from((1.0, -1.0)),
)
def test_the_bets_behind_an_interval(
    past: list[tuple[int, float, int, float]], n_c: int, n_s: int, canary: float, stable: float, sign: float
) -> None:
    """They are about the true difference, whatever it is."""
    known, state = Difference(), sequential.start("worse", 0.01, 5, 100)
    for size_c, share_c, size_s, share_s in past:
        bad = round(size_c * share_c), round(size_s * share_s)
        block = Block(canary_n=size_c, canary_bad=bad[0], stable_n=size_s, stable_bad=bad[1])
        known, state = confidence.update(known, state, block), sequential.update(state, block)
    truth, gain = canary - stable, 0.0
    before = confidence.log_wealth(known, truth, sign)
    for k_c, k_s in itertools.product(range(n_c + 1), range(n_s + 1)):
        chance = binomial(n_c, k_c, canary) * binomial(n_s, k_s, stable)
        block = Block(canary_n=n_c, canary_bad=k_c, stable_n=n_s, stable_bad=k_s)
        gain += chance * math.exp(confidence.log_wealth(confidence.update(known, state, block), truth, sign) - before)
    assert gain <= NO_GAIN


def watching() -> Rollout:
    """Two overlapping slices, A and B, of errors."""
    past = PastSlices(answers=900, slices=(PastSlice(name="A=1", answers=500), PastSlice(name="B=1", answers=400)))
    wanted = (LiveSlice(columns=("A",)), LiveSlice(columns=("B",)))
    history = History(requests=5000, errors=50, slow=50, slow_after_ms=40.0)
    new = evidence.begin(rollout(policy=replace(POLICY, slices=wanted)), history)
    return replace(new, slices=live_slices.begin(new, past))


def look(cells: tuple[tuple[int, int], ...]) -> World:
    """A look with (failed, not failed) of the canary and then of stable, each in A alone, in both, in B alone."""

    def block(canary: tuple[tuple[int, int], ...], stable: tuple[tuple[int, int], ...]) -> Block:
        return Block(
            canary_n=sum(map(sum, canary)),
            canary_bad=sum(bad for bad, _ in canary),
            stable_n=sum(map(sum, stable)),
            stable_bad=sum(bad for bad, _ in stable),
        )

    canary, stable = cells[:3], cells[3:]
    blocks = {"A=1": block(canary[:2], stable[:2]), "B=1": block(canary[1:], stable[1:])}
    slices = tuple(
        SliceObservation(key=SliceKey(name=name, metric="errors"), weight=5.0, tick=1, block=block)
        for name, block in blocks.items()
    )
    return World(traffic=TrafficState(weight=5.0), slices=slices)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(SHARES, st.floats(0, 1)), min_size=3, max_size=3),
    st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=6, max_size=6), max_size=2),
)
def test_the_mean_over_slices_that_overlap(rates: list[tuple[float, float]], past: list[list[tuple[int, int]]]) -> None:
    """One request of each arm in A alone, in both, in B alone; the canary fails there at most twice the margin more."""
    state = watching()
    assert state.slices is not None
    margin = state.slices.mixed.parts[0].margin
    for cells in past:
        state = replace(state, slices=live_slices.absorb(state, look(tuple(cells))))
    stable = [rate for rate, _ in rates]
    canary = [min(1.0, rate + margin) * (1.0 - depth**4) for rate, depth in rates]
    assert state.slices is not None
    before, gain = drift.log_e_value(state.slices.mixed), 0.0
    for failed in itertools.product((0, 1), repeat=6):
        chance = math.prod(p if bad else 1.0 - p for p, bad in zip(canary + stable, failed, strict=True))
        after = live_slices.absorb(state, look(tuple((bad, 1 - bad) for bad in failed)))
        assert after is not None
        gain += chance * math.exp(drift.log_e_value(after.mixed) - before)
    assert gain <= NO_GAIN
