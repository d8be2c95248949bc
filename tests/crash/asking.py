"""The warmed process, seen from a test: one trial after the other, and what came of it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.crash.surroundings import SURROUNDINGS
from tests.crash.trial import Outcome, Strike

ROOT = Path(__file__).resolve().parents[2]


class Warmed:
    """Starts it in `folder`; it takes seconds to load, a trial a few tenths of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.warm", str(folder)],
            cwd=ROOT,
            env={**os.environ, **SURROUNDINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._points: dict[str, list[str]] = {}
        self._usual_s: dict[str, float] = {}
        assert self._hear() == {"ready": True}

    def close(self) -> None:
        self._process.communicate()

    def trial(self, scenario: str, *strikes: Strike, **words: Any) -> Outcome:
        """See tests.crash.trial.Trial."""
        return self._ask("trial", scenario=scenario, strikes=[asdict(strike) for strike in strikes], **words)

    def stale(self, scenario: str, point: str, **words: Any) -> Outcome:
        """See tests.crash.stale.stopped."""
        return self._ask("stale", scenario=scenario, point=point, **words)

    def child_killed(self) -> Outcome:
        """See tests.crash.stale.child_killed."""
        return self._ask("child")

    def points(self, scenario: str) -> list[str]:
        """Every failpoint that the scenario passes when nothing strikes it, in order."""
        if scenario not in self._points:
            outcome = self.trial(scenario, trace=True)
            assert outcome.violations == []
            self._points[scenario] = outcome.passed
        return [point for point in self._points[scenario] if point not in "()"]

    def points_to_strike(self, scenario: str) -> list[str]:
        """Those where a kill may make a difference: until the registration one good model is as another."""
        points = self.points(scenario)
        return points[points.index("after-commit:register@1") :] if scenario == "canary regresses" else points

    def points_of_the_controller(self, scenario: str) -> list[str]:
        """Those outside of transactions, and of the work of the supervisor, once there is a rollout."""
        points, supervising = [], False
        self.points(scenario)
        for point in self._points[scenario]:
            if point in "()":
                supervising = point == "("
            elif not supervising and not point.startswith("before-commit:"):
                points.append(point)
        return points[points.index("after-commit:rollout-start@1") :]

    def usual_s(self, scenario: str) -> float:
        """Seconds that the run takes here and now when nothing strikes it."""
        if scenario not in self._usual_s:
            outcomes = [self.trial(scenario) for _ in range(3)]
            assert [outcome.violations for outcome in outcomes] == [[], [], []]
            self._usual_s[scenario] = statistics.median(outcome.first_s for outcome in outcomes)
        return self._usual_s[scenario]

    def _ask(self, kind: str, **words: Any) -> Outcome:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": kind, **words}) + "\n")
        self._process.stdin.flush()
        answer = self._hear()
        assert "failed" not in answer, f"{answer['failed']}\n{answer['said']}"
        return Outcome(**answer)

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the warmed process has ended"
        words: dict[str, Any] = json.loads(line)
        return words


def reads(point: str) -> bool:
    """Whether it stands around a read of the gateway's state, which changes nothing: the most frequent place by far."""
    return point.startswith(("before-http:/config_dump", "after-http:/config_dump"))


def thinned(points: Sequence[str], reads_every: int = 10, others_every: int = 1) -> list[str]:
    """Of each name the first, the last, and some in between: of those around reads each tenth."""
    occurrences: dict[str, list[str]] = {}
    for point in points:
        occurrences.setdefault(point.partition("@")[0], []).append(point)
    chosen = {
        point
        for found in occurrences.values()
        for point in (*found[:: reads_every if reads(found[0]) else others_every], found[-1])
    }
    return [point for point in points if point in chosen]


def told(found: Mapping[str, Sequence[str]]) -> str:
    """What was found, by where the process was struck: a line each."""
    return "\n" + "\n".join(f"{point}: {text}" for point, texts in found.items() for text in texts)
