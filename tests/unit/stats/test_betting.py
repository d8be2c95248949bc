"""The betting e-process: what it keeps of a block, what it bets, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gatewright.domain.evidence import Block, BlockEvidence, Direction, Losses
from gatewright.stats import betting, sequential

LEVELS = len(betting.LEVELS)


def losses(canary: list[float], stable: list[float]) -> Losses:
    return Losses(canary=betting.spread(canary), stable=betting.spread(stable))


def after(state: BlockEvidence, *blocks: Losses) -> BlockEvidence:
    for block in blocks:
        state = betting.update(state, block)
    return state


def begun(direction: Direction = "worse", margin: float = 0.01) -> BlockEvidence:
    return betting.start(direction, margin, 1000, 200.0, 60.0)


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.07, 0.5, 0.999, 1.0])
def test_a_loss_is_divided_so_that_its_mean_is_kept(loss: float) -> None:
    counts = betting.spread([loss])
    assert sum(counts) == pytest.approx(1.0)
    assert sum(count * level for count, level in zip(counts, betting.LEVELS, strict=True)) == pytest.approx(loss)
    assert sum(count > 1e-9 for count in counts) <= 2


@pytest.mark.parametrize("loss", [-0.01, 1.01, math.nan, math.inf])
def test_what_is_no_loss_is_refused(loss: float) -> None:
    with pytest.raises(ValueError, match="a number from 0 to 1"):
        betting.spread([loss])


def test_impossible_states_and_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="squares"):
        betting.start("worse", 0.01, 10, 4.0, 5.0)
    with pytest.raises(ValueError, match="as many in both arms"):
        Losses(canary=(1.0, 2.0), stable=(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match="finite"):
        Losses(canary=(1.0, -2.0), stable=(1.0, 2.0))
    with pytest.raises(ValueError, match="counts bad requests"):
        betting.update(sequential.start("worse", 0.01, 1, 10), losses([1.0], [0.0]))
    with pytest.raises(ValueError, match="design_effect"):
        betting.update(begun(), losses([1.0], [0.0]), 0.0)


def test_one_bet_is_what_the_page_says() -> None:
    state = replace(begun("acceptable"), log_e=(0.0,) * 5)
    seen = after(state, losses([0.0, 0.5], [0.0, 1.0, 1.0]))
    variance = (1000 * (0.06 - 0.04) + 0.25) / 1001
    for excess, log_e in zip((0.02, 0.015, 0.0125, 0.01, 0.0075), seen.log_e, strict=True):
        stake, b = excess / (variance * (1 / 2 + 1 / 3)), 0.2 - excess * 2 / 5
        a = b + 0.01
        canary = [1 - stake / 2 * (x - a) for x in (0.0, 0.5)]
        stable = [1 + stake / 3 * (y - b) for y in (0.0, 1.0, 1.0)]
        assert math.exp(log_e) == pytest.approx(math.prod(canary) * math.prod(stable))


def test_counters_are_sums_of_losses_and_of_stables_squares() -> None:
    seen = after(begun(), losses([0.25, 0.75], [0.5, 0.1]))
    assert (seen.canary_n, seen.stable_n) == pytest.approx((2.0, 2.0))
    assert (seen.canary_bad, seen.stable_bad) == pytest.approx((1.0, 0.6))
    assert seen.squares == pytest.approx(60 + 0.25 + 0.01)


def test_an_empty_arm_leaves_the_evidence_and_no_history_only_teaches() -> None:
    state = begun()
    assert after(state, losses([], [0.5, 0.5])).log_e == state.log_e
    assert after(state, losses([0.5], [])).log_e == state.log_e
    fresh = betting.start("worse", 0.01, 0, 0.0, 0.0)
    taught = after(fresh, losses([1.0] * 50, [0.0] * 50))
    assert taught.log_e == fresh.log_e
    assert after(taught, losses([1.0] * 50, [0.0] * 50)).peak_log_e > 5


def test_history_weighs_at_most_two_thousand() -> None:
    state = betting.start("worse", 0.01, 20_000, 4000.0, 1200.0)
    assert (state.prior_n, state.prior_bad, state.squares) == pytest.approx((2000.0, 400.0, 120.0))


def test_losses_of_nothing_and_everything_count_like_good_and_bad_requests() -> None:
    """The same direction and nearly the same size as the block e-process of events, whose bets they are."""
    numbers, events = betting.start("worse", 0.01, 2000, 160.0, 160.0), sequential.start("worse", 0.01, 160, 2000)
    for _ in range(10):
        numbers = after(numbers, losses([1.0] * 40 + [0.0] * 160, [1.0] * 64 + [0.0] * 736))
        events = sequential.update(events, Block(canary_n=200, canary_bad=40, stable_n=800, stable_bad=64))
    assert numbers.peak_log_e == pytest.approx(events.peak_log_e, rel=0.1)
    assert numbers.peak_log_e > 20


def test_a_design_effect_divides_the_counts() -> None:
    block = losses([1.0] * 8, [0.0] * 80)
    thinned = Losses(canary=tuple(c / 4 for c in block.canary), stable=tuple(c / 4 for c in block.stable))
    assert betting.update(begun(), block, 4.0).log_e == pytest.approx(betting.update(begun(), thinned).log_e)
    assert betting.update(begun(), block, 0.5) == betting.update(begun(), block)


def test_no_block_however_extreme_can_ruin_a_bettor() -> None:
    for direction, margin in (("worse", 0.01), ("acceptable", 0.01), ("worse", 0.0), ("worse", 0.98)):
        for canary, stable in ((0.0, 1.0), (1.0, 0.0)):
            start = betting.start(direction, margin, 1000, 5.0, 0.5)  # type: ignore[arg-type]
            seen = after(start, losses([canary] * 3, [stable] * 2))
            assert all(math.isfinite(log_e) for log_e in seen.log_e)
            assert all(log_e >= 5 * math.log(0.1) + math.log(0.5) - 1e-9 for log_e in seen.log_e)


def test_growth_is_what_a_block_of_losses_at_mean_and_deviation_brings() -> None:
    canary, stable = [0.1] * 50 + [0.4] * 50, [0.1] * 500 + [0.4] * 500
    state = betting.start("worse", 0.01, 2000, 500.0, 2000 * (0.25**2 + 0.15**2))
    seen = after(replace(state, log_e=(0.0,) * 6, cash=0.0), losses(canary, stable))
    expected = betting.growth(state, 0.25, 0.25, canary_n=100, stable_n=1000)
    assert expected == pytest.approx(seen.log_e, rel=0.01)
    assert betting.growth(state, 0.34, 0.26, canary_n=0, stable_n=10) == (0.0,) * 6
    divided = betting.growth(state, 0.3, 0.25, canary_n=200, stable_n=2000, design_effect=2.0)
    assert divided == betting.growth(state, 0.3, 0.25, canary_n=100, stable_n=1000)
    assert divided[0] > expected[0]


def test_users_whose_losses_are_alike_count_less() -> None:
    alike = [[0.2] * 5, [0.8] * 5] * 10
    assert betting.design_effect(alike) == pytest.approx(5 * 20 / 19)
    assert betting.design_effect([[0.2, 0.8], [0.8, 0.2]] * 10) == 1.0
    assert betting.design_effect([[0.1, 0.9]]) == betting.design_effect([[0.5], [0.5]]) == 1.0


def test_enough_losses_bring_three_standard_errors_within_the_margin() -> None:
    state = betting.start("acceptable", 0.02, 2000, 500.0, 135.0)
    variance = (2000 * (135 / 2000 - 0.0625) + 0.25) / 2001
    assert betting.variance(state) == pytest.approx(variance)
    assert betting.enough_losses(state, 10) == math.ceil(9 * variance / 0.02**2)
    assert betting.enough_losses(state, 10_000) == 10_000
    assert betting.variance(betting.start("worse", 0.01, 0, 0.0, 0.0)) == 0.25
