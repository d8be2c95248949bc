"""What a team may set about its endpoint of SageMaker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Le, MinLen, Predicate

from gatewright.domain.duration import Duration

_ENDPOINT = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,1023}")
UNGUARDED = "none"
Text = Annotated[str, MinLen(1)]


def endpoint_name(text: str) -> bool:
    """Letters, digits and hyphens inside, at most 63: people."""
    return _ENDPOINT.fullmatch(text) is not None


def role_arn(text: str) -> bool:
    """A role as AWS names it: arn:aws:iam::123456789012:role/serving."""
    return _ROLE.fullmatch(text) is not None


def guard_role(text: str) -> bool:
    """A role as AWS names it (arn:aws:iam::123456789012:role/guard), or none."""
    return text == UNGUARDED or role_arn(text)


def is_instance_type(text: str) -> bool:
    """An instance type of SageMaker: ml.m5.large."""
    return _INSTANCE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Section `serving` with `kind: sagemaker`.

    `role` is what the containers run as, `guard` the role with which EventBridge Scheduler takes a canary's weight back
    when nobody renews its lease; `none` leaves the weight where it is then. Each arm gets `instances` of
    `instance_type`. `endpoint` and `group` are the model's name unless they are said. `startup` is how long a container
    may take until it answers, `timeout` how long an answer of AWS is waited for.
    """

    role: Annotated[str, Predicate(role_arn)]
    guard: Annotated[str, Predicate(guard_role)]
    instance_type: Annotated[str, Predicate(is_instance_type)]
    instances: Annotated[int, Ge(1), Le(1000)] = 1
    endpoint: Annotated[str, Predicate(endpoint_name)] | None = None
    group: Annotated[str, Predicate(endpoint_name)] | None = None
    region: Text | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    subnets: tuple[Text, ...] = ()
    security_groups: tuple[Text, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    kms_key: Text | None = None
    startup: Duration | None = None
    timeout: Duration = Duration(15.0)

    def __post_init__(self) -> None:
        """ValueError for one half of a network, a variable without a name, or a start outside of 1 minute to 1 hour."""
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups belong together: write both or neither")
        for name in self.environment:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"environment: {name!r} is no name of a variable")
        if self.startup is not None and not 60 <= self.startup.seconds <= 3600:
            raise ValueError(f"startup {self.startup} is not between 1m and 1h, which is what SageMaker takes")
