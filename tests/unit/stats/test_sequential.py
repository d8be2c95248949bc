from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from gatewright.domain.evidence import Block, BlockEvidence, Direction
from gatewright.stats import sequential

MARGINS = (0.0, 0.0025, 0.005, 0.05)
HISTORY_RATES = (0.0, 0.002, 0.01, 0.1, 0.5, 0.97)
SIZES = ((1, 1), (1, 2), (2, 1), (1, 19), (19, 1), (3, 5), (5, 3), (2, 9))
SUP = 1.0 + 1e-9


def started(direction: Direction = "worse", margin: float = 0.0025, rate: float = 0.01) -> BlockEvidence:
    return sequential.start(direction, margin, rate * 1000, 1000)


def bare(state: BlockEvidence) -> BlockEvidence:
    """The same with all wealth in the alternatives and no cash."""
    return replace(state, log_e=(0.0,) * len(state.log_e), cash=0.0)


def block(canary_n: int = 15, canary_bad: int = 0, stable_n: int = 285, stable_bad: int = 0) -> Block:
    return Block(canary_n=canary_n, canary_bad=canary_bad, stable_n=stable_n, stable_bad=stable_bad)


def probabilities(n: int, rates: np.ndarray) -> np.ndarray:
    """Binomial probabilities, shape (rates, n + 1)."""
    k = np.arange(n + 1)
    ways = np.array([math.comb(n, int(i)) for i in k], dtype=float)
    return ways * rates[:, None] ** k * (1.0 - rates[:, None]) ** (n - k)


