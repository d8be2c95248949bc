from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path

import aiohttp
import polars as pl
import pytest
from traffic import USERS, Generator, Tally, problem_with, requests


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (200, b'{"predictions": [1], "model_digest": "x"}', None),
        (200, b'{"predictions": [0]}', None),
        (503, b'{"predictions": [0]}', "status 503"),
        (200, b'{"predictions": [0, 1]}', "no prediction"),
        (200, b'{"predictions": [2]}', "no prediction"),
        (200, b'{"predictions": [true]}', "no prediction"),
        (200, b'{"predictions": null}', "no prediction"),
        (200, b"[]", "no prediction"),
        (200, b"", "no prediction"),
    ],
)
def test_only_one_prediction_of_0_or_1_is_an_answer(status: int, body: bytes, problem: str | None) -> None:
    assert problem_with(status, body) == problem


def test_rows_come_in_order_of_id_from_fixed_users_and_a_tenth_lacks_a_value(tmp_path: Path) -> None:
    rows = 50
    table = {"id": list(range(rows, 0, -1)), "AGEP": list(range(rows)), "SEX": [1] * rows, "employed": [0] * rows}
    pl.DataFrame(table).write_parquet(tmp_path / "live.parquet")
    asked = list(itertools.islice(requests(tmp_path / "live.parquet"), 2 * rows))
    assert asked[:rows] == asked[rows:]
    assert [user for user, _ in asked[:3]] == ["user-0", "user-1", "user-2"]
    assert USERS == 10_000
    instances = [json.loads(body)["instances"][0] for _, body in asked[:rows]]
    assert all(instance.keys() == {"AGEP", "SEX"} for instance in instances)
    ages = [instance["AGEP"] for instance in instances if instance["AGEP"] is not None]
    assert ages == sorted(ages, reverse=True)
    assert sum(None in instance.values() for instance in instances) == rows // 10


def test_latency_quantiles_come_from_good_answers_only() -> None:
    tally = Tally()
    for milliseconds in range(1, 101):
        tally.answered(milliseconds / 1000 + 1e-6, "m", None)
    tally.answered(9.0, "m", "status 503")
    assert (tally.quantile_ms(0.5), tally.quantile_ms(0.99)) == (50.0, 99.0)
    assert tally.summary(finished=True)["failed"] == {"status 503": 1}


def test_an_open_loop_does_not_wait_for_answers_and_counts_what_never_comes() -> None:
    async def play() -> Tally:
        async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await stopped.wait()
            writer.close()

        stopped, tally = asyncio.Event(), Tally()
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/predict"
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                feed = itertools.repeat(("user-1", b"{}"))
                offer = asyncio.create_task(Generator(session, url, 500.0, tally).offer(feed, stopped))
                while tally.sent < 50:
                    await asyncio.sleep(0)
                assert tally.summary(finished=False)["missing"] >= 50
                stopped.set()
                await offer
        return tally

    tally = asyncio.run(play())
    assert tally.ok == 0
    assert tally.failed.total() == tally.sent >= 50
