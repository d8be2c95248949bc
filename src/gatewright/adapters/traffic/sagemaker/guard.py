"""The dead-man switch of a canary at SageMaker: a schedule of AWS that takes its weight back, moved on by every tick.

Nothing of ours runs beside an endpoint. So whoever gives a canary weight first has EventBridge Scheduler call
UpdateEndpointWeightsAndCapacities at the end of the lease; while ticks come, that moment never does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from gatewright.adapters.traffic.sagemaker.options import UNGUARDED, Options
from gatewright.domain.documents import sha256
from gatewright.effects.aws import Refused, asking, opened
from gatewright.effects.failpoints import failpoint

_GONE = "ResourceNotFoundException"
_THERE = "ConflictException"
_TARGET = "scheduler:::aws-sdk:sagemaker:updateEndpointWeightsAndCapacities"
_LONGEST = 64
_RETRIES = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}


class Guard:
    """The schedule `gatewright-ENDPOINT`. Without a role nothing of it is there, and nothing asked."""

    def __init__(self, options: Options, endpoint: str) -> None:
        self._options, self._endpoint = options, endpoint
        self._name = schedule_name(endpoint)

    def renew(self, until: datetime, shares: Mapping[str, float]) -> None:
        """At `until`, in UTC, or the full minute after it, the variants get these weights; a schedule moves.

        Scheduler invokes at some second of the minute that it is told (its user guide, "schedule types").
        """
        if self._options.guard == UNGUARDED:
            return
        wanted = self._schedule(until, shares)
        try:
            with self._asked("renew"):
                _made(self._client.update_schedule(**wanted))
        except Refused as error:
            if error.code != _GONE:
                raise
            self._create(wanted)

    def drop(self) -> None:
        """No schedule any more; nothing to do when there is none."""
        if self._options.guard == UNGUARDED:
            return
        try:
            with self._asked("drop"):
                self._client.delete_schedule(Name=self._name)
        except Refused as error:
            if error.code != _GONE:
                raise

    def stands(self) -> bool:
        """Whether there is a schedule that may still move traffic."""
        if self._options.guard == UNGUARDED:
            return False
        try:
            with self._asked("look"):
                self._client.get_schedule(Name=self._name)
        except Refused as error:
            if error.code != _GONE:
                raise
            return False
        return True

    def _create(self, wanted: Mapping[str, Any]) -> None:
        try:
            with self._asked("create"):
                _made(self._client.create_schedule(**wanted))
        except Refused as error:
            if error.code != _THERE:
                raise
            with self._asked("renew"):
                _made(self._client.update_schedule(**wanted))

    def _schedule(self, until: datetime, shares: Mapping[str, float]) -> dict[str, Any]:
        weights = [{"VariantName": name, "DesiredWeight": share} for name, share in shares.items()]
        partition = self._options.guard.split(":")[1]
        at = until + timedelta(seconds=-until.timestamp() % 60)
        return {
            "Name": self._name,
            "Description": f"gives the traffic of {self._endpoint} back to stable unless the lease is renewed",
            "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": f"arn:{partition}:{_TARGET}",
                "RoleArn": self._options.guard,
                "Input": json.dumps({"EndpointName": self._endpoint, "DesiredWeightsAndCapacities": weights}),
                "RetryPolicy": _RETRIES,
            },
        }

    @contextmanager
    def _asked(self, verb: str) -> Iterator[None]:
        failpoint(f"before-http:sagemaker-guard-{verb}")
        with asking(f"the schedule {self._name} ({verb})"):
            yield
        failpoint(f"after-http:sagemaker-guard-{verb}")

    @cached_property
    def _client(self) -> Any:
        return opened("scheduler", self._options.region, self._options.timeout.seconds)


def schedule_name(endpoint: str) -> str:
    """`gatewright-ENDPOINT`; shortened where Scheduler allows no such length, and still a name of its own."""
    name = f"gatewright-{endpoint}"
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 17]}-{sha256(endpoint.encode())[-16:]}"


def _made(answer: Mapping[str, Any]) -> str:
    """The schedule that AWS names: a proxy that answers 200 with a page of its own has made none. KeyError then."""
    return str(answer["ScheduleArn"])
