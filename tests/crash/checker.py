"""An independent judge of the ten invariants: nothing here, and nothing that it imports, is of Gatewright.

It reads the state database by plain SQL, the files, the processes of the machine and the journal of the outside, and
says in words what is wrong. The forms of records and hand-offs are those of docs/runs.md and docs/crash-tests.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.crash import file_invariants, traffic_invariants
from tests.crash.facts import TERMINAL, Facts

Invariant = Callable[[Facts], Iterator[str]]
MOST_RESTARTS = 3


def resumed_to_an_end(facts: Facts) -> Iterator[str]:
    """I4: at most three restarts after the last kill bring the run to a terminal phase; it is one run, one rollout."""
    if facts.end is None:
        return
    restarts = 0
    for line in facts.journal:
        restarts = 0 if line["kind"] == "killed" else restarts + (line["kind"] == "restarted")
    names = {run.name for run in facts.runs}
    terminal = [record for record in facts.records if record["run"] in names and record["kind"] in TERMINAL]
    if not terminal or restarts > MOST_RESTARTS:
        errors = [line["what"] for line in facts.journal if line["kind"] == "error"]
        yield f"after {restarts} restarts the run has not ended; last errors: {errors[-2:]}"
    if len(names) != 1:
        yield f"one run was resumed as {sorted(names)}"
    if len(facts.rollouts) > 1:
        yield f"one run has {len(facts.rollouts)} rollouts"


INVARIANTS: Mapping[str, Invariant] = {
    "I1": traffic_invariants.one_terminal_record,
    "I2": traffic_invariants.whole_weights,
    "I3": traffic_invariants.no_return_of_the_failed,
    "I4": resumed_to_an_end,
    "I5": file_invariants.versions_rest_on_reports,
    "I6": file_invariants.events_are_kept,
    "I7": file_invariants.reports_are_whole,
    "I8": traffic_invariants.approvals_are_used_once,
    "I9": traffic_invariants.stable_answers,
    "I10": file_invariants.nothing_is_left,
}
RIGHT_AFTER_A_KILL = tuple(name for name in INVARIANTS if name != "I10")
"""What must hold at every moment; what a killed process leaves may lie there until the run is resumed."""


def check(root: Path, outside: Path, end: str | None, names: Sequence[str] = tuple(INVARIANTS)) -> list[str]:
    """What breaks these invariants, each in words; without `end` the run need not have ended."""
    facts = Facts(root, outside, end)
    try:
        return [f"{name}: {text}" for name in names for text in dict.fromkeys(INVARIANTS[name](facts))]
    finally:
        facts.close()
