"""The JSON API of a forge: lists page by page, and what may succeed later asked again, a few times."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from gatewright.domain.errors import ServiceFailed, UnusableInput
from gatewright.domain.forge import Comment
from gatewright.effects.asking import Answer
from gatewright.effects.service_addresses import service_address
from gatewright.effects.services import Service, read_list, read_object
from gatewright.ports import Clock

T = TypeVar("T")
Object = Mapping[str, object]

_PAGE = 100
_MOST_PAGES = 100
_LONGEST_WAIT_S = 30.0
_STAMP = re.compile(r"\n<!-- (\S+) -->")


class Api:
    """Everything below one address, with the same headers."""

    def __init__(self, service: Service, base: str, headers: Mapping[str, str]) -> None:
        if not service_address(base):
            raise UnusableInput(
                f"{base!r} is no address of the API of {service.name}", fix="https://HOST, without user and query"
            )
        self.service = service
        self.base = base.rstrip("/")
        self._headers = {"accept": "application/json", "user-agent": "gatewright", **headers}

    def ask(self, path: str, good: tuple[int, ...] = (200,)) -> Answer:
        """GET `path`; an answer with a status in `good`."""
        return self.service.call("GET", self.base + path, self._headers, None, good)

    def items(self, path: str, *, at_most: int = _PAGE * _MOST_PAGES) -> Iterator[Object]:
        """The objects of a list, page after page, the next one asked for only when it is needed."""
        sign, seen = "&" if "?" in path else "?", 0
        for page in range(1, _MOST_PAGES + 1):
            size = min(_PAGE, at_most)
            answer = self.ask(f"{path}{sign}per_page={size}&page={page}")
            found = read_list(self.service, answer)
            yield from found
            seen += len(found)
            if seen >= at_most or not _has_more(answer, len(found)):
                return

    def send(self, method: str, path: str, body: Object, good: tuple[int, ...]) -> tuple[int, Object]:
        """Send a JSON document; the status, and the object of the answer where there is one."""
        headers = {**self._headers, "content-type": "application/json"}
        answer = self.service.call(method, self.base + path, headers, json.dumps(body).encode(), good)
        return answer.status, read_object(self.service, answer)


def patiently(call: Callable[[], T], clock: Clock, tries: int) -> T:
    """What `call` gives. It is made again, up to `tries` times in all, when its failure may pass within half a minute.

    All of `call` is repeated, so it has to look for what an earlier one may have left.
    """
    for made in range(1, tries + 1):
        try:
            return call()
        except ServiceFailed as error:
            wait_s = max(error.after_s, 2.0 ** (made - 1))
            if not error.again or wait_s > _LONGEST_WAIT_S or made == tries:
                if error.again and error.status:
                    error.fix = f"it was asked {made} time{'s' if made > 1 else ''}: try again later"
                raise
        clock.sleep(wait_s)
    raise AssertionError("tries is at least 1")


def whole(found: object) -> int:
    """The number that an id is; 0 for anything else."""
    return found if isinstance(found, int) else 0


def part(found: Object, *names: str) -> object:
    """What stands below `names`, one in the other; None where one is missing."""
    value: object = found
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def begins_with(body: object, marker: str) -> bool:
    """Whether a text is one of ours: a quotation of it begins with another sign."""
    return isinstance(body, str) and body.startswith(marker)


def stands(body: object, comment: Comment) -> bool:
    """Whether what is there needs no change: it has the same text, or a later stamp.

    Services change the ends of lines and trim.
    """
    text = body.replace("\r\n", "\n").strip() if isinstance(body, str) else ""
    stamp = _STAMP.match(text.removeprefix(comment.marker))
    later = bool(comment.stamp and stamp and stamp[1] > comment.stamp)
    return later or text == comment.body.strip()


def _has_more(answer: Answer, found: int) -> bool:
    """By the Link header where there is one (RFC 8288), else by a page that is full."""
    link = answer.headers.get("link")
    return 'rel="next"' in link if link is not None else found == _PAGE
