"""Did the demo show what it says? Decides from what is left behind, not from what the demo believes.

A program of its own that uses no part of Gatewright. It reads the state database with plain SQL, recomputes the chain
of records, reads what the load generator counted, and asks Envoy for the route in force. Exit code 0 or 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evidence import Evidence, Rollout, read_evidence

WITHIN_S = 30.0
_ACTS = (1, 2, 3, 4)


class Sheet:
    """The list of checks: each is printed with what was expected and what was found."""

    def __init__(self) -> None:
        self.failed = 0
        self.made = 0

    def check(self, what: str, *, right: bool, found: object) -> None:
        """One line; a failed check counts."""
        self.made += 1
        if right:
            print(f"  ✔ {what}")
            return
        self.failed += 1
        print(f"  ✘ {what}\n      found: {found}")


class Checker:
    """The acts that were played, in order, against the terminal records, in order."""

    def __init__(self, evidence: Evidence, acts: Sequence[int], weights: Sequence[float], min_rate: float) -> None:
        self._evidence = evidence
        self._weights = list(weights)
        self._min_rate = min_rate
        self._sheet = Sheet()
        ends = evidence.ends
        self._end = {act: ends[place] if place < len(ends) else {} for place, act in enumerate(acts)}

    def run(self) -> bool:
        """Whether every check held."""
        acts: dict[int, Callable[[], None]] = {1: self._first, 2: self._better, 3: self._flawed, 4: self._fragile}
        for act in self._end:
            acts[act]()
        self._live_route()
        self._chain()
        self._traffic()
        sheet = self._sheet
        print(f"{sheet.made - sheet.failed} of {sheet.made} checks hold")
        return not sheet.failed

    def _first(self) -> None:
        record = self._end[1]
        details = record.get("details", {})
        self._check_kind(1, "promoted")
        self._sheet.check(
            "act 1: recorded as bootstrap, with the person who allowed it",
            right=details.get("bootstrap") is True and record.get("actor") not in (None, "", "gatewright"),
            found=f"bootstrap {details.get('bootstrap')}, actor {record.get('actor')!r}",
        )

    def _better(self) -> None:
        self._check_kind(2, "promoted")
        rollout = self._rollout(2)
        expected = [*self._weights, 100.0]
        for name, path in (("asked for", rollout.asked), ("read back from Envoy", rollout.observed)):
            self._sheet.check(
                f"act 2: weights {name}: {_arrows(expected)} %", right=path == expected, found=f"{_arrows(path)} %"
            )

    def _flawed(self) -> None:
        self._check_kind(3, "stopped")
        record = self._end[3]
        why = str(record.get("why", "no record"))
        self._sheet.check(
            "act 3: the slice gate names RAC1P=6", right=why.startswith("gate:") and "RAC1P=6" in why, found=why
        )
        registered = self._evidence.versions_of(record.get("run", ""))
        self._sheet.check("act 3: nothing was registered", right=bool(record) and not registered, found=registered)

    def _fragile(self) -> None:
        self._check_kind(4, "rolled_back")
        rollout, why = self._rollout(4), str(self._end[4].get("why", "no record"))
        self._sheet.check("act 4: rolled back because of errors", right="error" in why, found=why)
        self._sheet.check(
            f"act 4: back within {WITHIN_S:.0f} s of its first share of traffic",
            right=rollout.exposed_s is not None and rollout.exposed_s <= WITHIN_S,
            found=f"{rollout.exposed_s} s",
        )
        self._sheet.check(
            "act 4: the digest is quarantined",
            right=rollout.canary in self._evidence.quarantined,
            found=sorted(self._evidence.quarantined) or "no digest",
        )
        share = self._evidence.live_share(rollout.canary)
        self._sheet.check("act 4: nothing of it is in the live route", right=share == 0.0, found=f"{share} %")

    def _live_route(self) -> None:
        last = max((act for act in (1, 2) if act in self._end), default=None)
        if last is None:
            return
        digest = self._rollout(last).canary
        share = self._evidence.live_share(digest)
        self._sheet.check(
            f"the live route of Envoy gives the model of act {last} 99.99 to 100 %",
            right=bool(digest) and share is not None and 99.99 <= share <= 100.0,
            found=self._evidence.live_problem or f"{share} %, of {self._evidence.live}",
        )
        self._sheet.check(
            f"the baseline is the model of act {last}",
            right=bool(digest) and self._evidence.serving == digest,
            found=self._evidence.serving,
        )

    def _chain(self) -> None:
        evidence = self._evidence
        self._sheet.check("the chain of records verifies", right=not evidence.broken, found=evidence.broken)
        counts = evidence.terminal_counts
        self._sheet.check(
            f"one terminal record for each of {len(self._end)} runs",
            right=len(counts) == len(self._end) and set(counts.values()) == {1},
            found=counts,
        )

    def _traffic(self) -> None:
        seen = self._evidence.traffic
        sent, ok, failed = seen.get("sent", 0), seen.get("ok", 0), seen.get("failed", {})
        self._sheet.check(
            "traffic: no client request failed", right=seen.get("finished") is True and not failed, found=seen or "none"
        )
        self._sheet.check(
            "traffic: every request was answered", right=bool(sent) and ok == sent, found=f"{ok:,} of {sent:,}"
        )
        self._sheet.check(
            f"traffic: at least {self._min_rate:g} answers/s",
            right=seen.get("rate", 0.0) >= self._min_rate,
            found=f"{seen.get('rate', 0.0)} (the generator was up to {seen.get('latest_s')} s late)",
        )
        for act in self._end:
            if act == 3:
                continue
            name = self._rollout(act).canary.removeprefix("sha256:")[:12]
            self._sheet.check(
                f"traffic: the model of act {act} answered some of it",
                right=bool(name) and seen.get("models", {}).get(name, 0) > 0,
                found=seen.get("models"),
            )

    def _check_kind(self, act: int, kind: str) -> None:
        record = self._end[act]
        found = f"{record['kind']}: {record['why']}" if record else "no terminal record"
        self._sheet.check(f"act {act}: the terminal record says {kind}", right=record.get("kind") == kind, found=found)

    def _rollout(self, act: int) -> Rollout:
        return self._evidence.rollouts.get(self._end[act].get("run", ""), Rollout())


def _arrows(weights: Sequence[float]) -> str:
    return " → ".join(f"{weight:g}" for weight in weights) or "none"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--acts", required=True, help="which acts were played, in order: 1,2,3,4")
    parser.add_argument("--weights", required=True, help="the canary's steps in per cent: 5,25,50")
    parser.add_argument("--traffic", type=Path, required=True, help="summary of the load generator")
    parser.add_argument("--min-rate", type=float, default=300.0)
    options = parser.parse_args()
    acts = [int(word) for word in options.acts.split(",")]
    weights = [float(word) for word in options.weights.split(",")]
    evidence = read_evidence(options.workspace, options.traffic)
    return 0 if Checker(evidence, acts, weights, options.min_rate).run() else 1


if __name__ == "__main__":
    sys.exit(main())
