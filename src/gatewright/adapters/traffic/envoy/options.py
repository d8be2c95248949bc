"""What a team may set about its gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from gatewright.domain.duration import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Section `serving` with `kind: envoy`.

    Users are told apart by `user_header`. A request gets `timeout` in all, one try at most `try_timeout`; a try that
    fails is repeated on the other arm.
    """

    port: Annotated[int, Ge(1), Le(65535)] = 8080
    host: str = "127.0.0.1"
    user_header: str = "x-user-id"
    try_timeout: Duration = Duration(2.0)
    timeout: Duration = Duration(5.0)
