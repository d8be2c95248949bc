"""One call to the API of a service: its token comes from the environment and is never told."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urlsplit

from gatewright.domain.errors import ServiceFailed, UnusableInput, WorldFailed
from gatewright.effects.asking import Answer, ask

_SHOWN = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as errors name it: what it is called, how long it may take, and what must not be told.

    `failure` is what its faults are raised as, `setting` where its address is written.
    """

    name: str
    timeout_s: float
    secrets: tuple[str, ...] = field(default=(), repr=False)
    helps: Mapping[int, str] = field(default_factory=dict)
    failure: type[ServiceFailed] = ServiceFailed
    setting: str = ""

    def call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, good: tuple[int, ...]
    ) -> Answer:
        """The answer with a status in `good`; ServiceFailed for any other, saying whether it may be tried again."""
        try:
            answer = ask(url, timeout_s=self.timeout_s, headers=headers, method=method, body=body)
        except WorldFailed as error:
            raise self.failure(self.hidden(f"{self.name}: {error.what}"), fix=error.fix, again=True) from error
        if answer.status not in good:
            raise self._refused(answer, url)
        return answer

    def hidden(self, text: str) -> str:
        """`text` in one printable line without any secret."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())

    def strange(self, answer: Answer) -> ServiceFailed:
        """A right status with a wrong body: a login page or a proxy has answered instead."""
        kind = answer.headers.get("content-type", "no type")
        return self.failure(
            self.hidden(f"{self.name} answered {answer.status} with {kind}, which is no answer of its API"),
            fix="is it the address of the API, and does no login page or proxy stand in front of it?",
        )

    def _refused(self, answer: Answer, url: str) -> ServiceFailed:
        status, wait_s = answer.status, _retry_after_s(answer)
        what = f"{self.name} answered {status} to {urlsplit(url).path}"
        if 300 <= status < 400:
            where = urlsplit(answer.location)
            what += f", a redirect to {where.scheme}://{where.hostname or '?'}, which is not followed"
            fix = f"write the address it redirects to, if it is yours{self.setting and ': ' + self.setting}"
            return self.failure(self.hidden(what), fix=fix, status=status)
        # Hidden before it is cut: a half of a secret would be no secret to look for.
        if said := self.hidden(_message(answer)):
            what += f": {said[:_SHOWN]}"
        limited = status == 429 or (status == 403 and (wait_s or answer.headers.get("x-ratelimit-remaining") == "0"))
        if limited or status >= 500 or status == 408:
            fix = "it is tried again by itself" + (f", not before {wait_s:.0f} s" if wait_s else "")
            return self.failure(self.hidden(what), fix=fix, again=True, after_s=wait_s, status=status)
        help = self.helps.get(status, "see the documentation of its API")
        return self.failure(self.hidden(what), fix=help, status=status)


def secret_of(variable: str, what: str) -> str:
    """The value of the environment variable; UnusableInput when it is not set or could not be sent."""
    value = os.environ.get(variable, "").strip()
    if not value:
        raise UnusableInput(f"{what} is not set: the environment variable {variable}", fix=f"export {variable}=…")
    if not (value.isascii() and value.isprintable()):
        raise UnusableInput(f"{variable} does not hold {what}: it has signs that none has", fix="copy it once more")
    return value


def read_object(service: Service, answer: Answer) -> Mapping[str, object]:
    """The JSON object of an answer; ServiceFailed when it is something else."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise service.strange(answer)
    return found


def read_list(service: Service, answer: Answer) -> list[Mapping[str, object]]:
    """The JSON objects of an answer that is a list; ServiceFailed when it is something else."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise service.strange(answer)
    return found


def own_link(found: object, url: str) -> str:
    """`found` if it is a link to the service itself; else `url`: what a foreign answer names is not shown as ours."""
    text = str(found) if isinstance(found, str) else ""
    same = urlsplit(text).hostname == urlsplit(url).hostname and urlsplit(text).scheme in ("http", "https")
    return text if same and text.isprintable() and " " not in text and len(text) < 500 else url


def form(values: Mapping[str, str]) -> bytes:
    """`values` as an HTML form sends them."""
    return urlencode(values).encode("ascii")


FORM = "application/x-www-form-urlencoded"


def _message(answer: Answer) -> str:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    said = found.get("message", found.get("error", "")) if isinstance(found, dict) else ""
    return said if isinstance(said, str) else json.dumps(said)


def _retry_after_s(answer: Answer) -> float:
    """Seconds of a Retry-After, which is a number or a date (RFC 9110, 10.2.3); 0 without one."""
    told = answer.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        return max((parsedate_to_datetime(told).astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0
