"""Twenty weight changes under load: nobody fails, nobody is sent back, and the share is the one that the hash gives.

The real thing: supervisor, Envoy and two model servers of a small project. A canary climbs in twenty changes from 1 %
to 99 %, each asked for and read back as the controller does it, while 10,000 fixed users ask in turn. The rollout's id
is fixed, so every user's arm can be computed without Envoy: XXH64 of `rollout|user` modulo 10,000, below the weight in
hundredths of a per cent: canary. Every single answer between two changes is compared with that; a request that crosses
a change may meet the table before or after it.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import small_project
from measuring import RESULTS, BenchmarkFailed, progress, publish, quantile, table

from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import Rollout
from gatewright.effects.files import measure_artifact
from gatewright.effects.processes import wait_until
from gatewright.workspace import Workspace

ROLLOUT = "weights-2-benchmark"
WEIGHTS = (1, 2, 3, 5, 7, 10, 13, 17, 21, 25, 30, 35, 40, 50, 60, 70, 80, 90, 95, 99)
RATE_GOAL = 300
_READY_S = 60.0
_READ_BACK_S = 15.0
_LOOK_S = 0.005
_WORD = 0xFFFF_FFFF_FFFF_FFFF
_P = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One weight: asked for at `asked`, read back at `seen` (monotonic seconds)."""

    weight: int
    asked: float
    seen: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One request of the load."""

    user: int
    sent: float
    answered: float
    status: int
    digest: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=400.0, help="requests a second offered")
    parser.add_argument("--hold", type=float, default=2.0, help="seconds at each weight after it is read back")
    options = parser.parse_args()
    root = RESULTS / "weights"
    port = small_project.write(root)
    with small_project.runtime(root):
        progress("first deployment")
        small_project.gatewright(root, "run", "--bootstrap-by", "benchmark")
        workspace = Workspace.open(root)
        rollout = _prepare(workspace)
        with _load(root, f"http://127.0.0.1:{port}/predict", options.rate) as file:
            changes = _climb(workspace, rollout, options.hold)
        workspace.database.close()
    answers = [Answer(*json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    _publish(changes, answers, rollout.canary.removeprefix("sha256:")[:12])


def _prepare(workspace: Workspace) -> Rollout:
    """Both arms loaded, all traffic on stable."""
    serving = workspace.registry.serving(small_project.MODEL)
    assert serving is not None
    folder = measure_artifact(small_project.model(seed=1))
    rollout = Rollout(
        id=ROLLOUT,
        model=small_project.MODEL,
        run="benchmark",
        number=2,
        canary=folder.digest,
        stable=serving.artifact.digest,
        policy=workspace.project.rollout,
        started_at=datetime.now(UTC),
    )
    canary = Artifact(uri=str(small_project.model(seed=1)), digest=folder.digest, size=folder.size)
    workspace.traffic.prepare(rollout, canary, serving.artifact)

    def ready() -> bool:
        state = workspace.traffic.state(rollout)
        return all(arm is not None and arm.ready for arm in (state.canary, state.stable))

    progress("loading the canary")
    if not wait_until(ready, timeout_s=_READY_S):
        raise BenchmarkFailed(f"the canary is not ready: {workspace.traffic.state(rollout)}")
    return rollout


@contextmanager
def _load(root: Path, url: str, rate: float) -> Iterator[Path]:
    """The load, which runs as long as the block does; yields the file that it leaves."""
    file = root / "answers.jsonl"
    argv = [sys.executable, str(Path(__file__).with_name("steady_load.py")), url, str(rate), str(file)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE)
    assert process.stdin is not None
    try:
        yield file
    finally:
        process.stdin.close()
        if process.wait(60):
            raise BenchmarkFailed(f"the load ended with {process.returncode}")


def _climb(workspace: Workspace, rollout: Rollout, hold_s: float) -> list[Change]:
    time.sleep(2 * hold_s)
    changes = []
    for weight in WEIGHTS:
        asked = time.monotonic()
        workspace.traffic.set_weight(rollout, float(weight))
        if not wait_until(partial(_shows, workspace, rollout, weight), timeout_s=_READ_BACK_S, every_s=_LOOK_S):
            raise BenchmarkFailed(f"{weight} % was not read back: {workspace.traffic.state(rollout)}")
        changes.append(Change(weight=weight, asked=asked, seen=time.monotonic()))
        progress(f"{weight} % read back after {1e3 * (changes[-1].seen - asked):.0f} ms")
        time.sleep(hold_s)
    return changes


def _shows(workspace: Workspace, rollout: Rollout, weight: int) -> bool:
    return workspace.traffic.state(rollout).weight == weight


def _publish(changes: list[Change], answers: list[Answer], canary: str) -> None:
    draws = {user: xxh64(f"{ROLLOUT}|user-{user}".encode()) % 10_000 for user in {answer.user for answer in answers}}
    failed = [answer for answer in answers if answer.status != 200]
    rows, strange, deviations = [], 0, []
    for change, until in zip(changes, [*(change.asked for change in changes[1:]), float("inf")], strict=True):
        held = [answer for answer in answers if answer.sent >= change.seen and answer.answered <= until]
        on_canary = sum(answer.digest == canary for answer in held)
        computed = sum(draws[answer.user] < 100 * change.weight for answer in held)
        strange += sum((answer.digest == canary) != (draws[answer.user] < 100 * change.weight) for answer in held)
        deviations.append(abs(on_canary - computed) / max(1, len(held)))
        shares = (f"{100 * on_canary / len(held):.2f}", f"{100 * computed / len(held):.2f}")
        rows.append((f"{change.weight}", f"{len(held):,}", *shares, f"{1e3 * (change.seen - change.asked):.0f}"))
    took = [1e3 * (change.seen - change.asked) for change in changes]
    left = _left(answers, canary)
    whole = {weight: sum(draw < 100 * weight for draw in draws.values()) for weight in WEIGHTS}
    seconds = max(answer.answered for answer in answers) - min(answer.sent for answer in answers)
    times = [1e3 * (answer.answered - answer.sent) for answer in answers]
    figures: dict[str, Any] = {
        "changes": len(changes),
        "requests": len(answers),
        "rate": len(answers) / seconds,
        "users": len(draws),
        "failed": len(failed),
        "other_than_computed": strange,
        "users_that_left": left,
        "largest_deviation": max(deviations),
        "read_back_ms": took,
        "latency_p99_ms": quantile(times, 0.99),
        "users_on_canary_computed": whole,
    }
    head = ("weight, %", "requests", "on canary, %", "computed, %", "read back, ms")
    text = table("Twenty weight changes under load", head, rows) + _summary(figures)
    publish("weight_changes", text, figures)
    if failed or strange or left:
        raise BenchmarkFailed(f"{len(failed)} failed (first: {failed[:1]}), {strange} strange, {left} left the canary")


def _summary(figures: dict[str, Any]) -> str:
    took = figures["read_back_ms"]
    goal = "kept" if figures["rate"] >= RATE_GOAL else "MISSED"
    lines: Sequence[str] = (
        f"{figures['requests']:,} requests of {figures['users']:,} users at {figures['rate']:.0f}/s "
        f"(goal ≥ {RATE_GOAL}: {goal}), {figures['failed']} failed (goal 0), p99 {figures['latency_p99_ms']:.1f} ms.",
        f"Answers from another arm than computed: {figures['other_than_computed']} (goal 0). "
        f"Users that left the canary: {figures['users_that_left']} (goal 0).",
        f"From change to read back: median {median(took):.0f} ms, at most {max(took):.0f} ms.",
    )
    return "\n\n" + "\n".join(lines)


def _left(answers: Iterable[Answer], canary: str) -> int:
    """How many users were answered by stable after the canary had answered them."""
    joined: dict[int, float] = {}
    left = set()
    for answer in sorted(answers, key=lambda answer: answer.sent):
        if answer.digest == canary:
            joined[answer.user] = min(joined.get(answer.user, float("inf")), answer.answered)
        elif answer.status == 200 and joined.get(answer.user, float("inf")) <= answer.sent:
            left.add(answer.user)
    return len(left)


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0 (Collet, xxHash specification 0.1.1, XXH64 algorithm), the hash that Envoy takes."""
    p1, p2, p3, p4, p5 = _P
    size = len(data)
    position = 0
    if size >= 32:
        lanes = [(p1 + p2) & _WORD, p2, 0, -p1 & _WORD]
        while position + 32 <= size:
            words = struct.unpack_from("<4Q", data, position)
            lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
            position += 32
        total = sum(_turn(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _WORD
        for lane in lanes:
            total = ((total ^ _round(0, lane)) * p1 + p4) & _WORD
    else:
        total = p5
    total = (total + size) & _WORD
    for width, step in ((8, 0), (4, 1), (1, 2)):
        while position + width <= size:
            word = int.from_bytes(data[position : position + width], "little")
            if step == 0:
                total = (_turn(total ^ _round(0, word), 27) * p1 + p4) & _WORD
            elif step == 1:
                total = (_turn(total ^ (word * p1 & _WORD), 23) * p2 + p3) & _WORD
            else:
                total = _turn(total ^ (word * p5 & _WORD), 11) * p1 & _WORD
            position += width
    total = (total ^ total >> 33) * p2 & _WORD
    total = (total ^ total >> 29) * p3 & _WORD
    return total ^ total >> 32


def _round(lane: int, word: int) -> int:
    return _turn((lane + word * _P[1]) & _WORD, 31) * _P[0] & _WORD


def _turn(word: int, by: int) -> int:
    return (word << by | word >> 64 - by) & _WORD


if __name__ == "__main__":
    main()
