"""CloudWatch's GetMetricData: statistics of several metrics in one call, each answer complete or refused.

What CloudWatch leaves out it does not tell: a metric that does not exist is as empty as one without data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from gatewright.domain.errors import WorldFailed
from gatewright.effects.aws import asking, opened
from gatewright.effects.failpoints import failpoint

Points = dict[int, float]
"""Values by the beginning of their period, in seconds since 1970."""

_NAMESPACE = "AWS/SageMaker"
_MOST_PAGES = 50
_NO_ANSWER = "is that CloudWatch, or a proxy's error? Check AWS_ENDPOINT_URL"
_LATER = "wait: nothing is counted until CloudWatch answers in full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One statistic of one metric of a production variant; `of` is who that variant is."""

    of: str
    variant: str
    metric: str
    stat: str

    def __str__(self) -> str:
        return f"{self.stat} of {self.metric} of {self.of}"


class MetricData:
    """The metrics of one endpoint; the client is opened when it is asked first."""

    def __init__(self, *, endpoint: str, region: str | None, timeout_s: float) -> None:
        self.endpoint = endpoint
        self._region, self._timeout_s = region, timeout_s

    @property
    def region(self) -> str:
        """Where the metrics are looked for."""
        return str(self._client.meta.region_name)

    def points(self, wanted: Mapping[str, Series], *, start: int, end: int, period: int) -> dict[str, Points]:
        """All of `wanted` from `start` to before `end`, by its keys, which are letters, digits and _.

        Of a period that `start` lies within there may be a point, too.
        WorldFailed unless every series was answered in full, with one finite number a point at most.
        """
        failpoint("before-http:cloudwatch-metrics")
        found: dict[str, Points] = {key: {} for key in wanted}
        unfinished = dict.fromkeys(wanted, "is missing from the answer")
        for page in self._pages(self._request(wanted, start, end, period)):
            _heed(page.get("Messages"), "the answer")
            told: set[str] = set()
            for result in page["MetricDataResults"]:
                key = result["Id"]
                if key not in wanted or key in told:
                    raise WorldFailed(f"cloudwatch: two series or none of ours: {key!r:.80}", fix=_NO_ANSWER)
                told.add(key)
                _heed(result.get("Messages"), str(wanted[key]))
                _add(found[key], result, wanted[key], start - period, end)
                unfinished[key] = _state(result.get("StatusCode"), wanted[key])
        for key, why in unfinished.items():
            if why:
                raise WorldFailed(f"cloudwatch: {wanted[key]} {why}", fix=_LATER)
        failpoint("after-http:cloudwatch-metrics")
        return found

    def _request(self, wanted: Mapping[str, Series], start: int, end: int, period: int) -> dict[str, Any]:
        return {
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampAscending",
            "MetricDataQueries": [
                {
                    "Id": key,
                    "MetricStat": {
                        "Metric": {
                            "Namespace": _NAMESPACE,
                            "MetricName": series.metric,
                            "Dimensions": [
                                {"Name": "EndpointName", "Value": self.endpoint},
                                {"Name": "VariantName", "Value": series.variant},
                            ],
                        },
                        "Period": period,
                        "Stat": series.stat,
                    },
                }
                for key, series in wanted.items()
            ],
        }

    def _pages(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for _ in range(_MOST_PAGES):
            page = self._page(request)
            yield page
            token = page.get("NextToken")
            if not token:
                return
            request = {**request, "NextToken": token}
        raise WorldFailed(f"cloudwatch: the answer has more than {_MOST_PAGES} pages", fix="ask for less: history")

    def _page(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with asking(f"cloudwatch: the metrics of the endpoint {self.endpoint}"):
                page: dict[str, Any] = self._client.get_metric_data(**request)
                _ = [(each["Id"], each["Timestamps"], each["Values"]) for each in page["MetricDataResults"]]
                return page
        except (ValueError, TypeError, AttributeError) as error:  # botocore cannot read what stands there
            raise WorldFailed("cloudwatch: the answer is none of CloudWatch", fix=_NO_ANSWER) from error

    @cached_property
    def _client(self) -> Any:
        return opened("cloudwatch", self._region, self._timeout_s)


def whole(value: float, series: Series) -> int:
    """A count; WorldFailed for what is none."""
    if value < 0 or value != math.floor(value) or value > 2**53:
        raise WorldFailed(f"cloudwatch: {series} is {value:.15g}, which is no count", fix="is the metric SageMaker's?")
    return int(value)


def _add(points: Points, result: Mapping[str, Any], series: Series, after: int, end: int) -> None:
    times, values = result["Timestamps"], result["Values"]
    if len(times) != len(values):
        raise WorldFailed(f"cloudwatch: {series} has {len(times)} times and {len(values)} values", fix=_NO_ANSWER)
    for time, value in zip(times, values, strict=True):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise WorldFailed(f"cloudwatch: {series} is {value!r:.80}, which is no number", fix=_NO_ANSWER)
        at = time.timestamp() if isinstance(time, datetime) else math.nan
        if not after < at < end or at % 60:
            raise WorldFailed(f"cloudwatch: {series} has a point of another time, {time}", fix=_NO_ANSWER)
        if int(at) in points:
            raise WorldFailed(f"cloudwatch: {series} has two values for {time}", fix=_NO_ANSWER)
        points[int(at)] = float(value)


def _state(status: Any, series: Series) -> str:
    """Why the series is not complete yet; empty when it is. WorldFailed when it never will be."""
    if status == "Complete":
        return ""
    if status == "PartialData":  # the rest comes with the next page
        return "is incomplete (PartialData)"
    fix = "docs/sagemaker.md lists the permissions needed" if status == "Forbidden" else _LATER
    raise WorldFailed(f"cloudwatch: {series} could not be told ({status!r:.40})", fix=fix)


def _heed(messages: Any, what: str) -> None:
    """WorldFailed when CloudWatch has a message: it has left something out, or wants to."""
    for message in messages or ():
        said = " ".join(f"{message.get('Code')}: {message.get('Value')}".split())[:300]
        raise WorldFailed(f"cloudwatch: {what} came with a message: {said}", fix=_LATER)
