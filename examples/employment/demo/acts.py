"""The four acts: each prepares its change as a team would, and lets Gatewright decide; new data starts its own run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import Load
from narration import Narrator
from settings import Settings
from workspace import YEARS, Workspace

HISTORY = 600
EXPECTED = {
    1: ("promoted", "It serves, and the record says who allowed it without a comparison."),
    2: ("promoted", "All traffic is on the new model, read back from Envoy; the old one stays warm."),
    3: ("stopped", "Stopped by the slice gate: nothing was registered, and the model of before goes on serving."),
    4: (
        "rolled_back",
        "Rolled back by itself, and quarantined; every request it failed was answered by the other model.",
    ),
}
ENDS = ("promoted", "confirmed", "rolled_back", "stopped", "aborted")
CORRECT, FLIPPED = "data/acs", "data/acs-flipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an act ended: exit code of the run, seconds of it, and client requests that failed meanwhile."""

    act: int
    exit_code: int
    seconds: float
    failed: int
    record: dict[str, Any] | None
    reasons: list[str]


class Play:
    """All acts on one workspace; `sabotage` names acts that are played wrongly, for tests."""

    def __init__(self, workspace: Workspace, settings: Settings, load: Load, *, sabotage: Sequence[int] = ()) -> None:
        self._workspace = workspace
        self._settings = settings
        self._load = load
        self._sabotage = sabotage
        self._say: Narrator = workspace.narrator
        self._years: tuple[str, ...] = YEARS[:1]
        self._flipped = False
        self._known: set[str] = set()

    def act(self, number: int) -> Outcome:
        """Play one act."""
        acts: dict[int, Callable[[], Outcome]] = {1: self._first, 2: self._better, 3: self._flawed, 4: self._fragile}
        return acts[number]()

    def _first(self) -> Outcome:
        self._say.act(1, "the first deployment")
        self._say.say(
            "Logistic regression on 2015. Nothing serves yet, so there is no baseline to compare with: absolute floors "
            "decide, and a person has to allow it. A data version is a pointer file in git; the bytes stay outside."
        )
        self._workspace.add_evaluation()
        self._workspace.add_training(CORRECT, self._years)
        self._workspace.commit("The first model: logistic regression on 2015")
        outcome = self._run(1, "--bootstrap-by", os.environ.get("USER") or "demo")
        if outcome.exit_code == 0:
            self._load.start()
            self._load.wait_for(HISTORY)
            self._say.say(
                f"From now on {self._settings.rate} requests/s of 10,000 users go through the gateway: rows of 2018 in "
                "order, one in ten lacks a value, as live data does. None is ever retried, all are counted."
            )
        return outcome

    def _better(self) -> Outcome:
        self._say.act(2, "new data, a better model")
        self._say.say(
            "The year 2016 arrives as a new data version, and gradient boosting replaces the logistic regression. "
            "Expect: gates pass, the canary climbs through its steps on evidence, all traffic moves."
        )
        if 2 in self._sabotage:
            self._workspace.set_recipe("boosting", n_estimators=1, max_depth=1)
        else:
            self._workspace.set_recipe("boosting", **self._settings.hyperparameters)
        self._add_second_year()
        self._workspace.commit("Boosting on 2015 and 2016")
        return self._triggered(2)

    def _flawed(self) -> Outcome:
        self._say.act(3, "a labelling job went wrong")
        self._say.say(
            "Half of the labels of one group (RAC1P = 6) are flipped in every training year: 3 % of all rows, hardly "
            "seen in the overall accuracy. Expect: the slice gate stops it, and nothing is registered."
        )
        if "2016" not in self._years:
            self._workspace.set_recipe("boosting", **self._settings.hyperparameters)
        for year in YEARS:
            self._flip(year)
        self._workspace.add_training(FLIPPED, YEARS)
        self._workspace.commit("Labels of 2015 and 2016, delivered again")
        self._flipped, self._years = True, YEARS
        return self._triggered(3)

    def _fragile(self) -> Outcome:
        self._say.act(4, "good offline, bad in production")
        self._say.say(
            "The wrong labels are taken back with a commit, and somebody removes the imputer: the evaluation rows are "
            "complete, so no gate can see it. Live rows are not complete. Expect: the canary fails on them, every such "
            "request is rescued by the stable arm, traffic goes back within seconds, and the digest is quarantined."
        )
        if self._flipped:
            self._workspace.revert()
        new_data = self._add_second_year()
        if 4 in self._sabotage:
            self._workspace.set_recipe("boosting", n_estimators=30)
        else:
            self._workspace.set_recipe("boosting-no-imputer", **self._settings.hyperparameters)
        self._workspace.commit("Simplify the pipeline: no imputer")
        return self._triggered(4) if new_data else self._run(4)

    def _add_second_year(self) -> bool:
        """Whether it was new."""
        if "2016" in self._years:
            return False
        self._workspace.add_training(CORRECT, YEARS)
        self._years = YEARS
        return True

    def _flip(self, year: str) -> None:
        share = "0.002" if 3 in self._sabotage else "0.5"  # none at all would be a rewrite, which starts nothing
        source, target = f"{CORRECT}/{year}.parquet", f"{FLIPPED}/{year}.parquet"
        words = ["data_changes.py", "flip-labels", "--column", "RAC1P", "--value", "6", "--share", share]
        words += ["--seed", "1", source, target]
        self._say.command(f"python {' '.join(words)}")
        self._workspace.python(*words)
        flipped, group = count_changes(self._workspace.root / source, self._workspace.root / target)
        self._say.row(f"labels that differ: {flipped:,} of {group:,} with RAC1P = 6")

    def _triggered(self, act: int) -> Outcome:
        """A run that the new data version starts; changed code alone is the business of a push."""
        return self._decided(act, self._workspace.watch)

    def _run(self, act: int, *words: str) -> Outcome:
        return self._decided(act, lambda: self._workspace.gatewright("run", *words))

    def _decided(self, act: int, start: Callable[[], int]) -> Outcome:
        failed, started = self._load.failed(), time.monotonic()
        if self._workspace.gatewright("plan", "--brief", "--exit-code"):
            self._say.bad("By the plan there is nothing to run.")
        code = start()
        seconds = time.monotonic() - started
        record = self._new_end()
        kind, meaning = EXPECTED[act]
        if record and record["kind"] == kind:
            self._say.good(meaning)
        else:
            self._say.bad(f"This should have ended as {kind}, not as {record['kind'] if record else 'an open run'}.")
        return Outcome(
            act=act,
            exit_code=code,
            seconds=seconds,
            failed=self._load.failed() - failed,
            record=record,
            reasons=self._workspace.reasons(record["run"]) if record else [],
        )

    def _new_end(self) -> dict[str, Any] | None:
        """The terminal record of a run that no earlier act has seen."""
        ends = [record for record in self._workspace.records() if record["kind"] in ENDS]
        new = [record for record in ends if record["run"] not in self._known]
        self._known |= {record["run"] for record in ends}
        return new[-1] if new else None


def count_changes(before: Path, after: Path) -> tuple[int, int]:
    """(rows whose label differs, rows of the group RAC1P = 6)."""
    import polars as pl

    columns = ["id", "RAC1P", "employed"]
    both = pl.read_parquet(before, columns=columns).join(pl.read_parquet(after, columns=columns), on="id")
    differ = both.filter(pl.col("employed") != pl.col("employed_right")).height
    return differ, both.filter(pl.col("RAC1P") == 6).height
