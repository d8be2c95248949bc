"""Micro-batches: rows that arrive while the model works are predicted together, without any artificial wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.serving.models import PredictionFailed

Answers = NDArray[np.int64] | NDArray[np.float64]
Predict = Callable[[NDArray[np.float64]], Answers]
MAX_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    rows: NDArray[np.float64]
    answer: asyncio.Future[Answers]


class Batcher:
    """Predicts in the event loop itself: at one row a call, handing over to a thread costs more than it gives.

    While the model works, requests wait in their sockets; the loop then reads them all before it calls `_work` again.
    """

    def __init__(self, predict: Predict, *, max_rows: int = MAX_ROWS) -> None:
        self._predict = predict
        self._max_rows = max_rows
        self._queue: deque[_Request] = deque()
        self._scheduled = False

    async def predict(self, rows: NDArray[np.float64]) -> Answers:
        """The answers to `rows` (n, inputs); PredictionFailed concerns these rows and no other request's."""
        loop = asyncio.get_running_loop()
        request = _Request(rows=rows, answer=loop.create_future())
        self._queue.append(request)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._work)
        return await request.answer

    def _work(self) -> None:
        batch = self._take()
        self._scheduled = bool(self._queue)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._work)
        try:
            self._answer(batch)
        finally:
            for request in batch:
                if not request.answer.done():
                    request.answer.set_exception(PredictionFailed("the model server broke off this prediction"))

    def _take(self) -> list[_Request]:
        """The oldest requests that fit into one batch; a single one may be larger."""
        batch: list[_Request] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0].rows) <= self._max_rows):
            request = self._queue.popleft()
            if request.answer.cancelled():
                continue
            batch.append(request)
            size += len(request.rows)
        return batch

    def _answer(self, batch: Sequence[_Request]) -> None:
        if not batch:
            return
        try:
            answers = self._predict(batch[0].rows if len(batch) == 1 else np.concatenate([r.rows for r in batch]))
        except PredictionFailed as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for request in batch:
                self._answer([request])
            return
        start = 0
        for request in batch:
            end = start + len(request.rows)
            request.answer.set_result(answers[start:end])
            start = end
