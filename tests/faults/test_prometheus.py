"""A Prometheus that is down, slow, wrong or somebody else: each look fails with one sentence, and none is evidence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewright.adapters.metrics.prometheus import Options, Prometheus, Queries
from gatewright.domain.duration import Duration
from gatewright.domain.errors import WorldFailed
from gatewright.domain.evidence import Look
from gatewright.ports import Context
from gatewright.store.database import Database
from gatewright.testing import FakeClock
from tests.fixtures.looks import Counts, counts
from tests.fixtures.prometheus import QUERIES, PretendedPrometheus, result
from tests.unit.adapters.metrics.test_counted import ROLLOUT

START = 1_800_000_000.0
LIMIT_MS = 250.0
Answer = tuple[int, dict[str, str], bytes]
NEW, OLD = f"model-{'a' * 12}", f"model-{'b' * 12}"


def query(name: str, arm: str) -> str:
    return QUERIES[name].replace("{arm}", arm).replace("{le}", "0.25")


class Observed:
    """A rollout at 5 per cent, looked at every ten seconds; both arms answer 100 requests a second."""

    def __init__(self, folder: Path, *, past_s: float = 20.0, **options: Any) -> None:
        self.server = PretendedPrometheus()
        self.clock = FakeClock(moment=datetime.fromtimestamp(START, UTC))
        self.rollout = replace(ROLLOUT, slow_after_ms=LIMIT_MS)
        self.tick = 0
        self.counted: dict[str, float] = {}
        context = Context(root=folder, model="toy", database=Database(folder / "state.db"), clock=self.clock)
        chosen: dict[str, Any] = {
            "url": self.server.url,
            "queries": Queries(**QUERIES),
            "slow_above": Duration(LIMIT_MS / 1000),
            "scrape_interval": Duration(5.0),
            "timeout": Duration(0.5),
        }
        self.source = Prometheus(Options(**{**chosen, **options}), context)
        self.count(past_s)

    def count(self, seconds: float = 10.0, **steps: float) -> None:
        """Let `seconds` pass with a scrape at each; `steps` are what the canary's counters gain instead of 100."""
        for _ in range(int(seconds)):
            self.clock.forward(1.0)
            now = self.clock.now().timestamp()
            for arm in (NEW, OLD):
                for name in QUERIES:
                    gain = steps.get(name, 100) if arm == NEW else 100
                    self.counted[query(name, arm)] = self.counted.get(query(name, arm), 0.0) + gain
            self.server.samples.add(now, {key: value for key, value in self.counted.items() if value >= 0})

    def look(self) -> Look:
        self.tick += 1
        found = self.source.observe(self.rollout, self.tick)
        blind_s = self.rollout.blind_s + 10.0 if found.error else 0.0
        self.rollout = replace(self.rollout, cursor=found.cursor, blind_s=blind_s)
        return found

    def blocks(self, looks: int, **steps: float) -> list[Counts]:
        """What so many looks tell."""
        told = []
        for _ in range(looks):
            self.count(**steps)
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
        found.server.stop()


def test_counters_become_blocks_of_both_metrics(observed: Observed) -> None:
    told = observed.blocks(8, good=97, fast=90)
    assert set(told) == {("errors", 1000, 30, 1000, 0), ("latency", 1000, 100, 1000, 0)}
    assert len(told) == 10


def vector(*values: Any, at: float = 0.0) -> Callable[[float], Answer]:
    return lambda asked: result(
        "vector", [{"metric": {"i": str(n)}, "value": [asked + at, v]} for n, v in enumerate(values)]
    )


def body(text: str | bytes, status: int = 200, **headers: str) -> Callable[[float], Answer]:
    return lambda asked: (status, headers, text if isinstance(text, bytes) else text.encode())


