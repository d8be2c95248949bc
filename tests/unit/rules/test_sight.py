from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gatewright.domain.evidence import Block, LiveMetric, Look, Observation
from gatewright.rules.sight import doubt

BLOCK = Block(canary_n=10, canary_bad=0, stable_n=10, stable_bad=0)
SEEN = Observation(metric="errors", weight=5.0, tick=7, block=BLOCK)


def look(*seen: Observation) -> Look:
    return Look(cursor="", observations=seen)


def test_blocks_of_other_metrics_ticks_or_weights_are_no_second_series() -> None:
    more = (replace(SEEN, metric="latency"), replace(SEEN, tick=8), replace(SEEN, weight=25.0))
    assert doubt(look(SEEN, *more)) is None
    assert doubt(look()) is None


@pytest.mark.parametrize("metric", ["errors", "latency"])
def test_a_second_block_of_the_same_requests_is_doubted(metric: LiveMetric) -> None:
    seen = replace(SEEN, metric=metric)
    assert doubt(look(seen, SEEN, seen)) == f"{metric}: two series for the requests of tick 7 at 5 %; one is needed"


def test_labels_of_one_arrival_come_in_several_blocks() -> None:
    late = replace(SEEN, metric="quality")
    assert doubt(look(late, late)) is None


@pytest.mark.parametrize("weight", [math.nan, math.inf, -1.0, 100.5])
def test_a_weight_that_cannot_be_is_doubted(weight: float) -> None:
    assert "a weight lies between 0 and 100" in str(doubt(look(replace(SEEN, weight=weight))))
