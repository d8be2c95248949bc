"""A CloudWatch that is down, slow, incomplete or none at all: each look fails with one sentence, none is evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput, WorldFailed
from tests.fixtures.cloudwatch import Answer, PretendedCloudWatch, error, pretended_cloudwatch
from tests.fixtures.endpoint import ENDPOINT, NEW, OLD, Endpoint, Served
from tests.fixtures.s3 import ENVIRONMENT

HTML = b"<html>Log in</html>"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedCloudWatch]:
    with pretended_cloudwatch() as found:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": found.address}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
        yield found


@pytest.fixture
def endpoint(tmp_path: Path, server: PretendedCloudWatch) -> Endpoint:
    found = Endpoint(tmp_path, server, timeout=Duration(0.5))
    assert len(found.blocks(6)) == 4
    found.serve()
    return found


def failed(endpoint: Endpoint) -> str:
    """What the next look says; afterwards only whole minutes of a new span are told."""
    before = endpoint.rollout.cursor
    found = endpoint.look()
    assert found.error is not None
    assert (found.observations, found.cursor) == ((), before)
    assert "\n" not in found.error
    endpoint.server.fault, endpoint.server.spoil = lambda request: None, lambda answer: answer
    assert [bool(endpoint.blocks(1)) for _ in range(5)] == [False, False, False, False, True]
    return found.error


def plain(status: int, body: bytes = b"") -> Callable[[dict[str, Any]], Answer]:
    return lambda request: (status, body)


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Answer], str, int]] = {
    "throttled": (
        error("ThrottlingException", 400, "Rate exceeded"),
        "ThrottlingException (Rate exceeded), 3 times",
        3,
    ),
    "too many": (error("LimitExceededException", 429), "LimitExceededException (no), 3 times", 3),
    "500": (error("InternalServiceFault", 500), "InternalServiceFault (no): AWS failed 3 times", 3),
    "500 of a proxy": (plain(500, HTML), "AWS failed 3 times", 3),
    "503": (plain(503), "AWS failed 3 times", 3),
    "access": (
        error("AccessDeniedException", 400, "not authorized to perform: cloudwatch:GetMetricData"),
        "not authorized to perform: cloudwatch:GetMetricData): access is refused",
        1,
    ),
    "expired": (error("ExpiredTokenException", 400), "ExpiredTokenException (no)", 1),
    "strangers": (error("UnrecognizedClientException", 400), "UnrecognizedClientException (no)", 1),
    "refused": (error("ValidationError", 400, "Period is wrong"), "ValidationError (Period is wrong)", 1),
    "a proxy": (plain(200, HTML), "the answer is none of AWS", 1),
    "nothing": (plain(200), "the answer is none of AWS", 1),
    "a list": (plain(200, b"[]"), "the answer is none of", 1),
    "half": (plain(200, b'{"MetricDataResults": [{"Id": "canary_req'), "the answer is none of", 1),
    "silence": (plain(0), "AWS cannot be reached", 3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_answer_is_no_evidence(endpoint: Endpoint, fault: str) -> None:
    endpoint.server.fault, sentence, tries = FAULTS[fault]
    asked = endpoint.server.requests
    assert f"the metrics of the endpoint {ENDPOINT}: " in (told := failed(endpoint)) or "none of CloudWatch" in told
    assert sentence in told
    assert endpoint.server.requests - asked - 5 == tries


def result(answer: dict[str, Any], name: str = "canary_requests") -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in answer["MetricDataResults"] if each["Id"] == name)
    return found


def changed(name: str, **fields: Any) -> Callable[[dict[str, Any]], Any]:
    """Other fields of one series."""

    def spoil(answer: dict[str, Any]) -> Any:
        result(answer, name).update(fields)
        return answer

    return spoil


def value(name: str, *values: Any) -> Callable[[dict[str, Any]], Any]:
    """Other values of one series, in every minute."""

    def spoil(answer: dict[str, Any]) -> Any:
        found = result(answer, name)
        found["Values"] = [values[0]] * len(found["Timestamps"])
        return answer

    return spoil


def without(name: str, field: str) -> Callable[[dict[str, Any]], Any]:
    def spoil(answer: dict[str, Any]) -> Any:
        del result(answer, name)[field]
        return answer

    return spoil


def moved(seconds: float) -> Callable[[dict[str, Any]], Any]:
    def spoil(answer: dict[str, Any]) -> Any:
        found = result(answer)
        found["Timestamps"] = [at + seconds for at in found["Timestamps"]]
        return answer

    return spoil


def dropped(name: str) -> Callable[[dict[str, Any]], Any]:
    def spoil(answer: dict[str, Any]) -> Any:
        answer["MetricDataResults"].remove(result(answer, name))
        return answer

    return spoil


def doubled(answer: dict[str, Any]) -> Any:
    answer["MetricDataResults"].append(result(answer))
    return answer


def twice(answer: dict[str, Any]) -> Any:
    found = result(answer)
    found["Timestamps"], found["Values"] = found["Timestamps"] * 2, found["Values"] * 2
    return answer


NOTE = [{"Code": "Internal", "Value": "some\ndata is missing"}]
EMPTY: dict[str, Any] = {"Timestamps": [], "Values": []}
WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "partial": (
        changed("canary_errors", StatusCode="PartialData"),
        "Sum of InvocationModelErrors of canary is incomplete (PartialData)",
    ),
    "internal": (changed("canary_errors", StatusCode="InternalError"), "could not be told ('InternalError')"),
    "forbidden": (changed("canary_errors", StatusCode="Forbidden"), "could not be told ('Forbidden')"),
    "no status": (without("canary_errors", "StatusCode"), "could not be told (None)"),
    "a message": (lambda answer: {**answer, "Messages": NOTE}, "came with a message: Internal: some data is missing"),
    "a message of one": (changed("stable_fast", Messages=NOTE), "TC(:250000) of ModelLatency of stable came with a"),
    "a series less": (dropped("stable_slow"), "TC(250000:) of ModelLatency of stable is missing from the answer"),
    "two series": (doubled, "two series or none of ours: 'canary_requests'"),
    "a strange series": (changed("canary_requests", Id="other"), "two series or none of ours: 'other'"),
    "no values": (without("canary_requests", "Values"), "the answer is none of AWS"),
    "no times": (without("canary_requests", "Timestamps"), "the answer is none of AWS"),
    "no id": (without("canary_requests", "Id"), "the answer is none of AWS"),
    "fewer values": (changed("canary_requests", Values=[1.0]), "times and 1 values"),
    "two values": (twice, "Sum of Invocations of canary has two values for"),
    "of another time": (moved(-3600.0), "has a point of another time"),
    "of the future": (moved(3600.0), "has a point of another time"),
    "of half a minute": (moved(30.0), "has a point of another time"),
    "no time": (changed("canary_requests", Timestamps=["now"], Values=[1.0]), "the answer is none of CloudWatch"),
    "NaN": (value("canary_requests", float("nan")), "Sum of Invocations of canary is nan, which is no number"),
    "Inf": (value("canary_requests", float("inf")), "Sum of Invocations of canary is inf, which is no number"),
    "a text": (value("canary_requests", "20"), "Sum of Invocations of canary is '20', which is no number"),
    "true": (value("canary_requests", True), "is True, which is no number"),
    "a fraction": (value("canary_fast", 19.5), "TC(:250000) of ModelLatency of canary is 19.5, which is no count"),
    "negative": (value("canary_requests", -1), "Sum of Invocations of canary is -1, which is no count"),
    "huge": (value("canary_requests", 1e300), "is 1e+300, which is no count"),
    "more errors than requests": (value("canary_errors", 21), "contradict each other: 21 errors of 20 requests"),
    "no errors": (changed("canary_errors", **EMPTY), "InvocationModelErrors has no point, and other metrics have"),
    "no requests": (changed("canary_requests", **EMPTY), "Invocations has no point, and other metrics have"),
    "no latency": (
        lambda answer: [changed(f"stable_{name}", **EMPTY)(answer) for name in ("timed", "fast", "slow")] and answer,
        "20 requests went well, None were timed, None fast, None slow",
    ),
    "no fast ones": (changed("canary_fast", **EMPTY), "20 requests went well, 20 were timed, None fast, None slow"),
    "a limit understood otherwise": (value("canary_fast", 19), "20 were timed, 19 fast, None slow"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_an_answer_that_is_not_complete_and_certain_is_no_evidence(endpoint: Endpoint, fault: str) -> None:
    endpoint.server.spoil, sentence = WRONG[fault]
    assert sentence in failed(endpoint)


def test_the_rest_of_a_partial_answer_is_asked_for(endpoint: Endpoint) -> None:
    endpoint.server.most = 1
    found = endpoint.look()
    assert found.error is None
    assert found.requests == 40
    assert [request.get("NextToken") for request in endpoint.server.asked[-2:]] == ["3", "4"]


def test_an_answer_without_end_is_no_answer(endpoint: Endpoint) -> None:
    endpoint.server.spoil = lambda answer: {**answer, "NextToken": "0", "MetricDataResults": []}
    assert "the answer has more than 50 pages" in failed(endpoint)


def test_a_page_that_fails_fails_the_look(endpoint: Endpoint) -> None:
    endpoint.server.most = 2
    endpoint.server.fault = lambda request: (500, b"") if request.get("NextToken") == "2" else None
    assert "AWS failed 3 times" in (endpoint.look().error or "")


def test_a_contradiction_is_left_behind(endpoint: Endpoint) -> None:
    """The minute that contradicts itself stays as it is, and the rollout is not blind for ever."""
    at = endpoint.clock.now().timestamp() - 30.0
    endpoint.server.put("InvocationModelErrors", NEW, at, 21.0, endpoint=ENDPOINT)
    errors = []
    for _ in range(10):
        endpoint.serve()
        found = endpoint.look()
        errors.append(found.error)
    (told,) = [error for error in errors if error]
    assert "21 errors of 20 requests" in told
    assert errors[-1] is None
    assert found.requests == 40


def test_a_source_that_stays_down_is_asked_at_each_look(endpoint: Endpoint) -> None:
    endpoint.server.fault = plain(500)
    for number in range(1, 16):
        endpoint.serve()
        assert endpoint.look().error is not None
        assert endpoint.rollout.blind_s == 60.0 * number


def test_without_credentials(tmp_path: Path, server: PretendedCloudWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    endpoint = Endpoint(tmp_path, server)
    assert "there are no credentials for AWS" in (endpoint.look().error or "")
    with pytest.raises(WorldFailed, match="there are no credentials for AWS"):
        endpoint.source.history(endpoint.rollout)
    assert server.requests == 0


def test_without_a_region(tmp_path: Path, server: PretendedCloudWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    endpoint = Endpoint(tmp_path, server)
    assert "no client of cloudwatch can be made: You must specify a region" in (endpoint.look().error or "")
    with pytest.raises(UnusableInput, match="You must specify a region"):
        endpoint.source.history(endpoint.rollout)


def test_nobody_listens(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    alone = Endpoint(tmp_path / "alone", endpoint.server)
    assert "AWS cannot be reached: Could not connect" in (alone.look().error or "")


def test_history_leaves_out_what_contradicts_itself_unless_everything_does(endpoint: Endpoint) -> None:
    whole = endpoint.source.history(endpoint.rollout)
    samples, errors = endpoint.server.samples, ("InvocationModelErrors", ENDPOINT, OLD)
    first = samples[errors][0][0]
    samples[errors] = [each for each in samples[errors] if each[0] >= first + 60]
    assert endpoint.source.history(endpoint.rollout).requests == whole.requests - 20
    samples[errors] = []
    with pytest.raises(WorldFailed, match="InvocationModelErrors has no point, and other metrics have"):
        endpoint.source.history(endpoint.rollout)


def test_a_p99_that_is_missing_is_no_limit_of_a_second(endpoint: Endpoint) -> None:
    endpoint.server.spoil = lambda answer: (
        changed("p99", **EMPTY)(answer) if len(answer["MetricDataResults"]) == 2 else answer
    )
    with pytest.raises(WorldFailed, match="p99 of ModelLatency of stable has 0 points, and SampleCount of"):
        endpoint.source.history(endpoint.rollout)


def test_a_canary_all_of_whose_requests_fail_is_seen_without_latency(endpoint: Endpoint) -> None:
    dead = Served(failed=20, answered=False)
    assert ("errors", 20, 20, 20, 0) in endpoint.blocks(4, dead)
