"""An admin interface that is down, restarted or no Envoy: each look fails with one sentence, and none is evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.metrics.envoy_stats import EnvoyStats, Options
from gatewright.domain.evidence import Look
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeClock
from tests.fixtures.looks import Counts, counts
from tests.fixtures.prometheus import Loopback
from tests.unit.adapters.metrics.test_counted import ROLLOUT

NEW, OLD = f"model-{'a' * 12}", f"model-{'b' * 12}"
Change = Callable[[dict[str, Any], dict[str, Any]], object]


class PretendedEnvoy(Loopback):
    """Both clusters answer 100 requests at each look, all within 25 ms."""

    def __init__(self) -> None:
        self.looks = 0
        self.gain = {NEW: 100, OLD: 100}
        self.counted = {NEW: 0, OLD: 0}
        self.change: Change = lambda counters, histograms: None
        self.spoilt: tuple[int, dict[str, str], bytes] | None = None
        super().__init__()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if self.spoilt is not None:
            return self.spoilt
        counters: dict[str, Any] = {}
        histograms: dict[str, Any] = {}
        for name in self.counted:
            self.counted[name] += self.gain[name]
            count = self.counted[name]
            prefix = f"cluster.{name}.upstream_rq_"
            counters |= {f"{prefix}total": count, f"{prefix}2xx": count, f"{prefix}active": 0}
            histograms[f"{prefix}time"] = [{"upper_bound": end, "cumulative": count} for end in (25, 1000)]
        self.change(counters, histograms)
        entries: list[Any] = [{"name": name, "value": value} for name, value in counters.items()]
        entries.append({"histograms": [{"name": name, "buckets": found} for name, found in histograms.items()]})
        return 200, {}, json.dumps({"stats": entries}).encode()


class Observed:
    """A rollout that is looked at every ten seconds."""

    def __init__(self, folder: Path) -> None:
        self.envoy = PretendedEnvoy()
        self.clock = FakeClock(moment=datetime(2026, 1, 1, tzinfo=UTC))
        self.rollout = replace(ROLLOUT, slow_after_ms=25.0)
        self.tick = 0
        context = Context(root=folder, model="toy", database=Database(folder / "state.db"), clock=self.clock)
        self.source = EnvoyStats(Options(url=self.envoy.url), context)

    def look(self) -> Look:
        self.tick += 1
        self.clock.forward(10.0)
        found = self.source.observe(self.rollout, self.tick)
        blind_s = self.rollout.blind_s + 10.0 if found.error else 0.0
        self.rollout = replace(self.rollout, cursor=found.cursor, blind_s=blind_s)
        return found

    def blocks(self, looks: int) -> list[Counts]:
        """What so many looks tell."""
        told = []
        for _ in range(looks):
            found = self.look()
            assert found.error is None
            told += counts(found)
        return told


@pytest.fixture
def observed(tmp_path: Path) -> Iterator[Observed]:
    found = Observed(tmp_path)
    try:
        yield found
    finally:
        found.envoy.stop()


def test_counters_become_blocks_of_both_metrics(observed: Observed) -> None:
    assert observed.blocks(6) == [("errors", 100, 0, 100, 0), ("latency", 100, 0, 100, 0)] * 3


CANARY = f"cluster.{NEW}.upstream_rq_"
STABLE = f"cluster.{OLD}.upstream_rq_"
FAULTS: dict[str, tuple[Change, str]] = {
    "no cluster": (
        lambda counters, _: counters.pop(f"{CANARY}total"),
        f"there is no cluster '{NEW}' (canary): no data",
    ),
    "a text": (lambda counters, _: counters.update({f"{CANARY}2xx": "5"}), "upstream_rq_2xx is '5', which is no count"),
    "a fraction": (lambda counters, _: counters.update({f"{CANARY}total": 5.5}), "is 5.5, which is no count"),
    "negative": (lambda counters, _: counters.update({f"{CANARY}total": -5}), "is -5, which is no count"),
    "a switch": (lambda counters, _: counters.update({f"{CANARY}total": True}), "is True, which is no count"),
    "no histogram of stable": (lambda _, histograms: histograms.pop(f"{STABLE}time"), "latency cannot be seen"),
    "no histogram": (lambda _, histograms: histograms.clear(), "latency cannot be seen"),
    "no such bucket": (
        lambda _, histograms: [found.pop(0) for found in histograms.values()],
        "no bucket of canary ends at this rollout's limit of 25.0 ms",
    ),
    "a bucket without end": (
        lambda _, histograms: histograms[f"{CANARY}time"].append({"upper_bound": None, "cumulative": 1}),
        "upstream_rq_time has no end",
    ),
    "a bucket without count": (
        lambda _, histograms: histograms[f"{CANARY}time"].append({"upper_bound": 5000, "cumulative": "NaN"}),
        "is 'NaN', which is no count",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_statistics_that_are_not_understood_are_no_evidence(observed: Observed, fault: str) -> None:
    change, sentence = FAULTS[fault]
    observed.blocks(4)
    observed.envoy.change = change
    found = observed.look()
    assert sentence in (found.error or "")
    assert found.observations == ()
    observed.envoy.change = lambda counters, histograms: None
    assert observed.blocks(2) == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((500, {}, b"no"), "were answered with status 500"),
        ((302, {"location": "http://elsewhere/"}, b""), "were answered with status 302"),
        ((200, {}, b"<html>"), "are not those of an Envoy"),
        ((200, {}, b"[]"), "are not those of an Envoy"),
        ((200, {}, b'{"stats": [5]}'), "are not those of an Envoy"),
        ((200, {}, b'{"stats": [{"name": "x"}]}'), "are not those of an Envoy"),
        ((200, {}, b"[" * 100_000), "are not those of an Envoy"),
        ((200, {}, b""), "are not those of an Envoy"),
    ],
)
def test_an_answer_of_somebody_else_is_no_evidence(
    observed: Observed, answer: tuple[int, dict[str, str], bytes], sentence: str
) -> None:
    observed.blocks(4)
    observed.envoy.spoilt = answer
    assert sentence in (observed.look().error or "")


def test_an_envoy_that_is_gone_is_told(observed: Observed) -> None:
    observed.envoy.stop()
    assert "Connection refused" in (observed.look().error or "")


def test_a_restart_leaves_the_block_out(observed: Observed) -> None:
    observed.blocks(6)
    observed.envoy.counted = {NEW: 0, OLD: 0}
    assert "the counters of canary began anew: a restart?" in (observed.look().error or "")
    assert observed.blocks(3) == []
    assert observed.blocks(1) == [("errors", 100, 0, 100, 0), ("latency", 100, 0, 100, 0)]


def test_a_restart_whose_counters_are_beyond_the_old_ones_is_seen_by_the_uptime(observed: Observed) -> None:
    def begun(at: float) -> Change:
        return lambda counters, _: counters.update({"server.uptime": int(observed.clock.now().timestamp() - at)})

    observed.envoy.change = begun(observed.clock.now().timestamp() - 100.0)
    observed.blocks(4)
    observed.envoy.counted = {NEW: 1000, OLD: 1000}
    observed.envoy.change = begun(observed.clock.now().timestamp())
    assert "the counters of this Envoy began anew: a restart?" in (observed.look().error or "")
    assert observed.blocks(3) == []
    assert observed.blocks(1) == [("errors", 100, 0, 100, 0), ("latency", 100, 0, 100, 0)]


def test_counters_that_were_not_read_at_one_moment_are_no_lasting_error(observed: Observed) -> None:
    """One answer is in `total` and not yet in `2xx`: an error of this block at most, and never one of the next."""
    observed.blocks(3)
    observed.envoy.change = lambda counters, _: counters.update({f"{CANARY}2xx": counters[f"{CANARY}2xx"] - 1})
    told = observed.blocks(1)
    observed.envoy.change = lambda counters, histograms: None
    told += observed.blocks(4)
    assert sum(bad for metric, _, bad, _, _ in told if metric == "errors") == 1


def test_a_canary_that_has_answered_nothing_to_its_end_has_no_histogram(observed: Observed) -> None:
    """Its answers break off: their status is good, and none of them is timed."""
    observed.envoy.change = lambda _, histograms: histograms.pop(f"{CANARY}time")
    errors = [told for told in observed.blocks(8) if told[0] == "errors"]
    assert errors[-1] == ("errors", 100, 100, 100, 0)
