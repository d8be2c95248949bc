"""The sequential statistics of `gatewright.stats` for many rollouts at once: the same numbers, a column a rollout.

For simulations only. What a rollout really uses is the scalar code; tests/simulation/test_block_processes.py holds both
together on random blocks. Arrays are (alternatives, rollouts) or (rollouts,); buffers are made once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.evidence import Direction
from gatewright.stats import breaker, crowd, sequential
from gatewright.stats.wealth import CASH, CASH_SPENT

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
_CLOSE = 1e-9  # Newton's next step would be about the square of it


@dataclass(frozen=True, slots=True)
class Blocks:
    """One block of every rollout: requests and bad ones of both arms, (rollouts,).

    `weight`: the canary's share; `groups`: requests and bad ones of stable's users by group, (2, groups, rollouts).
    Only the luck with the users asks for these two.
    """

    canary_n: Counts
    canary_bad: Counts
    stable_n: Counts
    stable_bad: Counts
    weight: Floats | None = None
    groups: Counts | None = None

    def __add__(self, other: Blocks) -> Blocks:
        weight, groups = self.weight, self.groups
        if weight is None or other.weight is None:
            weight = other.weight if weight is None else weight
        else:
            weight = np.where(other.canary_n + other.stable_n > 0, other.weight, weight)
        if other.groups is not None:
            groups = other.groups if groups is None else groups + other.groups
        return Blocks(
            self.canary_n + other.canary_n,
            self.canary_bad + other.canary_bad,
            self.stable_n + other.stable_n,
            self.stable_bad + other.stable_bad,
            weight,
            groups,
        )

    def where(self, chosen: NDArray[np.bool_]) -> Blocks:
        """These blocks, empty for the rollouts that are not chosen."""
        counts = (self.canary_n, self.canary_bad, self.stable_n, self.stable_bad)
        groups = None if self.groups is None else self.groups * chosen
        return Blocks(*(count * chosen for count in counts), self.weight, groups)

    @staticmethod
    def none(rollouts: int) -> Blocks:
        nothing = np.zeros(rollouts, dtype=np.int64)
        return Blocks(nothing, nothing, nothing, nothing)


class Crowds:
    """`crowd.added` and `luck` of many rollouts, of one metric."""

    def __init__(self) -> None:
        self._n, self._bad = np.zeros(0), np.zeros(0)

    def luck(self, weight: Floats | None, design_effect: Floats | float) -> Floats | float:
        """Standard deviation of the difference of the arms that stays, by the blocks added so far."""
        if not self._n.size or weight is None:
            return 0.0
        groups, n, bad = self._n.shape[0], self._n.sum(axis=0), self._bad.sum(axis=0)
        p = bad / np.maximum(n, 1.0)
        by_chance = np.maximum(1.0, design_effect) * n * p * (1.0 - p)
        between = ((self._bad - self._n * p) ** 2).sum(axis=0) * groups / (groups - 1)
        beyond = between > by_chance * (1.0 + crowd._BEYOND_CHANCE * math.sqrt(2.0 / (groups - 1)))
        stays = beyond & (bad > 0) & (bad < n)
        squares = np.maximum((self._n**2).sum(axis=0), 1.0)
        return np.sqrt(np.where(stays, between - by_chance, 0.0) / squares / (groups * weight))

    def add(self, blocks: Blocks) -> None:
        if blocks.groups is not None:
            n, bad = blocks.groups.astype(np.float64)
            self._n, self._bad = (self._n + n, self._bad + bad) if self._n.size else (n, bad)


class BlockProcesses:
    """`sequential.start` and `update`; `margin`, `history_bad` and `history_n` are (rollouts,)."""

    def __init__(self, direction: Direction, margin: Floats, history_bad: Counts, history_n: Counts | int) -> None:
        rollouts = margin.shape[0]
        bad, n = np.broadcast_to(history_bad, rollouts), np.broadcast_to(history_n, rollouts)
        self.direction, self.margin = direction, margin
        first = sequential.start(direction, float(margin[0]), 0, 0)
        self.alternatives = len(first.log_e)
        shrink = np.minimum(1.0, sequential.PRIOR_CAP / np.maximum(n, 1))
        self.prior_bad, self.prior_n = bad * shrink, n * shrink
        self.log_e = np.full((self.alternatives, rollouts), first.log_e[0])
        self.cash = np.full(rollouts, first.cash)
        self.canary_n, self.canary_bad = np.zeros(rollouts), np.zeros(rollouts)
        self.stable_n, self.stable_bad = np.zeros(rollouts), np.zeros(rollouts)
        self.peak = np.zeros(rollouts)
        self._multiples = np.array(_multiples(direction, bool(margin[0])))[:, None]
        self._b = np.full_like(self.log_e, np.nan)
        self._room = [np.empty_like(self.log_e) for _ in range(8)]
        self._mask = np.empty(self.log_e.shape, dtype=bool)

    def update(self, blocks: Blocks, divisor: Floats | float = 1.0) -> None:
        """One more block of every rollout, its counts divided by `divisor` (at least 1)."""
        n_c, k_c = blocks.canary_n / divisor, blocks.canary_bad / divisor
        n_s, k_s = blocks.stable_n / divisor, blocks.stable_bad / divisor
        known = self.prior_n + self.stable_n
        active = (n_c > 0) & (n_s > 0) & (known > 0)
        if active.any():
            t_s = _clip((self.prior_bad + self.stable_bad) / np.where(known > 0, known, 1.0))
            self._grow(t_s, active, n_c, k_c, n_s, k_s)
            self._spend(active)
            np.maximum(self.peak, self.log_wealth(), out=self.peak)
        self.canary_n += n_c
        self.canary_bad += k_c
        self.stable_n += n_s
        self.stable_bad += k_s

    def log_wealth(self) -> Floats:
        """Natural logarithm of each e-value now."""
        top = np.maximum(self.log_e.max(axis=0), 0.0)
        summed = np.exp(self.log_e - top).sum(axis=0) / self.alternatives + self.cash * np.exp(-top)
        # Below e^-700 nothing is lost: without cash the maximum itself is the scale.
        if self.cash.any():
            return np.asarray(top + np.log(summed))
        top = self.log_e.max(axis=0)
        return np.asarray(top + np.log(np.exp(self.log_e - top).sum(axis=0) / self.alternatives))

    def alarmed(self, alpha: float) -> NDArray[np.bool_]:
        return np.asarray(self.peak >= -math.log(alpha))

    def stable_rate(self) -> Floats:
        """Stable's bad rate by history and all blocks, as `rules.evidence` asks it for the requests that are needed."""
        n = self.prior_n + self.stable_n
        return np.asarray((self.prior_bad + self.stable_bad) / np.where(n > 0, n, 1.0))

    def _grow(self, t_s: Floats, active: NDArray[np.bool_], n_c: Floats, k_c: Floats, n_s: Floats, k_s: Floats) -> None:
        t_c = self._canary_rates(t_s)
        w_c = np.where(active, n_c / np.where(active, n_c + n_s, 1.0), 0.5)
        self._project(t_c, t_s, w_c)
        b, a = self._b, self._room[0]
        np.add(b, self.margin, out=a)
        excess = t_c - t_s - self.margin
        wrong = (excess <= 0.0) if self.direction == "worse" else (excess >= 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = k_c * np.log(t_c / a)
            factor += (n_c - k_c) * (np.log1p(-t_c) - np.log1p(-a))
            factor += k_s * np.log(t_s / b)
            factor += (n_s - k_s) * (np.log1p(-t_s) - np.log1p(-b))
        factor[wrong | ~active] = 0.0
        self.log_e += factor

    def _canary_rates(self, t_s: Floats) -> Floats:
        if self.margin[0]:
            return _clip(t_s + self.margin * self._multiples)
        return _clip(t_s * self._multiples) if self.direction == "worse" else _clip(t_s / self._multiples)

    def _project(self, t_c: Floats, t_s: Floats, w_c: Floats) -> None:
        """`sequential.nearest_null`: Newton within brackets, from where the last block's ended."""
        if not self.margin[0]:
            np.add(w_c * t_c, (1.0 - w_c) * t_s, out=self._b)
            return
        margin, w_s = self.margin, 1.0 - w_c
        low, high, a, v_a, v_b, slope, steep, new = self._room
        np.subtract(t_c, margin, out=new)
        np.maximum(np.minimum(t_s, new), 0.0, out=low)
        np.minimum(np.maximum(t_s, new), 1.0 - margin, out=high)
        b = self._b
        inside = (b > low) & (b < high)
        np.copyto(b, 0.5 * (low + high), where=~inside)
        for _ in range(200):
            np.add(b, margin, out=a)
            np.multiply(b, 1.0 - b, out=v_b)
            np.multiply(a, 1.0 - a, out=v_a)
            d_a, d_b = w_c * (a - t_c), w_s * (b - t_s)
            np.add(d_a * v_b, d_b * v_a, out=slope)
            np.less(slope, 0.0, out=self._mask)
            np.copyto(low, b, where=self._mask)
            np.logical_not(self._mask, out=self._mask)
            np.copyto(high, b, where=self._mask)
            np.add(w_c * v_b + d_a * (1.0 - 2.0 * b), w_s * v_a + d_b * (1.0 - 2.0 * a), out=steep)
            with np.errstate(divide="ignore", invalid="ignore"):
                np.divide(slope, steep, out=slope)
            np.subtract(b, slope, out=new)
            np.abs(slope, out=slope)
            there = slope <= _CLOSE * b
            outside = ~((new > low) & (new < high) | there)
            if outside.any():
                np.copyto(new, 0.5 * (low + high), where=outside)
            b[...] = new
            if there.all():
                return

    def _spend(self, active: NDArray[np.bool_]) -> None:
        if not self.cash.any():
            return
        moved = CASH_SPENT * self.cash * self.cash / CASH * active
        with np.errstate(divide="ignore"):
            np.logaddexp(self.log_e, np.log(moved), out=self.log_e)
        self.cash -= moved


class Breakers:
    """`breaker.update` of many rollouts against one limit; a tripped one stays so."""

    def __init__(self, rollouts: int, limit: float) -> None:
        first = breaker.update((), 1, 0, limit)
        self._limit = limit
        self._rates = np.minimum(0.98, limit * np.array(breaker._MULTIPLES))[:, None]
        self.log_e = np.full((len(first) - 1, rollouts), math.log(1.0 - CASH))
        self.cash = np.full(rollouts, CASH)
        self.peak = np.zeros(rollouts)

    def update(self, canary_n: Counts, canary_bad: Counts, divisor: Floats | float = 1.0) -> None:
        n, bad = canary_n / divisor, canary_bad / divisor
        active = n > 0
        factor = bad * np.log(self._rates / self._limit)
        factor += (n - bad) * (np.log1p(-self._rates) - np.log1p(-self._limit))
        self.log_e += np.where(self._rates > self._limit, factor, 0.0)
        moved = CASH_SPENT * self.cash * self.cash / CASH * active
        with np.errstate(divide="ignore"):
            np.logaddexp(self.log_e, np.log(moved), out=self.log_e)
        self.cash -= moved
        np.maximum(self.peak, self.log_wealth(), out=self.peak)

    def log_wealth(self) -> Floats:
        top = np.maximum(self.log_e.max(axis=0), 0.0)
        return np.asarray(top + np.log(np.exp(self.log_e - top).mean(axis=0) + self.cash * np.exp(-top)))


class DriftProcesses:
    """`drift.start` and `update` for one margin: events of `parts` kinds in both directions, averaged."""

    def __init__(self, margin: float, history: Counts) -> None:
        """`history`: stable's past events, (events, rollouts) and in the last row how many predictions there were."""
        events, n = history[:-1], history[-1]
        self.rollouts, self.parts = n.shape[0], 2 * events.shape[0]
        both = np.stack([events, n - events], axis=1).reshape(self.parts, self.rollouts)
        columns = self.parts * self.rollouts
        every = np.broadcast_to(n, (self.parts, self.rollouts)).reshape(columns)
        self._all = BlockProcesses("worse", np.full(columns, margin), both.reshape(columns), every)
        self.peak = np.zeros(self.rollouts)

    def update(self, canary: Counts, stable: Counts, divisor: float = 1.0) -> None:
        """Events of one block, as in `history`."""
        self._all.update(Blocks(*self._columns(canary), *self._columns(stable)), divisor)
        np.maximum(self.peak, self.log_wealth(), out=self.peak)

    def log_wealth(self) -> Floats:
        parts = self._all.log_wealth().reshape(self.parts, self.rollouts)
        top = parts.max(axis=0)
        return np.asarray(top + np.log(np.exp(parts - top).mean(axis=0)))

    def _columns(self, counts: Counts) -> tuple[Counts, Counts]:
        events, n = counts[:-1], counts[-1]
        bad = np.stack([events, n - events], axis=1).reshape(-1)
        return np.broadcast_to(n, (self.parts, self.rollouts)).reshape(-1), bad


def _multiples(direction: Direction, margin: bool) -> tuple[float, ...]:
    return sequential._MULTIPLES[direction] if margin else sequential._RELATIVE_RISKS


def _clip(rate: Floats) -> Floats:
    return np.asarray(np.clip(rate, sequential.RATE_LOW, sequential.RATE_HIGH))
