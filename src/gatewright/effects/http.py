"""HTTP calls with a time limit and a size limit, every failure told as one kind of error."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.effects.failpoints import failpoint

_LIMIT = 32 << 20


def get(url: str, *, timeout_s: float) -> bytes:
    """The body of a 200 answer; WorldFailed for anything else."""
    return _call("GET", url, None, timeout_s)


def post(url: str, body: bytes, *, timeout_s: float) -> bytes:
    """POST `body`; the body of a 200 answer; WorldFailed for anything else."""
    return _call("POST", url, body, timeout_s)


def deliver(url: str, body: bytes, *, timeout_s: float, name: str) -> None:
    """POST the JSON `body` to `url`, which is a secret and is called `name` in errors; WorldFailed unless it is taken.

    Any status from 200 to 299 takes it; nothing is followed elsewhere. UnusableInput for a URL that cannot be called.
    """
    import http.client

    parts = _checked(url, name)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    failpoint("before-http:deliver")
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("POST", target, body, {"content-type": "application/json", "user-agent": "gatewright"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise WorldFailed(f"POST to {name}: {reason}", fix="is the service up?") from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise WorldFailed(f"POST to {name} was answered with {status}", fix="see the log of the service")
    failpoint("after-http:deliver")


def _checked(url: str, name: str) -> SplitResult:
    """The parts of a URL to which anything may be sent: http or https, no credentials, no address of the link alone."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    wrong = None
    if parts.scheme not in ("http", "https") or not host:
        wrong = "is no http or https URL"
    elif parts.username or parts.password:
        wrong = "holds a user name or a password"
    elif _of_the_link(host):
        wrong = "leads to a link-local address"
    if wrong:
        raise UnusableInput(f"the URL in {name} {wrong}", fix="https://HOST/PATH")
    return parts


def _of_the_link(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_link_local
    except ValueError:
        return False


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
