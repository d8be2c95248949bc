from __future__ import annotations

from collections.abc import Callable

import pytest

from gatewright.stats.arrays import Floats
from gatewright.stats.multiplicity import benjamini_hochberg, holm


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])


def test_benjamini_hochberg_by_hand() -> None:
    assert benjamini_hochberg([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.04, 0.02, 0.04, 0.02])


def test_holm_never_exceeds_one() -> None:
    assert holm([0.5, 0.9, 0.5]).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_none_and_one_stay_as_they_are(adjust: Callable[[object], Floats]) -> None:
    assert adjust([]).tolist() == []
    assert adjust([0.3]).tolist() == [0.3]


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@pytest.mark.parametrize("p", [[0.1, float("nan")], [1.1], [-0.1], 0.1])
def test_impossible_p_values_are_refused(adjust: Callable[[object], Floats], p: object) -> None:
    with pytest.raises(ValueError, match=r"p contains|p has shape|p is a single number"):
        adjust(p)


def test_holm_corrects_each_family_of_a_table() -> None:
    table = [[0.01, 0.04, 0.03], [0.5, 0.001, 0.2]]
    assert holm(table).tolist() == [holm(row).tolist() for row in table]
