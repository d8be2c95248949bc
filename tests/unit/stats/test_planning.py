from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from gatewright.stats import sequential


class TestPlanningNumbers:
    def test_margins(self) -> None:
        assert sequential.rollback_margin(0.002, 0.0025) == 0.0025
        assert sequential.rollback_margin(0.04, 0.0025) == pytest.approx(0.01)
        assert sequential.promote_margin(0.04, 0.005) == pytest.approx(0.02)
        with pytest.raises(ValueError, match="stable_rate"):
            sequential.rollback_margin(math.nan, 0.0025)

    def test_enough_requests(self) -> None:
        assert sequential.enough_requests(0.01, 0.02, 200) == 223
        assert sequential.enough_requests(0.1, 0.01, 300) == 8100
        assert sequential.enough_requests(0.0, 0.01, 300) == 300
        with pytest.raises(ValueError, match="margin"):
            sequential.enough_requests(0.1, 0.0, 300)

    def test_design_effect_of_users_who_always_answer_alike(self) -> None:
        users = [(10, 10)] * 20 + [(10, 0)] * 80
        assert sequential.design_effect(users) == pytest.approx(10 * 100 / 99)

    def test_design_effect_of_independent_requests(self) -> None:
        rng = np.random.default_rng(5)
        users = [(8, int(k)) for k in rng.binomial(8, 0.2, size=4000)]
        assert 1.0 <= sequential.design_effect(users) < 1.1

    @pytest.mark.parametrize("users", [[], [(10, 3)], [(5, 0), (7, 0)], [(5, 5), (7, 7)], [(0, 0), (9, 4)]])
    def test_design_effect_that_nothing_can_show(self, users: list[tuple[int, int]]) -> None:
        assert sequential.design_effect(users) == 1.0

    def test_design_effect_of_impossible_counts(self) -> None:
        with pytest.raises(ValueError, match="user"):
            sequential.design_effect([(3, 4), (1, 0)])


def test_a_tick_needs_no_numpy() -> None:
    code = "import sys, gatewright.stats.sequential; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
