"""Live traffic: an open-loop load generator, a program of its own that ends when its standard input does.

Requests leave when their time has come, whether or not earlier ones were answered, and are never tried again. Every
answer that is not one prediction of 0 or 1 with status 200 counts as failed, and so does an answer that never comes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import polars as pl
import uvloop

USERS = 10_000
LACKING = 0.1
TIME_LIMIT_S = 10.0
LATE_S = 1.0
_REPORT_EVERY_S = 0.5
_NOT_ASKED = ("id", "year", "employed")
_PER_MS = 10  # buckets of the latency histogram


def requests(path: Path) -> Iterator[tuple[str, bytes]]:
    """(user, body) for ever: the rows in the order of their id, each of a fixed user; a tenth lacks a value."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from data_changes import blank

    rows = pl.read_parquet(path).sort("id")
    inputs = [name for name in rows.columns if name not in _NOT_ASKED]
    table = blank(rows, inputs, LACKING, seed=2018).select(inputs)
    while True:
        for number, row in enumerate(table.iter_rows(named=True)):
            yield f"user-{number % USERS}", json.dumps({"instances": [row]}).encode()


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was sent and what came back. Latency counts from the moment a request was due."""

    started: float = field(default_factory=time.monotonic)
    sent: int = 0
    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)
    latest_s: float = 0.0
    ended: float | None = None

    def answered(self, seconds: float, model: str, problem: str | None) -> None:
        """One answer, good or bad."""
        if problem is not None:
            self.failed[problem] += 1
            return
        self.ok += 1
        self.models[model] += 1
        self.latencies[int(seconds * 1000 * _PER_MS)] += 1

    def quantile_ms(self, share: float) -> float | None:
        """The latency that `share` of the good answers kept."""
        left = share * self.ok
        for bucket, count in sorted(self.latencies.items()):
            left -= count
            if left <= 0:
                return bucket / _PER_MS
        return None

    def summary(self, *, finished: bool) -> dict[str, Any]:
        """Everything, as JSON types; `missing`: sent and, so far, neither answered nor failed."""
        seconds = (self.ended or time.monotonic()) - self.started
        return {
            "finished": finished,
            "seconds": round(seconds, 3),
            "sent": self.sent,
            "ok": self.ok,
            "failed": dict(self.failed),
            "missing": self.sent - self.ok - self.failed.total(),
            "rate": round(self.ok / seconds, 1) if seconds else 0.0,
            "latest_s": round(self.latest_s, 3),
            "p50_ms": self.quantile_ms(0.5),
            "p99_ms": self.quantile_ms(0.99),
            "models": dict(self.models),
        }


def problem_with(status: int, body: bytes) -> str | None:
    """What is wrong with an answer; None for one prediction of 0 or 1."""
    if status != 200:
        return f"status {status}"
    try:
        answers = json.loads(body)["predictions"]
    except (ValueError, KeyError, TypeError):
        return "no prediction"
    right = isinstance(answers, list) and len(answers) == 1 and type(answers[0]) is int and answers[0] in (0, 1)
    return None if right else "no prediction"


class Generator:
    """Sends at a mean of `rate` requests/s, with the gaps of a Poisson process."""

    def __init__(self, session: aiohttp.ClientSession, url: str, rate: float, tally: Tally) -> None:
        self._session = session
        self._url = url
        self._rate = rate
        self._tally = tally
        self._open: set[asyncio.Task[None]] = set()

    async def offer(self, feed: Iterator[tuple[str, bytes]], stopped: asyncio.Event) -> None:
        """Send until `stopped`, then wait for what is still open."""
        draw = random.Random(1)
        due = time.monotonic()
        while not stopped.is_set():
            due += draw.expovariate(self._rate)
            ahead = due - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._tally.latest_s = max(self._tally.latest_s, -ahead)
            self._tally.sent += 1
            task = asyncio.create_task(self._one(*next(feed), due))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            if ahead < 0:
                await asyncio.sleep(0)
        self._tally.ended = time.monotonic()
        if self._open:
            await asyncio.wait(self._open)

    async def _one(self, user: str, body: bytes, due: float) -> None:
        headers = {"x-user-id": user, "content-type": "application/json"}
        model, problem = "", None
        try:
            async with self._session.post(self._url, data=body, headers=headers) as answer:
                problem = problem_with(answer.status, await answer.read())
                model = answer.headers.get("x-gatewright-model", "unnamed")
        except TimeoutError:
            problem = "time-out"
        except aiohttp.ClientError as error:
            problem = type(error).__name__
        self._tally.answered(time.monotonic() - due, model, problem)


async def report(path: Path, tally: Tally) -> None:
    """Renew the summary twice a second."""
    while True:
        write(path, tally.summary(finished=False))
        await asyncio.sleep(_REPORT_EVERY_S)


def write(path: Path, summary: dict[str, Any]) -> None:
    """Replace the summary at once, so that a reader never sees half of it."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(summary) + "\n", encoding="utf-8")
    draft.replace(path)


async def generate(url: str, rate: float, feed: Iterator[tuple[str, bytes]], path: Path) -> Tally:
    """Offer traffic until standard input ends; the last summary says `finished`."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopped.set)  # nobody writes to it: this is its end
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0)
    timeout = aiohttp.ClientTimeout(total=TIME_LIMIT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        tally = Tally()
        reporter = asyncio.create_task(report(path, tally))
        await Generator(session, url, rate, tally).offer(feed, stopped)
        reporter.cancel()
    write(path, tally.summary(finished=True))
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests/s")
    parser.add_argument("--rows", type=Path, required=True, help="parquet file of the rows to ask about")
    parser.add_argument("--summary", type=Path, required=True, help="JSON file that tells what was seen")
    options = parser.parse_args()
    feed = requests(options.rows)
    next(feed)  # reading the rows takes a while: before the clock starts
    tally = uvloop.run(generate(options.url, options.rate, feed, options.summary))
    if tally.latest_s > LATE_S:
        print(f"the load generator itself was up to {tally.latest_s:.1f} s late", file=sys.stderr)


if __name__ == "__main__":
    main()
