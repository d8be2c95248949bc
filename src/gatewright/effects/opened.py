"""File systems of fsspec: opened with time limits, every failure told as one of our errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from gatewright.domain.errors import GatewrightError, UnusableInput, WorldFailed
from gatewright.effects.addresses import refuse_link_local

CONNECT_S = 10.0
READ_S = 60.0
_EXTRA = {
    "s3": "pip install 'gatewright[s3]'",
    "http": "pip install 'gatewright[s3]', which brings fsspec and aiohttp",
    "gs": "pip install gcsfs",
    "gcs": "pip install gcsfs",
    "az": "pip install adlfs",
    "abfs": "pip install adlfs",
}
# What the file systems raise besides OSError, by scheme.
_FAILURES = {
    "s3": (
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("aiohttp", "ClientError"),
    ),
    "http": (("aiohttp", "ClientError"),),
    "gs": (("gcsfs.retry", "HttpError"), ("google.auth.exceptions", "GoogleAuthError")),
}
_CREDENTIALS = "give credentials by the environment (AWS_PROFILE, AWS_ACCESS_KEY_ID, …) or the configuration of fsspec"


def opened(scheme: str, *, connect_s: float = CONNECT_S, read_s: float = READ_S) -> Any:
    """The file system of `scheme`, nothing cached in it; UnusableInput when its package is not installed."""
    options: dict[str, Any] = {}
    try:
        import fsspec

        if scheme == "s3":
            times = {"connect_timeout": connect_s, "read_timeout": read_s, "retries": {"max_attempts": 2}}
            options = {"version_aware": True, "config_kwargs": times}
        elif scheme in ("http", "https"):
            options = {"client_kwargs": _client(connect_s, read_s)}
        return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False, **options)
    except ImportError as error:
        raise UnusableInput(
            f"{scheme}:// needs a package that is not installed: {error}",
            fix=_EXTRA.get(scheme.removesuffix("s") if scheme == "https" else scheme, "pip install fsspec"),
        ) from error


def changing(uri: str, what: str) -> WorldFailed:
    """The error for a source that somebody writes to while it is read."""
    return WorldFailed(f"{uri} changed while it was read: {what}", fix="add it again when nobody writes to it")


@contextmanager
def asking(scheme: str, at: str) -> Iterator[None]:
    """Tell whatever goes wrong with the object `at` as WorldFailed; only FileNotFoundError passes."""
    failures: tuple[type[Exception], ...] = (OSError, *_failures(scheme))
    try:
        yield
    except FileNotFoundError as error:
        # fsspec's http calls every failure so; the cause says which it was.
        cause = error.__cause__ if scheme in ("http", "https") else None
        if isinstance(cause, GatewrightError):
            raise cause from error
        if not isinstance(cause, failures) or isinstance(cause, FileNotFoundError) or _status(cause) in (404, 410):
            raise
        raise _told(at, cause) from error
    except failures as error:
        raise _told(at, error) from error


def _told(at: str, error: Exception) -> WorldFailed:
    words = (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
    if isinstance(error, OSError) and error.errno == errno.EBUSY:
        return changing(at, "it is another now")
    refused = isinstance(error, PermissionError) or _status(error) in (401, 403)
    if refused or "credentials" in str(error).lower():
        return WorldFailed(f"{at}: access is refused ({words})", fix=_CREDENTIALS)
    return WorldFailed(f"{at}: {words}", fix="is the service up, and its endpoint right? Try again")


def _status(error: Exception) -> int | None:
    return getattr(error, "status", None)


def _client(connect_s: float, read_s: float) -> dict[str, Any]:
    import aiohttp

    async def redirected(_session: object, _context: object, told: Any) -> None:
        """A server may send us on, but not to where this machine's own secrets are."""
        to = urlsplit(str(told.response.headers.get("location", "")))
        if to.scheme not in ("", "http", "https"):
            raise UnusableInput(f"{told.url} leads to {to.scheme}://", fix="data may not come from there")
        if to.hostname:
            refuse_link_local(to.hostname)

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(redirected)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=read_s)
    return {"timeout": timeout, "trace_configs": [trace], "trust_env": True}


def _failures(scheme: str) -> tuple[type[Exception], ...]:
    family = {"https": "http", "gcs": "gs"}.get(scheme, scheme)
    return tuple(getattr(import_module(module), name) for module, name in _FAILURES.get(family, ()))
