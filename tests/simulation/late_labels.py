"""Labels that come late, those of wrong answers sooner: as the product tells them, and as one might naively."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from tests.simulation.block_processes import Blocks
from tests.simulation.rollouts import Labels

DELAYS = (2, 5, 10, 20, 40, 60)
RIGHT_AFTER = (0.1, 0.2, 0.3, 0.2, 0.1, 0.1)
WRONG_AFTER = (0.5, 0.2, 0.1, 0.1, 0.05, 0.05)


class LateLabels(Labels):
    """Every answer is labelled after one of `DELAYS` minutes; shares by `RIGHT_AFTER` and `WRONG_AFTER`.

    A block holds the labels of one minute of arrival, one weight and one minute of labels, as the product's does;
    `naive`: all labels of a minute, whenever and under whatever weight their requests came.
    """

    def __init__(self, rollouts: int, rng: np.random.Generator, *, naive: bool = False) -> None:
        super().__init__(rollouts, 0)
        self._rng, self._naive = rng, naive
        self._minute = 0
        self._due: dict[int, list[Blocks]] = defaultdict(list)

    def told(self) -> Iterator[Blocks]:
        for blocks in super().told():
            for delay, aged in zip(DELAYS, self._by_age(blocks), strict=True):
                self._due[self._minute + delay].append(aged)
        due = self._due.pop(self._minute, [])
        self._minute += 1
        if self._naive and due:
            total = due[0]
            for blocks in due[1:]:
                total = total + blocks
            due = [total]
        yield from due

    def _by_age(self, blocks: Blocks) -> list[Blocks]:
        c_n, c_bad = self._arm(blocks.canary_n, blocks.canary_bad)
        s_n, s_bad = self._arm(blocks.stable_n, blocks.stable_bad)
        return [Blocks(c_n[:, age], c_bad[:, age], s_n[:, age], s_bad[:, age]) for age in range(len(DELAYS))]

    def _arm(self, n: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wrong = self._rng.multinomial(bad, WRONG_AFTER)
        return wrong + self._rng.multinomial(n - bad, RIGHT_AFTER), wrong
