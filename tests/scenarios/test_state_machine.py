"""Whatever happens, in whatever order: the real controller breaks none of its promises."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.scenarios.rollout_machine import RolloutMachine

FEW, STEPS = 80, 30
# About 8 s of one quiet processor, and ten times that.
_QUIET = [HealthCheck.too_slow]


@pytest.mark.timeout(300)
class TestRollouts(RolloutMachine.TestCase):
    settings = settings(max_examples=FEW, stateful_step_count=STEPS, deadline=None, suppress_health_check=_QUIET)


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestManyRollouts(RolloutMachine.TestCase):
    settings = settings(max_examples=10 * FEW, stateful_step_count=STEPS, deadline=None, suppress_health_check=_QUIET)
