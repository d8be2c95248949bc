"""How often the gates would fail although nothing changed, from the cells alone."""

from __future__ import annotations

import numpy as np

from gatewright.domain.gate import FairnessGate, SliceGate
from gatewright.domain.project import GatesSection
from gatewright.rules.false_alarms import DRAWS, false_alarms
from gatewright.stats.multiplicity import holm
from gatewright.stats.paired import mcnemar_midp
from tests.fixtures.cells import evidence, report

SOME = [4000, 300, 250, 400, 350, 150, 200, 3000]


def test_slices_are_tested_as_the_gate_tests_them() -> None:
    """Few draws are tested in full; the share is that of testing all of them."""
    discordant = [20, 60, 400]
    slices = {str(n): evidence([500, n // 2, n - n // 2, 0, 0, 0, 0, 0]) for n in discordant}
    gates = GatesSection(overall=None, fairness=None, slices=SliceGate(alpha=0.3, min_effect=0.02))
    found = false_alarms(gates, report(SOME, slices=slices), seed=7)

    worse = np.random.default_rng(7).binomial(discordant, 0.5, size=(DRAWS, 3))
    enough = 2 * worse - discordant >= 0.02 * np.add(discordant, 500)
    fails = (holm(mcnemar_midp(worse, discordant - worse)) < 0.3) & enough
    assert found == {"slices": float(fails.any(axis=1).mean())}
    assert 0.1 < found["slices"] < 0.4


def test_a_gap_worsens_by_chance_as_often_as_alpha_says() -> None:
    groups = {"SEX": {"1": evidence(SOME), "2": evidence(SOME)}}
    gates = GatesSection(overall=None, slices=None, fairness=FairnessGate(alpha=0.1, max_worsening=0.0))
    share = false_alarms(gates, report(SOME, groups=groups))["fairness"]
    assert 0.06 < share < 0.14


def test_models_that_answer_alike_cannot_fail() -> None:
    alike = [4000, 0, 0, 400, 350, 0, 0, 3000]
    groups = {"SEX": {"1": evidence(alike), "2": evidence(alike[::-1])}}
    gates = GatesSection(slices=None, fairness=FairnessGate(max_worsening=0.0))
    assert false_alarms(gates, report(alike, groups=groups)) == {"overall": 0.0, "fairness": 0.0}