FAULTS: dict[str, tuple[Callable[[float], Answer], str]] = {
    "two series": (vector("5", "6"), "total of canary returned 2 series: make one of them with sum(…)"),
    "nothing": (vector(), "total of canary has no value: no data, which is not the same as no requests"),
    "NaN": (vector("NaN"), "total of canary is NaN, which is no count"),
    "Inf": (vector("+Inf"), "total of canary is +Inf, which is no count"),
    "a text": (vector("many"), "total of canary is many, which is no count"),
    "a bare number": (vector(5), "total of canary is 5, which is no count"),
    "null": (vector(None), "total of canary is null, which is no count"),
    "a fraction": (vector("12.5"), "total of canary is 12.5, which is no count: give the counter itself, not a rate"),
    "negative": (vector("-1"), "total of canary is -1, which is no count"),
    "huge": (vector("1e300"), "total of canary is 1e+300, which is no count"),
    "of another time": (vector("5", at=-60.0), "total of canary is of another moment, -60 s from the one"),
    "no value": (lambda _: result("vector", [{"metric": {}}]), "total of canary has no value"),
    "a triple": (lambda _: result("vector", [{"value": [1, "2", 3]}]), "total of canary has no value"),
    "no series": (lambda _: result("vector", ["x"]), "returned something that is no series"),
    "a scalar": (lambda at: result("scalar", [at, "5"]), "total of canary is a scalar instead of a vector"),
    "a matrix": (lambda _: result("matrix", []), "total of canary is a matrix instead of a vector"),
    "no type": (body('{"status": "success", "data": {"result": []}}'), "is a null instead of a vector"),
    "no result": (body('{"status": "success", "data": {}}'), "total of canary has no result"),
    "no data": (body('{"status": "success"}'), "total of canary has no result"),
    "a warning": (
        lambda _: result("vector", [], warnings=["a store is down"]),
        'came with a warning, so it may lack something: ["a store is down"]',
    ),
    "an error": (
        body('{"status":"error","errorType":"bad_data","error":"parse\\nerror"}', 400),
        "failed: bad_data: parse error",
    ),
    "an error with 200": (body('{"status": "error"}'), "failed: null: null"),
    "status 500": (body("oops", 500), "was answered with status 500"),
    "HTML": (
        body("<html>Log in</html>"),
        "was answered with something else than a result: is url the address of a Prometheus?",
    ),
    "a list": (body("[]"), "was answered with something else than a result"),
    "bytes": (body(b"\xff\xfe\x00"), "was answered with something else than a result"),
    "nothing at all": (body(""), "was answered with something else than a result"),
    "deep": (body("[" * 100_000), "was answered with something else than a result"),
    "a redirect": (
        body("", 302, location="http://elsewhere/"),
        "was answered with a redirect (302): write the address",
    ),
    "a login": (body("", 401), "was refused (401): set token_variable"),
    "forbidden": (body("", 403), "was refused (403): set token_variable"),
    "too much": (body(b" " * (9 << 20)), "answered with more than 8 MiB"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_answer_that_is_not_understood_is_no_evidence(observed: Observed, fault: str) -> None:
    spoilt, sentence = FAULTS[fault]
    observed.blocks(6)
    observed.count()
    observed.server.broken = lambda asked, at: spoilt(at) if asked == query("total", NEW) else None
    found = observed.look()
    assert sentence in (found.error or "")
    assert found.observations == ()
    assert "\n" not in (found.error or "")
    observed.server.broken = lambda asked, at: None
    assert observed.blocks(2) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("total", "total of stable has no value"), ("fast", "fast of stable has no value, although total has")],
)
def test_a_counter_that_is_not_there_is_no_zero(observed: Observed, name: str, sentence: str) -> None:
    observed.blocks(6)
    observed.count()
    observed.server.broken = lambda asked, at: vector()(at) if asked == query(name, OLD) else None
    assert sentence in (observed.look().error or "")


def test_no_good_answer_at_all_is_a_canary_that_fails(observed: Observed) -> None:
    observed.server.broken = lambda asked, at: vector()(at) if asked == query("good", NEW) else None
    assert ("errors", 1000, 1000, 1000, 0) in observed.blocks(6)


def test_no_error_is_zero_errors(tmp_path: Path) -> None:
    errors = 'sum(errors_total{arm="{arm}"})'
    queries = Queries(total=QUERIES["total"], errors=errors, fast=QUERIES["fast"])
    observed = Observed(tmp_path, queries=queries)
    try:
        assert ("errors", 1000, 0, 1000, 0) in observed.blocks(6)
    finally:
        observed.server.stop()


def test_samples_that_get_old_are_stale(observed: Observed) -> None:
    observed.blocks(6)
    observed.clock.forward(30.0)
    assert "samples of canary are 20 s old, with one each 5 s: stale" in (observed.look().error or "")


def test_a_restart_leaves_the_block_out(observed: Observed) -> None:
    observed.blocks(6)
    observed.counted = {}
    observed.count(20)
    found = observed.look()
    assert "the counters of canary began anew: a restart?" in (found.error or "")
    assert observed.blocks(2) == []
    assert ("errors", 1000, 0, 1000, 0) in observed.blocks(4)


