"""HTTP calls with a time limit and a size limit, every failure told as one kind of error."""

from __future__ import annotations

from urllib.parse import urlsplit

from gatewright.domain.errors import WorldFailed
from gatewright.effects.failpoints import failpoint

_LIMIT = 32 << 20


def get(url: str, *, timeout_s: float) -> bytes:
    """The body of a 200 answer; WorldFailed for anything else."""
    return _call("GET", url, None, timeout_s)


def post(url: str, body: bytes, *, timeout_s: float) -> bytes:
    """POST `body`; the body of a 200 answer; WorldFailed for anything else."""
    return _call("POST", url, body, timeout_s)


def _call(method: str, url: str, body: bytes | None, timeout_s: float) -> bytes:
    import http.client

    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    failpoint(f"before-http:{parts.path}")
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request(method, target, body, {"content-type": "application/json"} if body else {})
        answer = connection.getresponse()
        data = answer.read(_LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise WorldFailed(f"{method} {url}: {str(error) or type(error).__name__}", fix="is the service up?") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise WorldFailed(f"{method} {url} answered {answer.status}", fix="see the log of the service")
    failpoint(f"after-http:{parts.path}")
    return data
