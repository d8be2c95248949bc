"""The model server's HTTP interface: `/predict`, the Open Inference Protocol, `/feedback`, liveness and readiness."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from gatewright.domain.feedback import MOST_LABELS, Label, read_label
from gatewright.serving import inference_protocol as protocol
from gatewright.serving.batching import Answers, Batcher
from gatewright.serving.models import LoadedModel, PredictionFailed
from gatewright.serving.prediction_log import Asked, PredictionLog, asked
from gatewright.serving.requests import MAX_BODY, BadRequest, RowReader, parse_object

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger("gatewright.serving")
_JSON = (b"content-type", b"application/json")


class ModelApp:
    """An ASGI application that serves one model, and writes what it answers into `log`.

    `/predict` is answered here without the framework's routing and objects; all else goes through Starlette.
    """

    def __init__(
        self, model: LoadedModel, name: str, log: PredictionLog | None = None, *, user_header: str = "x-user-id"
    ) -> None:
        self._model = model
        self._name = name
        self._log = log
        self._user_header = user_header.encode()
        self._reader = RowReader(model.signature)
        self._batcher = Batcher(model.predict)
        self._header = (b"x-gatewright-model", model.short_digest.encode())
        self._tail = json.dumps({"model_digest": model.digest})[1:]
        self._failures = 0
        self._rest = Starlette(
            routes=self._routes(),
            exception_handlers={HTTPException: _http_error, BadRequest: _bad_request, PredictionFailed: self._failed},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        request = asked(scope["headers"], self._user_header)
        if scope["path"] == "/predict":
            await self._predict(scope["method"], request, receive, send)
        else:
            scope["asked"] = request
            await self._rest(scope, receive, self._signed(send, request))

    async def _predict(self, method: str, request: Asked, receive: Receive, send: Send) -> None:
        try:
            if method != "POST":
                raise BadRequest(f"method {method}", allowed="POST", status=405)
            rows = self._reader.read(parse_object(await read_body(receive)))
            answers = (await self._answers(request, rows)).tolist()
            status, body = 200, f'{{"predictions": {answers}, {self._tail}'.encode()
        except BadRequest as error:
            status, body = error.status, json.dumps(_refusal(error)).encode()
        except PredictionFailed as error:
            self._record(error)
            status, body = 500, json.dumps({"error": error.what}).encode()
        except ClientDisconnect:
            return
        headers = [_JSON, (b"content-length", str(len(body)).encode()), self._header, (b"x-request-id", request.id)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answers(self, request: Asked, rows: NDArray[np.float64]) -> Answers:
        """The predictions for `rows` (n, inputs); they are noted, and so is that the model failed."""
        try:
            answers = await self._batcher.predict(rows)
        except PredictionFailed:
            if self._log is not None:
                self._log.note_failure(request, rows)
            raise
        if self._log is not None:
            self._log.note(request, answers.tolist(), rows)
        return answers

    def _routes(self) -> list[Route]:
        model, name = self._model, self._name
        ready = {"ready": True, "model": name, "digest": model.digest}
        return [
            Route("/live", _constant({"live": True})),
            Route("/ready", _constant(ready)),
            Route("/v2/health/live", _constant({"live": True})),
            Route("/v2/health/ready", _constant({"ready": True})),
            Route("/v2", _constant(protocol.server_metadata())),
            Route("/v2/models/{name}", self._about_model(protocol.model_metadata(model, name))),
            Route("/v2/models/{name}/ready", self._about_model(ready)),
            Route("/v2/models/{name}/infer", self._infer, methods=["POST"]),
            Route("/feedback", self._feedback, methods=["POST"]),
        ]

    def _about_model(self, content: Mapping[str, object]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._check_name(request)
            return JSONResponse(content)

        return answer

    async def _infer(self, request: Request) -> Response:
        self._check_name(request)
        document = parse_object(await read_body(request.receive))
        answers = await self._answers(request.scope["asked"], protocol.read_infer(document, self._model))
        return JSONResponse(protocol.infer_response(answers, self._model, self._name, document))

    async def _feedback(self, request: Request) -> Response:
        """Labels of earlier requests, answered once they are on disk; who joins them tells what became of them."""
        if self._log is None:
            raise BadRequest("the prediction log is off", allowed="serving.prediction_log_mb above 0", status=409)
        labels = _read_labels(parse_object(await read_body(request.receive)))
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._log.keep, labels)
        except OSError as error:
            return JSONResponse({"error": f"the labels cannot be written: {error.strerror}"}, status_code=503)
        return JSONResponse({"accepted": len(labels)}, status_code=202)

    def _check_name(self, request: Request) -> None:
        if request.path_params["name"] != self._name:
            raise BadRequest("unknown model", where="path", allowed=self._name, status=404)

    async def _failed(self, request: Request, error: Exception) -> Response:
        self._record(error)
        return JSONResponse({"error": str(error)}, status_code=500)

    def _record(self, error: Exception) -> None:
        """Log the 1st, 2nd, 4th, 8th … failure: a broken model under load must not fill the disk."""
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            _log.error("model %s, failure %d: %s", self._model.short_digest, self._failures, error)

    def _signed(self, send: Send, request: Asked) -> Send:
        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._header, (b"x-request-id", request.id)]
            await send(message)

        return signed


async def read_body(receive: Receive) -> bytes:
    """The whole request body; BadRequest (413) as soon as it is larger than MAX_BODY."""
    message = await receive()
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise BadRequest(f"more than {MAX_BODY:,} bytes", where="body", allowed=f"{MAX_BODY:,} bytes", status=413)
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)
        message = await receive()
    raise ClientDisconnect


def _read_labels(document: Mapping[str, object]) -> list[Label]:
    entries = document.get("labels")
    if len(document) != 1 or not isinstance(entries, list) or not 0 < len(entries) <= MOST_LABELS:
        allowed = (
            f'{{"labels": [{{"request_id": text, "label": number}}, …]}} with 1 to {MOST_LABELS:,} labels or rewards'
        )
        raise BadRequest("not a list of labels", allowed=allowed)
    labels = []
    for index, entry in enumerate(entries):
        try:
            labels.append(read_label(entry))
        except ValueError as error:
            raise BadRequest(str(error), where=f"labels[{index}]") from error
    return labels


def _constant(content: Mapping[str, object]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return JSONResponse(content)

    return answer


def _refusal(error: BadRequest) -> dict[str, str]:
    parts = {"error": error.what, "where": error.where, "allowed": error.allowed}
    return {key: text for key, text in parts.items() if text}


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return JSONResponse(_refusal(error), status_code=error.status)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)