@pytest.mark.parametrize(
    ("change", "sentence"), [({"resets": 1}, "began anew"), ({"targets": 2}, "are of other targets")]
)
def test_what_a_sum_hides_is_asked_for(observed: Observed, change: dict[str, int], sentence: str) -> None:
    observed.blocks(6)
    for name, value in change.items():
        setattr(observed.server.samples, name, value)
    observed.count()
    assert sentence in (observed.look().error or "")


def test_more_good_requests_than_requests_is_a_contradiction(observed: Observed) -> None:
    observed.count(20, good=101)
    assert "were fast: that cannot be" in (observed.look().error or "")


def test_another_limit_than_the_one_it_began_with_is_refused(observed: Observed) -> None:
    observed.count()
    observed.rollout = replace(observed.rollout, slow_after_ms=300.0)
    assert "this rollout's limit is 300.0 ms, and slow_above 250 ms" in (observed.look().error or "")


def test_a_server_that_is_gone_is_told(observed: Observed) -> None:
    observed.count()
    observed.server.stop()
    assert "Connection refused" in (observed.look().error or "")


@pytest.mark.parametrize("drop", [0.0, 0.02], ids=["hangs", "drips"])
def test_an_answer_has_a_time_limit_as_a_whole(observed: Observed, drop: float) -> None:
    ended = threading.Event()

    def respond(request: Any) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while drop and not ended.wait(drop):
            request.wfile.write(b"x-drop: 1\r\n")
            request.wfile.flush()
        ended.wait(20)

    observed.count()
    observed.server.respond = respond  # type: ignore[method-assign]
    try:
        assert "gave no whole answer within 0.5 s" in (observed.look().error or "")
    finally:
        ended.set()


def test_the_token_is_sent_and_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    observed = Observed(tmp_path, token_variable="GATEWRIGHT_TEST_TOKEN")
    try:
        observed.count()
        assert "the environment variable GATEWRIGHT_TEST_TOKEN holds no token" in (observed.look().error or "")
        for token in ("two\nlines", "schlüssel"):
            monkeypatch.setenv("GATEWRIGHT_TEST_TOKEN", token)
            error = observed.look().error or ""
            assert "holds no token" in error
            assert token not in error
        monkeypatch.setenv("GATEWRIGHT_TEST_TOKEN", "hunter2\n")
        assert observed.look().error is None
        assert {headers["authorization"] for headers in observed.server.asked} == {"Bearer hunter2"}
        observed.server.broken = lambda asked, at: body("", 401)(at)
        error = observed.look().error or ""
        assert "was refused (401): is GATEWRIGHT_TEST_TOKEN still good?" in error
        assert "hunter2" not in error + observed.rollout.cursor
    finally:
        observed.server.stop()


@pytest.fixture
def unseen(tmp_path: Path) -> Iterator[Observed]:
    """A rollout of which nothing was scraped."""
    found = Observed(tmp_path, past_s=0.0)
    try:
        yield found
    finally:
        found.server.stop()


def test_history_is_what_stable_counted_in_the_last_hour_but_for_restarts(unseen: Observed) -> None:
    for name, each_second in (("total", 100), ("good", 99), ("fast", 95)):
        series = unseen.server.samples.points[query(name, OLD)]
        series += [(START - 7200 + 15 * step, each_second * 15.0 * (step % 120 + 1)) for step in range(480)]
    found = unseen.source.history(unseen.rollout)
    seconds = 30 * 118  # two of 120 steps reach over a restart, or to where the counters end
    assert (found.requests, found.errors, found.slow) == (100 * seconds, seconds, 5 * seconds)
    assert (found.slow_after_ms, found.per_second) == (LIMIT_MS, 100.0)


def test_without_any_counter_of_stable_no_rollout_begins(unseen: Observed) -> None:
    with pytest.raises(WorldFailed, match="total of stable has no value"):
        unseen.source.history(unseen.rollout)


def test_a_misspelt_query_for_good_answers_is_found_before_the_rollout(tmp_path: Path) -> None:
    misspelt = 'sum(requests_total{arm="{arm}",cod="200"})'
    observed = Observed(
        tmp_path, past_s=600.0, queries=Queries(total=QUERIES["total"], good=misspelt, fast=QUERIES["fast"])
    )
    try:
        with pytest.raises(WorldFailed, match="good counted none of stable's last"):
            observed.source.history(observed.rollout)
    finally:
        observed.server.stop()