def null_points(direction: Direction, margin: float, boundary: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """(canary, stable) rates on the boundary a = b + margin and at several depths inside the null."""
    stable = np.concatenate([np.geomspace(1e-7, 0.3, 25), np.linspace(0.0, 1.0, 21), boundary])
    depths = np.array([0.0, 1e-4, 1e-3, 0.01, 0.1, 0.4]) * (-1 if direction == "worse" else 1)
    points = [(b + margin + depth, b) for b, depth in product(stable, depths)]
    kept = np.array([(a, b) for a, b in points if 0.0 <= a <= 1.0])
    return kept[:, 0], kept[:, 1]


def all_e_values(state: BlockEvidence, n_c: int, n_s: int, design_effect: float = 1.0) -> np.ndarray:
    """Factor by which each alternative grows, for every outcome of a block, shape (alternatives, n_c + 1, n_s + 1).

    The alternatives are looked at without cash; `wealths` looks at the whole.
    """
    bare = replace(state, cash=0.0)
    grid = [
        [sequential.update(bare, block(n_c, k_c, n_s, k_s), design_effect).log_e for k_s in range(n_s + 1)]
        for k_c in range(n_c + 1)
    ]
    gained: np.ndarray = np.exp(np.moveaxis(np.array(grid) - np.array(state.log_e), -1, 0))
    return gained


def wealths(state: BlockEvidence, n_c: int, n_s: int) -> np.ndarray:
    """E-value of the whole process after every outcome of a block, shape (n_c + 1, n_s + 1)."""
    grid = [
        [sequential.log_e_value(sequential.update(state, block(n_c, k_c, n_s, k_s))) for k_s in range(n_s + 1)]
        for k_c in range(n_c + 1)
    ]
    return np.exp(np.array(grid))


def projections(state: BlockEvidence, n_c: int, n_s: int, rate: float) -> list[float]:
    """The stable rates of the null points that belong to the alternatives."""
    t_s = min(max(rate, 1e-6), 0.98)
    rates = [t_s + state.margin * k for k in (-1, -0.5, -0.25, 0, 0.25, 1.5, 2, 3, 4.5, 9, 30)]
    if state.margin == 0:
        risks = (1.1, 1.3, 1.9, 3.7, 9, 25)
        rates = [t_s * risk for risk in risks] + [t_s / risk for risk in risks]
    clipped = [min(max(t_c, 1e-6), 0.98) for t_c in rates]
    return [sequential.nearest_null(t, t_s, state.margin, canary_n=n_c, stable_n=n_s)[1] for t in clipped]


class TestExactEnumeration:
    @pytest.mark.parametrize("rate", HISTORY_RATES)
    @pytest.mark.parametrize("margin", MARGINS)
    @pytest.mark.parametrize("direction", ["worse", "acceptable"])
    def test_no_null_point_has_an_expectation_above_one(self, direction: Direction, margin: float, rate: float) -> None:
        state = started(direction, margin, rate)
        for n_c, n_s in SIZES:
            e = all_e_values(state, n_c, n_s)
            p_c, p_s = null_points(direction, margin, projections(state, n_c, n_s, rate))
            expected = np.einsum("pc,acs,ps->ap", probabilities(n_c, p_c), e, probabilities(n_s, p_s))
            assert expected.max() <= SUP, (n_c, n_s)
            # At the projection itself the expectation is exactly one: nothing was given away.
            assert expected.max(axis=1) == pytest.approx(1.0, abs=1e-9), (n_c, n_s)
            wealth = np.einsum(
                "pc,cs,ps->p", probabilities(n_c, p_c), wealths(state, n_c, n_s), probabilities(n_s, p_s)
            )
            assert wealth.max() <= SUP, (n_c, n_s)

    @pytest.mark.parametrize("margin", [0.0, 0.05])
    @pytest.mark.parametrize("direction", ["worse", "acceptable"])
    def test_two_blocks_whose_rates_drift_within_the_null(self, direction: Direction, margin: float) -> None:
        state = sequential.start(direction, margin, 1, 3)
        p_c, p_s = null_points(direction, margin, [])
        first_c, first_s = probabilities(2, p_c), probabilities(3, p_s)
        second_c, second_s = probabilities(4, p_c), probabilities(1, p_s)
        worst = np.zeros(len(p_c))
        for k_c, k_s in product(range(3), range(4)):
            after = sequential.update(state, block(2, k_c, 3, k_s))
            later = np.einsum("pc,cs,ps->p", second_c, wealths(after, 4, 1), second_s).max()
            worst += first_c[:, k_c] * first_s[:, k_s] * later
        assert worst.max() <= SUP

    def test_the_wealth_of_a_long_history_is_not_expected_to_grow(self) -> None:
        state = started("worse", 0.05, 0.1)
        for _ in range(300):
            state = sequential.update(state, block(20, 1, 60, 6))
        p_c, p_s = null_points("worse", 0.05, projections(state, 3, 5, 0.1))
        expected = np.einsum("pc,cs,ps->p", probabilities(3, p_c), wealths(state, 3, 5), probabilities(5, p_s))
        assert expected.max() <= math.exp(sequential.log_e_value(state)) * SUP

    def test_rates_that_differ_between_the_requests_of_a_block_only_lower_it(self) -> None:
        e = all_e_values(started("worse", 0.05, 0.1), 2, 2)
        uneven_c, uneven_s = (0.0, 0.4), (0.25, 0.05)

        def chances(p: float, q: float) -> np.ndarray:
            return np.array([(1 - p) * (1 - q), p + q - 2 * p * q, p * q])

        assert np.einsum("c,acs,s->a", chances(*uneven_c), e, chances(*uneven_s)).max() <= SUP

    def test_a_projection_blind_to_the_block_sizes_would_not_be_an_e_value(self) -> None:
        t_c, t_s, n_c, n_s = 0.3, 0.1, 1, 19
        a, b = sequential.nearest_null(t_c, t_s, 0.05, canary_n=1, stable_n=1)
        p_s = np.linspace(0.0, 0.95, 96)
        p_c = p_s + 0.05
        canary = p_c * t_c / a + (1 - p_c) * (1 - t_c) / (1 - a)
        stable = p_s * t_s / b + (1 - p_s) * (1 - t_s) / (1 - b)
        assert (canary**n_c * stable**n_s).max() > 1.5

    def test_a_design_effect_keeps_the_guarantee_for_independent_requests(self) -> None:
        state = started("worse", 0.05, 0.1)
        p_c, p_s = null_points("worse", 0.05, [])
        e = all_e_values(state, 3, 5, design_effect=2.3)
        expected = np.einsum("pc,acs,ps->ap", probabilities(3, p_c), e, probabilities(5, p_s))
        assert expected.max() <= SUP


class TestNearestNull:
    def test_at_margin_zero_it_is_the_pooled_rate(self) -> None:
        a, b = sequential.nearest_null(0.3, 0.1, 0.0, canary_n=1, stable_n=3)
        assert [a, b] == pytest.approx([0.15, 0.15])

    @pytest.mark.parametrize(("n_c", "n_s"), [(15, 285), (1, 1), (9999, 1), (1, 100_000)])
    @pytest.mark.parametrize(
        ("t_c", "t_s", "margin"),
        [(0.1, 0.002, 0.0025), (1e-6, 1e-6, 0.01), (0.98, 0.5, 0.05), (0.98, 0.98, 0.05), (1e-6, 0.01, 0.02)],
    )
    def test_no_other_boundary_point_is_nearer(self, t_c: float, t_s: float, margin: float, n_c: int, n_s: int) -> None:
        def divergence(b: float) -> float:
            fit_c = t_c * math.log(b + margin) + (1 - t_c) * math.log1p(-b - margin)
            return -n_c * fit_c - n_s * (t_s * math.log(b) + (1 - t_s) * math.log1p(-b))

        a, b = sequential.nearest_null(t_c, t_s, margin, canary_n=n_c, stable_n=n_s)
        assert a == b + margin
        others = [x for x in np.geomspace(1e-12, 1.0, 4000) if x + margin < 1.0]
        nearest = min(divergence(float(x)) for x in others)
        assert divergence(b) <= nearest + 1e-9 * abs(nearest)


class TestUpdate:
    def test_one_block_by_hand(self) -> None:
        state = sequential.update(bare(sequential.start("worse", 0.0, 10, 100)), block(4, 3, 12, 1))
        pooled = (4 * 0.19 + 12 * 0.1) / 16
        by_hand = (
            3 * math.log(0.19 / pooled)
            + math.log(0.81 / (1 - pooled))
            + math.log(0.1 / pooled)
            + 11 * math.log(0.9 / (1 - pooled))
        )
        assert state.log_e[2] == pytest.approx(by_hand, rel=1e-12)
        assert (state.canary_n, state.canary_bad, state.stable_n, state.stable_bad) == (4, 3, 12, 1)

    def test_the_stable_rate_comes_from_past_blocks_and_history(self) -> None:
        seen = sequential.update(sequential.start("worse", 0.01, 5, 500), block(0, 0, 500, 45))
        told = sequential.start("worse", 0.01, 50, 1000)
        following = block(20, 4, 80, 3)
        assert sequential.update(seen, following).log_e == sequential.update(told, following).log_e

    def test_without_history_the_first_block_only_teaches(self) -> None:
        before = sequential.start("worse", 0.01, 0, 0)
        state = sequential.update(before, block(50, 40, 50, 1))
        assert (state.log_e, state.cash) == (before.log_e, before.cash)
        assert sequential.log_e_value(sequential.update(state, block(50, 40, 50, 1))) > 10

    def test_history_weighs_at_most_two_thousand_requests(self) -> None:
        state = sequential.start("worse", 0.0025, 500, 100_000)
        assert [state.prior_n, state.prior_bad] == pytest.approx([2000, 10])
        assert sequential.start("worse", 0.0025, 3, 300).prior_n == 300

    @pytest.mark.parametrize("empty", [block(0, 0, 285, 3), block(15, 9, 0, 0), block(0, 0, 0, 0)])
    def test_a_block_with_an_empty_arm_is_no_evidence(self, empty: Block) -> None:
        before = sequential.update(started(), block(15, 2))
        after = sequential.update(before, empty)
        assert (after.log_e, after.cash) == (before.log_e, before.cash)
        assert after.stable_n == before.stable_n + empty.stable_n

    def test_an_alternative_clipped_into_the_null_is_no_evidence(self) -> None:
        state = sequential.update(bare(started("worse", 0.05, 0.97)), block(20, 20, 20, 0))
        assert state.log_e == (0.0,) * 6

    def test_only_some_alternatives_clipped_into_the_null(self) -> None:
        state = sequential.update(bare(started("worse", 0.05, 0.9)), block(20, 20, 20, 18))
        assert all(log_e > 0 for log_e in state.log_e)
        assert len(set(state.log_e[1:])) == 1

    def test_a_boundary_beyond_certainty_still_gives_finite_evidence(self) -> None:
        state = sequential.update(started("acceptable", 0.05, 0.99), block(40, 20, 40, 40))
        assert all(math.isfinite(log_e) for log_e in state.log_e)
        assert sequential.log_e_value(state) > 3

    def test_design_effect_divides_all_counts(self) -> None:
        plain = sequential.update(bare(started()), block(15, 3, 285, 2))
        halved = sequential.update(bare(started()), block(15, 3, 285, 2), design_effect=2.0)
        assert halved.log_e == pytest.approx([log_e / 2 for log_e in plain.log_e])
        assert (halved.canary_n, halved.stable_bad) == (7.5, 1.0)
        assert sequential.update(bare(started()), block(15, 3, 285, 2), design_effect=0.4) == plain

    def test_very_long_runs_do_not_overflow(self) -> None:
        state = sequential.update(started(), block(10**9, 5 * 10**8, 10**9, 10**7))
        assert sequential.log_e_value(state) > 1e6
        state = sequential.update(started(), block(10**9, 0, 10**9, 10**7))
        assert math.isfinite(sequential.log_e_value(state))


class TestAlarm:
    def test_it_latches_at_the_peak(self) -> None:
        high = sequential.update(started(), block(15, 5))
        low = high
        for _ in range(200):
            low = sequential.update(low, block(15, 0, 285, 4))
        assert sequential.log_e_value(low) < 0 < sequential.log_e_value(high)
        assert low.peak_log_e == sequential.log_e_value(high)
        assert sequential.alarmed(low, 0.003)

    def test_the_threshold_is_one_over_alpha(self) -> None:
        state = replace(started(), peak_log_e=math.log(20) + 1e-9)
        assert sequential.alarmed(state, 0.05)
        assert not sequential.alarmed(state, 0.0499)

    def test_the_e_value_is_the_cash_and_the_mean_over_the_alternatives(self) -> None:
        state = replace(started(), log_e=tuple(math.log(e) for e in (1.0, 2.0, 3.0, 6.0, 12.0, 60.0)), cash=0.25)
        assert sequential.log_e_value(state) == pytest.approx(math.log(14.25))
        assert sequential.log_e_value(started()) == pytest.approx(0.0, abs=1e-15)

    def test_nothing_seen_is_no_alarm_and_nothing_shown(self) -> None:
        assert not sequential.alarmed(started("worse"), 0.05)
        assert not sequential.alarmed(started("acceptable"), 0.05)

    def test_directions_answer_opposite_questions(self) -> None:
        bad, good = block(150, 30, 150, 1), block(900, 2, 900, 2)
        assert sequential.alarmed(sequential.update(started("worse", 0.02), bad), 0.01)
        assert not sequential.alarmed(sequential.update(started("acceptable", 0.02), bad), 0.05)
        assert not sequential.alarmed(sequential.update(started("worse", 0.02), good), 0.01)
        assert sequential.alarmed(sequential.update(started("acceptable", 0.02), good), 0.05)


class TestBrokenInput:
    @pytest.mark.parametrize("counts", [(5, 6, 1, 0), (5, -1, 1, 0), (-1, 0, 1, 0), (1, 0, 3, 4), (1, 0, -2, -3)])
    def test_impossible_counts(self, counts: tuple[int, int, int, int]) -> None:
        with pytest.raises(ValueError, match="bad"):
            block(*counts)

    @pytest.mark.parametrize("count", [math.nan, math.inf])
    def test_counts_that_are_no_numbers(self, count: float) -> None:
        with pytest.raises(ValueError, match="finite"):
            Block(canary_n=count, canary_bad=0, stable_n=1, stable_bad=0)  # type: ignore[arg-type]

    @pytest.mark.parametrize("effect", [0.0, -1.0, math.nan, math.inf])
    def test_design_effect(self, effect: float) -> None:
        with pytest.raises(ValueError, match="design_effect"):
            sequential.update(started(), block(), effect)

    @pytest.mark.parametrize("margin", [-0.01, 1.0, math.nan])
    def test_margin(self, margin: float) -> None:
        with pytest.raises(ValueError, match="margin"):
            sequential.start("worse", margin, 0, 0)

    @pytest.mark.parametrize("history", [(2, 1), (-1, 5), (math.nan, 5), (0, math.nan), (0, math.inf)])
    def test_history(self, history: tuple[float, float]) -> None:
        with pytest.raises(ValueError, match="history"):
            sequential.start("worse", 0.01, *history)

    @pytest.mark.parametrize("alpha", [0.0, -0.1, 1.5, math.nan])
    def test_alpha(self, alpha: float) -> None:
        with pytest.raises(ValueError, match="alpha"):
            sequential.alarmed(started(), alpha)

    def test_a_stored_state_that_does_not_fit_its_direction(self) -> None:
        with pytest.raises(ValueError, match="log_e has 6"):
            sequential.update(replace(started("worse"), direction="acceptable"), block())
        with pytest.raises(ValueError, match="direction"):
            replace(started(), direction="wrose")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("log_e", ()),
            ("log_e", (math.nan,) * 6),
            ("log_e", (-math.inf,) * 6),
            ("cash", -0.1),
            ("cash", 1.0),
            ("cash", math.nan),
            ("peak_log_e", -1.0),
            ("peak_log_e", math.nan),
        ],
    )
    def test_a_stored_state_that_no_update_leads_to(self, field: str, value: object) -> None:
        with pytest.raises(ValueError, match=field):
            replace(started(), **{field: value})  # type: ignore[arg-type]
