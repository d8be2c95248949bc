from __future__ import annotations

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from gatewright.serving.batching import Batcher
from gatewright.serving.models import PredictionFailed


class Model:
    """Answers the first column; raises when a row holds NaN; remembers how many rows each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        self.calls.append(len(rows))
        if np.isnan(rows).any():
            raise PredictionFailed("NaN")
        return rows[:, 0]


def answers(batcher: Batcher, *requests: list[float]) -> list[list[float] | str]:
    async def one(values: list[float]) -> list[float] | str:
        try:
            found: list[float] = (await batcher.predict(np.array([values]).T)).tolist()
        except PredictionFailed as error:
            return str(error)
        return found

    async def every() -> list[list[float] | str]:
        return await asyncio.gather(*(one(values) for values in requests))

    return asyncio.run(every())


def test_requests_that_wait_together_are_one_call() -> None:
    model = Model()
    assert answers(Batcher(model.predict), [1], [2, 3], [4]) == [[1], [2, 3], [4]]
    assert model.calls == [4]


def test_only_the_bad_request_fails() -> None:
    model = Model()
    assert answers(Batcher(model.predict), [1], [2, np.nan], [3]) == [[1], "NaN", [3]]
    assert model.calls == [4, 1, 2, 1]


def test_a_batch_is_no_larger_than_allowed_except_for_one_request() -> None:
    model = Model()
    assert answers(Batcher(model.predict, max_rows=2), [1], [2], [3], [4, 5, 6]) == [[1], [2], [3], [4, 5, 6]]
    assert model.calls == [2, 1, 3]


def test_a_single_request_is_not_held_back() -> None:
    model = Model()
    assert answers(Batcher(model.predict), [7]) == [[7]]
    assert model.calls == [1]


@pytest.mark.filterwarnings("ignore")
def test_an_error_nobody_foresaw_leaves_no_request_waiting() -> None:
    def broken(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        raise SyntaxError

    assert answers(Batcher(broken), [1], [2]) == ["the model server broke off this prediction"] * 2
