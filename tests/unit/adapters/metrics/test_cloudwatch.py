"""CloudWatch as evidence: whole minutes of one proven weight, each told once, and never a number that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.errors import WorldFailed
from gatewright.domain.rollout import LatencyMargins, RolloutPolicy
from tests.fixtures.cloudwatch import PretendedCloudWatch, pretended_cloudwatch
from tests.fixtures.endpoint import ENDPOINT, NEW, OLD, START, Endpoint, Served
from tests.fixtures.s3 import ENVIRONMENT

IDLE = Served(requests=0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedCloudWatch]:
    with pretended_cloudwatch() as found:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": found.address}.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def endpoint(tmp_path: Path, server: PretendedCloudWatch) -> Endpoint:
    return Endpoint(tmp_path, server)


@pytest.fixture
def unseen(tmp_path: Path, server: PretendedCloudWatch) -> Endpoint:
    """One that has no past."""
    return Endpoint(tmp_path, server, past=0)


def test_minutes_become_blocks_of_both_metrics(endpoint: Endpoint) -> None:
    told = endpoint.blocks(8, Served(requests=30, failed=3, slow=2), Served(requests=400, failed=1, slow=4))
    assert set(told) == {("errors", 30, 3, 400, 1), ("latency", 30, 2, 400, 4)}
    # Seen first after 1 minute, settled after 2, ended at 3, arrived at 5: minutes 3 to 6 of 8.
    assert len(told) == 2 * 4


def test_a_request_at_the_limit_is_fast_and_one_beyond_is_slow(endpoint: Endpoint) -> None:
    assert ("latency", 2, 1, 1, 0) in endpoint.blocks(6, Served(requests=2, slow=1), Served(requests=1))
    stats = {each["MetricStat"]["Stat"] for each in endpoint.server.asked[-1]["MetricDataQueries"]}
    assert stats == {"Sum", "SampleCount", "TC(:250000)", "TC(250000:)"}


@pytest.mark.parametrize("zero_counts", [True, False])
@pytest.mark.parametrize("slow", [0, 20])
def test_a_trimmed_count_of_nothing_may_be_zero_or_missing(endpoint: Endpoint, zero_counts: bool, slow: int) -> None:
    endpoint.server.zero_counts = zero_counts
    assert ("latency", 20, slow, 20, 0) in endpoint.blocks(6, Served(slow=slow))


def test_a_look_is_one_question_for_both_arms(endpoint: Endpoint) -> None:
    endpoint.blocks(6)
    assert endpoint.server.requests == 6
    (queries,) = [request["MetricDataQueries"] for request in endpoint.server.asked[-1:]]
    asked = {
        (each["MetricStat"]["Metric"]["MetricName"], each["MetricStat"]["Metric"]["Dimensions"][1]["Value"])
        for each in queries
    }
    metrics = ("Invocations", "InvocationModelErrors", "ModelLatency")
    assert asked == {(metric, variant) for metric in metrics for variant in (NEW, OLD)}
    assert {each["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for each in queries} == {ENDPOINT}


def test_a_look_within_the_minute_asks_nothing(endpoint: Endpoint) -> None:
    endpoint.blocks(6)
    asked = endpoint.server.requests
    endpoint.clock.forward(10.0)
    found = endpoint.look()
    assert (found.error, found.observations, endpoint.server.requests) == (None, (), asked)


def test_no_minute_is_told_twice_whenever_somebody_looks(endpoint: Endpoint) -> None:
    told = 0
    for _ in range(20):
        endpoint.serve()
        for seconds in (0.0, 7.0, 11.0, -18.0):
            endpoint.clock.forward(seconds)
            if seconds >= 0.0:
                told += endpoint.look().requests
    assert told == 40 * (20 - 4)


def test_what_comes_late_is_waited_for_and_what_comes_later_is_left_out(endpoint: Endpoint) -> None:
    for _ in range(8):
        endpoint.serve(late_s=120.0)
        assert endpoint.look().error is None
    assert endpoint.blocks(4)[0] == ("errors", 20, 0, 20, 0)
    before = endpoint.server.samples["InvocationModelErrors", ENDPOINT, NEW]
    told = sum(n for metric, n, *_ in endpoint.blocks(4) if metric == "errors")
    assert told == 80
    # A correction of a minute that was told already: nobody counts it any more.
    at = endpoint.clock.now().timestamp() - 600.0
    before.append((at, 1.0, 0.0))
    endpoint.server.put("Invocations", NEW, at, 1.0, endpoint=ENDPOINT)
    assert {bad for metric, _, bad, *_ in endpoint.blocks(4) if metric == "errors"} == {0}


def test_a_longer_delay_waits_longer(tmp_path: Path, server: PretendedCloudWatch) -> None:
    endpoint = Endpoint(tmp_path, server, delay=Duration(300.0), silence=Duration(600.0))
    for _ in range(6):
        endpoint.serve()
    assert [len(endpoint.blocks(1)) for _ in range(9)] == [0, 0, 0, 0, 0, 0, 0, 2, 2]


@pytest.mark.parametrize("offset", [0.0, 1.0, 29.5, 59.0])
def test_a_minute_in_which_the_weight_changed_is_in_no_block(
    tmp_path: Path, server: PretendedCloudWatch, offset: float
) -> None:
    endpoint = Endpoint(tmp_path, server, offset=offset)
    endpoint.blocks(8)
    endpoint.serve()
    endpoint.look(weight=25.0)
    changed = endpoint.clock.now().timestamp()
    ticks = []
    for _ in range(6):
        endpoint.serve(Served(requests=40))
        for seen in endpoint.look().observations:
            assert seen.weight == 25.0
            if seen.metric == "errors":
                assert seen.block.canary_n == 40
            ticks.append(seen.tick * 10)
    assert min(ticks) >= changed + 60.0  # settled


@pytest.mark.parametrize(
    "change", [{"blind_s": 60.0}, {"cursor": ""}, {"weight": 25.0}], ids=["not verified", "no cursor", "weight"]
)
def test_a_span_that_breaks_begins_anew(endpoint: Endpoint, change: dict[str, Any]) -> None:
    endpoint.blocks(8)
    endpoint.serve()
    assert endpoint.look(**change).observations == ()
    assert [bool(endpoint.blocks(1)) for _ in range(5)] == [False, False, False, True, True]


@pytest.mark.parametrize("seconds", [301.0, -3600.0], ids=["lease", "clock"])
def test_a_gap_between_looks_breaks_the_span(endpoint: Endpoint, seconds: float) -> None:
    endpoint.blocks(8)
    endpoint.clock.forward(seconds)
    for _ in range(4):
        endpoint.serve()
    assert endpoint.look().observations == ()


def test_while_nothing_is_verified_nothing_is_told(endpoint: Endpoint) -> None:
    for _ in range(9):
        endpoint.serve()
        assert endpoint.look(blind_s=60.0).observations == ()


def test_without_weight_nothing_is_asked(endpoint: Endpoint) -> None:
    assert endpoint.look(weight=0.0).error is None
    assert endpoint.server.requests == 0


def test_an_arm_without_requests_has_none_and_the_other_is_told(endpoint: Endpoint) -> None:
    told = endpoint.blocks(6, IDLE)
    assert set(told) == {("errors", 0, 0, 20, 0), ("latency", 0, 0, 20, 0)}


def test_a_canary_that_answers_nothing_fails_every_request(endpoint: Endpoint) -> None:
    dead = Served(failed=20, answered=False)
    assert set(endpoint.blocks(6, dead)) == {("errors", 20, 20, 20, 0), ("latency", 0, 0, 20, 0)}


@pytest.mark.parametrize(("errors", "counted"), [("model-errors", 5), ("5xx", 0)])
def test_a_request_that_the_model_refuses_is_an_error_unless_only_5xx_are(
    tmp_path: Path, server: PretendedCloudWatch, errors: str, counted: int
) -> None:
    endpoint = Endpoint(tmp_path, server, errors=errors)
    assert ("errors", 20, counted, 20, 0) in endpoint.blocks(6, Served(failed=5, status=400))


def test_an_endpoint_of_another_name(tmp_path: Path, server: PretendedCloudWatch) -> None:
    endpoint = Endpoint(tmp_path, server, endpoint="elsewhere")
    endpoint.serve()
    found = endpoint.look().error or ""
    assert "neither version has shown a request on the endpoint elsewhere in us-east-1 for 5m: no data, which" in found


def test_silence_of_both_is_no_evidence_and_blinds(endpoint: Endpoint) -> None:
    endpoint.blocks(8)
    errors = []
    for _ in range(10):
        endpoint.serve(None, None)
        errors.append(endpoint.look().error is not None)
    # Two minutes until the last requests have arrived, five of silence, then one fault after the other.
    assert errors == [False] * 6 + [True] * 4
    assert endpoint.rollout.blind_s == 240.0


def test_a_long_history_comes_in_pages(unseen: Endpoint) -> None:
    for _ in range(70):
        unseen.serve(None, Served(requests=6, failed=1, slow=2))
    unseen.server.most = 7
    found = unseen.source.history(unseen.rollout)
    assert (found.requests, found.errors) == (6 * 60, 60)
    assert unseen.server.requests > 9


def test_history_is_stables_hour_and_its_p99_the_limit(unseen: Endpoint) -> None:
    for minute in range(90):
        unseen.serve(None, None)
        for number in range(20):
            at, status = START + 60.0 * minute + 3 * number, 500 if number == 0 else 200
            unseen.server.invoke(ENDPOINT, OLD, at, us=1000.0 * (20 * (minute % 10) + number), status=status)
    found = unseen.source.history(unseen.rollout)
    # Each of 0 to 199 ms six times: 197 is the first with 99 % at or below it, and twelve requests are beyond.
    assert (found.requests, found.errors, found.slow_after_ms, found.slow) == (1200, 60, 197.0, 12)
    assert found.per_second == pytest.approx(1200 / 3600)


@pytest.mark.parametrize("round_periods", [True, False])
def test_the_limit_is_found_wherever_cloudwatch_divides_the_past(unseen: Endpoint, round_periods: bool) -> None:
    unseen.server.round_periods = round_periods
    for _ in range(70):
        unseen.serve(None, Served(requests=10))
    assert unseen.source.history(unseen.rollout).slow_after_ms == 250.0


@pytest.mark.parametrize(
    ("latency", "requests", "limit"),
    [
        (LatencyMargins(limit=Duration(0.05)), 20, 50.0),
        (LatencyMargins(floor=Duration(0.4)), 20, 400.0),
        (LatencyMargins(), 4, 1000.0),
        (LatencyMargins(), 20, 250.0),
    ],
    ids=["promised", "floor", "few", "p99"],
)
def test_the_limit_follows_the_policy(unseen: Endpoint, latency: LatencyMargins, requests: int, limit: float) -> None:
    for _ in range(62):
        unseen.serve(None, Served(requests=requests))
    rollout = replace(unseen.rollout, policy=RolloutPolicy(latency=latency))
    found = unseen.source.history(rollout)
    assert (found.slow_after_ms, found.slow) == (limit, 60 * requests if limit == 50.0 else 0)


def test_without_any_request_of_stable_no_rollout_begins(unseen: Endpoint) -> None:
    for _ in range(5):
        unseen.serve(Served(), None)
    with pytest.raises(WorldFailed, match="stable has shown no request on the endpoint people in us-east-1 for 1h"):
        unseen.source.history(unseen.rollout)


def test_the_rate_is_that_of_the_last_hour(tmp_path: Path, server: PretendedCloudWatch) -> None:
    unseen = Endpoint(tmp_path, server, past=0, history=Duration(7200.0))
    for minute in range(150):
        unseen.serve(None, Served(requests=6 if minute < 130 else 12))
    assert unseen.source.history(unseen.rollout).per_second == pytest.approx((42 * 6 + 18 * 12) / 3600)
