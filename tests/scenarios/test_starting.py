"""`canary --start` ends when the first weight is read back; a service that was busy is told again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from gatewright.domain.errors import WorldFailed
from gatewright.domain.rollout import Phase, Rollout
from gatewright.engine.stages.starting import _read_back
from gatewright.testing import FakeTraffic
from tests.fixtures import toy
from tests.scenarios.controlled import begun_in


class Busy(FakeTraffic):
    """A service far away that takes the third order."""

    distant: Literal[True] = True
    orders = 0

    def set_weight(self, rollout: Rollout, weight: float) -> None:
        self.orders += 1
        if self.orders == 3:
            super().set_weight(rollout, weight)

    def tend(self) -> str | None:
        return None


@pytest.mark.parametrize(("traffic", "heard"), [(Busy(), True), (FakeTraffic(), False)], ids=["service", "gateway"])
def test_only_a_service_is_told_again(traffic: FakeTraffic, heard: bool, tmp_path: Path) -> None:
    world = begun_in(toy.write_project(tmp_path / "project", port=1), traffic)
    new, old = (version.artifact for version in reversed(world.registry.versions))
    traffic.prepare(world.rollout, new, old)
    rollout = replace(world.rollout, phase=Phase.PROGRESSING, weight=5.0)
    if heard:
        _read_back(world.workspace, rollout)
        assert (traffic.state(rollout).weight, world.clock.slept) == (5.0, [5.0, 5.0, 5.0])
    else:
        with pytest.raises(WorldFailed, match=r"should be at 5 %, the proxy shows 0 %"):
            _read_back(world.workspace, rollout)
        assert world.clock.slept == [0.2] * 50
