from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatewright.domain.evidence import Block, BlockEvidence, Direction
from gatewright.stats import sequential

DIRECTIONS: st.SearchStrategy[Direction] = st.sampled_from(("worse", "acceptable"))
MARGINS = st.one_of(st.just(0.0), st.floats(1e-4, 0.3))


@st.composite
def counts(draw: st.DrawFn, at_most: int = 2000) -> tuple[int, int]:
    n = draw(st.integers(0, at_most))
    return n, draw(st.integers(0, n))


@st.composite
def blocks(draw: st.DrawFn, at_most: int = 2000) -> Block:
    (canary_n, canary_bad), (stable_n, stable_bad) = draw(counts(at_most)), draw(counts(at_most))
    return Block(canary_n=canary_n, canary_bad=canary_bad, stable_n=stable_n, stable_bad=stable_bad)


@st.composite
def evidence(draw: st.DrawFn) -> BlockEvidence:
    n, bad = draw(counts(5000))
    state = sequential.start(draw(DIRECTIONS), draw(MARGINS), bad, n)
    for block in draw(st.lists(blocks(), max_size=4)):
        state = sequential.update(state, block)
    return state


@given(evidence(), blocks())
def test_one_more_bad_canary_answer_speaks_against_the_canary(state: BlockEvidence, block: Block) -> None:
    assume(block.canary_bad < block.canary_n)
    before = sequential.update(state, block)
    after = sequential.update(state, replace(block, canary_bad=block.canary_bad + 1))
    sign = 1 if state.direction == "worse" else -1
    pairs = zip(after.log_e, before.log_e, strict=True)
    assert all(sign * (new - old) >= -1e-9 * abs(old) for new, old in pairs)


@given(evidence(), blocks())
def test_one_more_bad_stable_answer_speaks_for_the_canary(state: BlockEvidence, block: Block) -> None:
    assume(block.stable_bad < block.stable_n)
    before = sequential.update(state, block)
    after = sequential.update(state, replace(block, stable_bad=block.stable_bad + 1))
    sign = -1 if state.direction == "worse" else 1
    pairs = zip(after.log_e, before.log_e, strict=True)
    assert all(sign * (new - old) >= -1e-9 * abs(old) for new, old in pairs)


@given(evidence(), blocks(), st.booleans())
def test_an_empty_arm_leaves_the_evidence_as_it_was(state: BlockEvidence, block: Block, canary: bool) -> None:
    arm = "canary" if canary else "stable"
    after = sequential.update(state, replace(block, **{f"{arm}_n": 0, f"{arm}_bad": 0}))
    assert (after.log_e, after.peak_log_e) == (state.log_e, state.peak_log_e)


@given(evidence(), blocks())
def test_a_state_survives_storage(state: BlockEvidence, block: Block) -> None:
    assert BlockEvidence(**asdict(state)) == state
    stored = json.loads(json.dumps(asdict(state)))
    read = BlockEvidence(**{**stored, "log_e": tuple(stored["log_e"])})
    assert sequential.update(read, block) == sequential.update(state, block)


@given(evidence(), blocks(at_most=10**7), st.floats(1.0, 50.0))
def test_evidence_stays_finite_and_the_peak_never_falls(
    state: BlockEvidence, block: Block, design_effect: float
) -> None:
    after = sequential.update(state, block, design_effect)
    assert all(math.isfinite(log_e) for log_e in after.log_e)
    assert after.peak_log_e >= max(state.peak_log_e, sequential.log_e_value(after))


@given(evidence(), st.integers(1, 6), st.integers(1, 6), st.floats(0, 1), st.floats(0, 1))
def test_no_rates_in_the_null_are_expected_to_gain(
    state: BlockEvidence, n_c: int, n_s: int, stable: float, depth: float
) -> None:
    if state.direction == "worse":
        canary = min(1.0, stable + state.margin) * (1.0 - depth**4)
    else:
        assume(stable + state.margin <= 1.0)
        canary = stable + state.margin + depth**4 * (1.0 - stable - state.margin)
    gain, before = 0.0, sequential.log_e_value(state)
    for k_c in range(n_c + 1):
        for k_s in range(n_s + 1):
            block = Block(canary_n=n_c, canary_bad=k_c, stable_n=n_s, stable_bad=k_s)
            chance = binomial(n_c, k_c, canary) * binomial(n_s, k_s, stable)
            gain += chance * math.exp(sequential.log_e_value(sequential.update(state, block)) - before)
    assert gain <= 1.0 + 1e-9


@given(st.lists(counts(50), max_size=30))
def test_a_design_effect_is_never_below_one(users: list[tuple[int, int]]) -> None:
    assert sequential.design_effect(users) >= 1.0


@given(st.floats(0, 1), st.floats(1e-3, 0.5), st.integers(0, 10**6))
def test_enough_requests_bring_three_standard_errors_within_the_margin(p: float, margin: float, floor: int) -> None:
    n = sequential.enough_requests(p, margin, floor)
    assert n >= floor
    if n:
        assert 3 * math.sqrt(p * (1 - p) / n) <= margin * (1 + 1e-6)
    else:
        assert p * (1 - p) == pytest.approx(0.0, abs=1e-9)


def binomial(n: int, k: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1.0 - p) ** (n - k)
