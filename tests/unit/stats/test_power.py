from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from gatewright.stats.paired import mcnemar_midp
from gatewright.stats.power import (
    fewest_worse,
    floor_discordant,
    mcnemar_power,
    mde,
    mean_mde,
    mean_rows_needed,
    rows_needed,
)


def test_rows_for_a_margin_of_two_points() -> None:
    assert rows_needed([0.04, 0.10], 0.02, alpha=0.05).tolist() == [618, 1546]


def test_models_that_agree_need_rows_too() -> None:
    # Tango's bound -z²/(n + z²) passes -.02 between 132 and 133 rows.
    assert int(rows_needed(0.0, 0.02, alpha=0.05)) == 133


@pytest.mark.parametrize("n", [200, 949, 10_000])
@pytest.mark.parametrize("alpha", [0.05, 0.025 / 18])
def test_mde_solves_its_equation(n: int, alpha: float) -> None:
    d = float(mde(0.1, n, alpha=alpha))
    z_alpha, z_power = -ndtri(alpha), ndtri(0.8)
    assert d == pytest.approx(z_alpha * np.sqrt(0.1 / n) + z_power * np.sqrt((0.1 - d * d) / n), rel=1e-12)


def test_a_drop_needs_that_many_discordant_rows() -> None:
    drops = mde([0.0, 0.01, 0.05], 100, alpha=0.025 / 18)
    assert drops[0] == drops[1] == drops[2]
    d, z_alpha, z_power = float(drops[0]), -ndtri(0.025 / 18), ndtri(0.8)
    assert d > 0.05
    assert d == pytest.approx(z_alpha * np.sqrt(d / 100) + z_power * np.sqrt((d - d * d) / 100), rel=1e-12)
    # The exact test agrees that a slice of 100 rows cannot show a drop of .04, even if every change is for the worse.
    assert mcnemar_power(100, 0.04, 0.04, 0.025 / 18) < 0.05
    assert mcnemar_power(100, d, d, 0.025 / 18) > 0.8


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_rows_detect_nothing(n: int) -> None:
    assert float(mde(0.5, n, alpha=0.05)) == 1.0


def test_floor_keeps_the_observed_share() -> None:
    assert floor_discordant([0, 4, 90], [98, 98, 98]) == pytest.approx([0.01, 0.05, 90 / 98])
    assert float(floor_discordant(0, 0)) == 0.5


def test_means() -> None:
    assert float(mean_mde(2.0, 100, alpha=0.05)) == pytest.approx((ndtri(0.95) + ndtri(0.8)) * 0.2)
    assert float(mean_mde(2.0, 0, alpha=0.05)) == np.inf
    assert mean_rows_needed([2.0, 0.0], 0.5, alpha=0.05).tolist() == [99, 2]


def test_power_by_hand() -> None:
    # Six rows, all discordant, all worse: mid-p 1/128. With five of six it is 8/128: at .05 only six will do.
    assert mcnemar_power(6, 1.0, 1.0, 0.05) == pytest.approx(1.0)
    assert mcnemar_power(6, 1.0, 0.5, 0.05) == pytest.approx(0.75**6)
    assert mcnemar_power(6, 1.0, 0.0, 0.05) == pytest.approx(1 / 64)


def test_power_published_for_a_slice() -> None:
    # design of the gates: .683 and .305 by simulation for a drop of .03 in 949 rows, on top of 4 % and 10 %.
    assert mcnemar_power(949, 0.07, 0.03, 0.05 / 50) == pytest.approx(0.683, abs=0.03)
    assert mcnemar_power(949, 0.13, 0.03, 0.05 / 50) == pytest.approx(0.305, abs=0.03)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.025 / 52])
def test_the_fewest_worse_rows_that_reject(alpha: float) -> None:
    sizes = np.arange(80)
    by_hand = [next((w for w in range(n + 1) if mcnemar_midp(w, n - w) <= alpha), n + 1) for n in sizes.tolist()]
    assert fewest_worse(sizes, alpha).tolist() == by_hand
    assert by_hand[1] == 2, "no number of one row rejects"


def test_power_without_rows_or_differences() -> None:
    assert mcnemar_power(0, 0.1, 0.05, 0.05) == 0.0
    assert mcnemar_power(100, 0.0, 0.0, 0.05) == 0.0


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot exceed"):
        mcnemar_power(100, 0.1, 0.2, 0.05)
    with pytest.raises(ValueError, match="alpha is 0"):
        mde(0.1, 100, alpha=0.0)
    with pytest.raises(ValueError, match=r"power 0\.4"):
        mde(0.1, 100, alpha=0.05, power=0.4)
    with pytest.raises(ValueError, match="margin contains 0"):
        rows_needed(0.1, 0.0, alpha=0.05)
    with pytest.raises(ValueError, match=r"discordant contains 1\.5"):
        rows_needed(1.5, 0.02, alpha=0.05)
    with pytest.raises(ValueError, match="exceed n"):
        floor_discordant(3, 2)
