"""One call to a service that is not ours: http or https, one time limit for the whole answer, no redirect followed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gatewright.domain.errors import WorldFailed
from gatewright.effects.failpoints import failpoint

_LARGEST = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service said, whatever its status; `location` is where a redirect would lead."""

    status: int
    body: bytes
    location: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def ask(
    url: str,
    *,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
) -> Answer:
    """GET (or `method`) `url`; the names of an answer's headers are in lower case.

    WorldFailed without an answer, and for one that is not there after `timeout_s` or larger than 8 MiB.

    Neither the query of `url` nor a header is ever told.
    """
    import http.client

    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    failpoint(f"before-http:{parts.path}")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=max(timeout_s, 0.001))
    late = threading.Event()
    # A time-out of the socket begins anew with each byte; this ends an answer that comes in drops, too.
    timer = threading.Timer(timeout_s, _cut, (connection, late))
    timer.daemon = True
    try:
        timer.start()
        connection.request(method, target, body, dict(headers or {}))
        answer = connection.getresponse()
        data = answer.read(_LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise WorldFailed(f"{shown} gave no whole answer within {timeout_s:.3g} s", fix="is it busy?") from error
        # What http.client quotes came from the other side, and may be anything.
        said = str(error) if isinstance(error, OSError) else f"no answer of HTTP ({type(error).__name__})"
        raise WorldFailed(f"{shown}: {said or type(error).__name__}", fix="is the service up?") from error
    finally:
        timer.cancel()
        connection.close()
    if late.is_set():
        raise WorldFailed(f"{shown} gave no whole answer within {timeout_s:.3g} s", fix="is it busy?")
    if len(data) > _LARGEST:
        raise WorldFailed(f"{shown} answered with more than {_LARGEST >> 20} MiB", fix="is this the right address?")
    failpoint(f"after-http:{parts.path}")
    told = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(status=answer.status, body=data, location=told.get("location", ""), headers=told)


def _cut(connection: object, late: threading.Event) -> None:
    late.set()
    sock = getattr(connection, "sock", None)
    if isinstance(sock, socket.socket):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself
