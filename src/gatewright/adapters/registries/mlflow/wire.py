"""Calls to a tracking server: bounded in time and tries, and every failure is told as what it is."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import SplitResult, quote, urlencode

from gatewright.adapters.registries.mlflow.credentials import Credentials
from gatewright.domain.errors import WorldFailed
from gatewright.effects.failpoints import failpoint
from gatewright.ports import Clock

T = TypeVar("T")

_LIMIT = 32 << 20
_WAITS_S = (0.3, 1.0)
_PASSING = (429, 500, 502, 503, 504)
_ROOT = "/api/2.0/mlflow/"
_FILES = "/api/2.0/mlflow-artifacts/artifacts"
_BYTES_TIMEOUT = 4.0
"""How much longer than for an answer is waited for bytes: the server may move a whole file on before it answers."""


class Refused(WorldFailed):
    """The server understood and said no; `code` is its word for why."""

    def __init__(self, what: str, *, code: str, fix: str = "") -> None:
        super().__init__(what, fix=fix)
        self.code = code


class _Passing(WorldFailed):
    """What may be over in a moment."""


class Wire:
    """One tracking server."""

    def __init__(self, address: SplitResult, credentials: Credentials, clock: Clock, timeout_s: float) -> None:
        self._address, self._credentials, self._clock, self._timeout_s = address, credentials, clock, timeout_s
        self._base = address.path.rstrip("/")
        self.name = f"{address.scheme}://{address.netloc}{self._base}"

    def get(self, endpoint: str, **words: str | int) -> dict[str, Any]:
        """Ask; the JSON object that was answered."""
        return self._json("GET", f"{_ROOT}{endpoint}?{urlencode(words)}", None)

    def post(self, endpoint: str, document: Mapping[str, Any], *, verb: str = "POST") -> dict[str, Any]:
        """Tell; the JSON object that was answered. What is told may arrive twice: an answer can be lost."""
        return self._json(verb, f"{_ROOT}{endpoint}", json.dumps(document).encode())

    def list(self, folder: str) -> list[dict[str, Any]]:
        """The entries of a folder of artifacts: `path` (its name), `is_dir`, `file_size`."""
        found = self._json("GET", f"{_FILES}?{urlencode({'path': folder})}", None).get("files", [])
        return found if isinstance(found, list) else []

    def put(self, path: str, file: Path) -> None:
        """Upload one file, streamed; a try that broke off begins again."""
        size = file.stat().st_size

        def once() -> None:
            failpoint("before-http:mlflow-upload")
            with file.open("rb") as body, self._answer("PUT", f"{_FILES}/{quote(path)}", body, size=size) as answer:
                self._checked("PUT", answer, answer.read(_LIMIT), size=size)
            failpoint("after-http:mlflow-upload")

        self._repeated(once)

    @contextmanager
    def opened(self, path: str) -> Iterator[Iterable[bytes]]:
        """The bytes of one file, in pieces; WorldFailed when they break off."""
        with self._answer("GET", f"{_FILES}/{quote(path)}", None, size=0) as answer:
            if answer.status != 200:
                self._checked("GET", answer, answer.read(_LIMIT))
            yield self._pieces(path, answer)

    def _pieces(self, path: str, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while piece := answer.read(1 << 20):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(f"the download of {path}", error) from error

    def _json(self, method: str, target: str, body: bytes | None) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            failpoint(f"before-http:mlflow-{method}")
            with self._answer(method, target, body) as answer:
                document = self._checked(method, answer, answer.read(_LIMIT))
            failpoint(f"after-http:mlflow-{method}")
            return document

        return self._repeated(once)

    def _repeated(self, once: Callable[[], T]) -> T:
        for wait_s in _WAITS_S:
            try:
                return once()
            except _Passing:
                self._clock.sleep(wait_s)
        return once()

    @contextmanager
    def _answer(
        self, method: str, target: str, body: bytes | BinaryIO | None, *, size: int | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """One answer. `size`: the body is a file of that many bytes, or the answer may be one."""
        timeout_s = self._timeout_s * (1 if size is None else _BYTES_TIMEOUT)
        connection = self._connection(timeout_s)
        headers = {"user-agent": "gatewright", "accept": "application/json, */*"}
        if self._credentials.header is not None:
            headers["authorization"] = self._credentials.header
        if body is not None:
            headers["content-type"] = "application/json" if size is None else "application/octet-stream"
            if size is not None:
                headers["content-length"] = str(size)
        try:
            connection.request(method, self._base + target, body, headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(method, error) from error
        try:
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(method, error) from error
        finally:
            connection.close()

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._credentials.tls())
        return http.client.HTTPConnection(host, port, timeout=timeout_s)

    def _unreachable(self, what: str, error: Exception) -> WorldFailed:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return _Passing(
            f"the MLflow server {self.name} cannot be reached ({what}): {self._credentials.redacted(reason)}",
            fix="is it up, and is MLFLOW_TRACKING_URI right?",
        )

    def _checked(
        self, method: str, answer: http.client.HTTPResponse, data: bytes, *, size: int | None = None
    ) -> dict[str, Any]:
        """The object of a good answer; else the error that says what is wrong."""
        status, document = answer.status, _object(data)
        if status == 200 and document is not None:
            return document
        said = f"the MLflow server {self.name} answered {status} to {method}"
        if status in (401, 403):
            fix = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, of somebody "
            raise WorldFailed(f"{said}: not allowed", fix=f"{fix}who may write there")
        if 300 <= status < 400:
            raise WorldFailed(
                f"{said}: a redirect, which is not followed", fix="write the address to which it leads, if it is yours"
            )
        if status in (413, 507):
            told = f" for a file of {size:,} bytes" if size else ""
            raise WorldFailed(
                f"{said}{told}: too large, or no space left",
                fix="raise the limit of the server, or of what is before it",
            )
        if document is None:
            kind = "HTML" if b"<html" in data[:2000].lower() or b"<!doctype" in data[:2000].lower() else "no JSON"
            error = _Passing if status in _PASSING else WorldFailed
            raise error(f"{said}: {kind}", fix="is that an MLflow server, or a page to sign in, or a proxy's error?")
        message = self._credentials.redacted(str(document.get("message", "")).partition("\n")[0][:300])
        if status in _PASSING:
            raise _Passing(f"{said}: {message or 'no reason'}", fix="see the log of the server")
        code = str(document.get("error_code", ""))
        raise Refused(f"{said}: {code} {message}".rstrip(), code=code, fix="see docs/mlflow.md")


def _object(data: bytes) -> dict[str, Any] | None:
    if not data:
        return {}  # an upload is answered with nothing by some servers
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
