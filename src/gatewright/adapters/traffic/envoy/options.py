"""What a team may set about its gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen, Predicate

from gatewright.domain.duration import Duration

SECOND_TRY_RESERVE_S = 0.05
Text = Annotated[str, MinLen(1)]
_TESTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}")
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def header_name(text: str) -> bool:
    """Lower-case letters, digits and hyphens, as in x-user-id."""
    return _HEADER.fullmatch(text) is not None


def user_name(text: str) -> bool:
    """Letters, digits, dots, hyphens, underscores, plus signs and one form of address: ada or ada@example.org."""
    return _TESTER.fullmatch(text) is not None


def ipv4_address(text: str) -> bool:
    """127.0.0.1 is this machine alone, 0.0.0.0 all of its addresses."""
    try:
        return str(IPv4Address(text)) == text
    except AddressValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Section `serving` with `kind: envoy`.

    Users are told apart by `user_header`. A request gets `timeout` in all, one try at most `try_timeout`; a try that
    fails is repeated on the other arm. What the model servers answer is logged, in at most `prediction_log_mb`
    megabytes; 0 logs nothing. `log_features` logs these inputs too, or `all` of them; never one that the schema file
    marks personal. `testers` are values of `user_header` that may choose their arm by the header x-gatewright-arm
    (canary or stable) during a rollout; what they ask is no evidence.
    """

    port: Annotated[int, Ge(1), Le(65535)] = 8080
    host: Annotated[str, Predicate(ipv4_address)] = "127.0.0.1"
    user_header: Annotated[str, Predicate(header_name)] = "x-user-id"
    try_timeout: Duration = Duration(2.0)
    timeout: Duration = Duration(5.0)
    prediction_log_mb: Annotated[int, Ge(0), Le(65536)] = 256
    log_features: Literal["all"] | tuple[Text, ...] = ()
    testers: tuple[Annotated[str, Predicate(user_name)], ...] = ()

    def __post_init__(self) -> None:
        """ValueError when two tries do not fit into the time of a request."""
        if self.timeout.seconds < 2 * self.try_timeout.seconds + SECOND_TRY_RESERVE_S:
            raise ValueError(f"timeout {self.timeout} leaves no room for two tries of {self.try_timeout}")
        if self.log_features and not self.prediction_log_mb:
            raise ValueError("log_features needs the log of predictions: write prediction_log_mb above 0")
