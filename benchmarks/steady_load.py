"""An open-loop load of fixed users, a program of its own: `steady_load.py URL RATE FILE`; it ends with its input.

Each of 10,000 users asks in turn, at the moment the rate says, whether or not earlier answers have come; nothing is
asked twice. Times are those of the machine's monotonic clock, which all processes share. Writes one JSON array per
request: user, sent, answered, status (0: no answer), digest of the model that answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import aiohttp

USERS = 10_000
_STRIDE = 7919  # prime: neighbours in time are no neighbours by number
_TIME_LIMIT_S = 10.0
_SLICE_S = 0.002

Answer = tuple[int, float, float, int, str]


async def ask(session: aiohttp.ClientSession, url: str, user: int, answers: list[Answer]) -> None:
    row = {"AGE": user % 61, "SEX": 1 + user % 2, "REGION": 1 + user % 3}
    body = json.dumps({"instances": [row]})
    sent = time.monotonic()
    status, digest = 0, ""
    try:
        async with session.post(url, data=body, headers={"x-user-id": f"user-{user}"}) as answer:
            said = await answer.read()
            digest = answer.headers.get("x-gatewright-model", "")
            status = answer.status if b'"predictions"' in said or answer.status != 200 else -1
    except (aiohttp.ClientError, TimeoutError):
        pass
    answers.append((user, sent, time.monotonic(), status, digest))


async def run(url: str, rate: float, answers: list[Answer]) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    limit = aiohttp.ClientTimeout(total=_TIME_LIMIT_S)
    async with aiohttp.ClientSession(timeout=limit, connector=aiohttp.TCPConnector(limit=0)) as session:
        begin, count, open_tasks = loop.time(), 0, set[asyncio.Task[None]]()
        while not ended.done():
            while count < (loop.time() - begin) * rate:
                task = asyncio.create_task(ask(session, url, count * _STRIDE % USERS, answers))
                open_tasks.add(task)
                task.add_done_callback(open_tasks.discard)
                count += 1
            await asyncio.sleep(_SLICE_S)
        await asyncio.gather(*open_tasks)


def main() -> None:
    url, rate, file = sys.argv[1:]
    answers: list[Answer] = []
    asyncio.run(run(url, float(rate), answers))
    Path(file).write_text("\n".join(json.dumps(answer) for answer in answers) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
