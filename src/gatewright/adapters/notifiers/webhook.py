"""A webhook: one JSON document per notice, which chat services show by its `text`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Predicate

from gatewright.domain.documents import canonical_json, plain
from gatewright.domain.duration import Duration
from gatewright.domain.errors import UnusableInput
from gatewright.domain.notice import Notice, NoticeKind
from gatewright.effects import http
from gatewright.ports import Context

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def variable_name(text: str) -> bool:
    """A name such as ALERTS_URL, never the URL itself: it is a secret."""
    return _VARIABLE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """An entry of `notify` with `kind: webhook`.

    The environment variable `url_env` holds the URL, which is a secret. One try takes at most `timeout`; no `events`
    means all.
    """

    url_env: Annotated[str, Predicate(variable_name)]
    events: tuple[NoticeKind, ...] = ()
    timeout: Duration = Duration(3.0)


class Webhook:
    """Port `Notifier` over HTTP: POST, any 2xx takes it."""

    def __init__(self, options: Options, context: Context) -> None:
        self._variable = options.url_env
        self._timeout_s = options.timeout.seconds

    def tell(self, notice: Notice) -> None:
        """POST the notice. UnusableInput without a usable URL, WorldFailed when it is not taken."""
        url = os.environ.get(self._variable)
        if not url:
            raise UnusableInput(f"the environment variable {self._variable} is not set", fix="it holds the URL")
        http.deliver(url, canonical_json(plain(notice)), timeout_s=self._timeout_s, name=self._variable)
