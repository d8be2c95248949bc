"""`evalset check`: is an evaluation set young enough, like the traffic, and unknown to the model that it judges?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewright.domain.errors import UnusableInput
from gatewright.domain.labelling import Finding
from gatewright.domain.lineage import DataVersion
from gatewright.engine.evalsets.separation import MOST_ROWS, separation
from gatewright.engine.evalsets.traffic import Source, collected, schema_of, traffic
from gatewright.ports import Progress
from gatewright.rules.evalset import age, check_weighed
from gatewright.rules.fitness.leakage import judge_leakage, matches, shared
from gatewright.rules.fitness.likeness import (
    FEWEST,
    Limits,
    comparable,
    encoded,
    judge_separation,
    judge_stability,
    stability,
)
from gatewright.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

CheckName = Literal["age", "weights", "psi", "separation", "leakage"]
CHECKS: tuple[CheckName, ...] = ("age", "weights", "psi", "separation", "leakage")
_STATES = {"fresh": "pass", "ageing": "warn", "overdue": "fail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked against what: None is the latest version of the configured set."""

    source: Source
    limits: Limits
    evaluation: str | None = None
    training: str | None = None
    skip: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found of `version`, and the ids of its rows that stand in the training data."""

    version: DataVersion
    findings: tuple[Finding, ...]
    leaked: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """fail outweighs unknown, which outweighs pass; a warning passes."""
        states = {finding.state for finding in self.findings}
        return next((state for state in ("fail", "unknown", "warn") if state in states), "pass")


def check(workspace: Workspace, subject: Subject, progress: Progress) -> Checked:
    """Check everything that is not skipped; UnusableInput for versions that are not there."""
    version = evaluation_version(workspace, subject.evaluation)
    wanted = [name for name in CHECKS if name not in subject.skip]
    if not wanted:
        raise UnusableInput("no check is left", fix="skip fewer of them")
    findings: list[Finding] = []
    leaked: tuple[str, ...] = ()
    if "age" in wanted:
        state, told = age(version, workspace.clock.now())
        findings.append(Finding(check="age", state=_STATES[state], what=told, numbers={}))
    if "weights" in wanted:
        findings.append(_weighed(workspace, version))
    with collected(workspace, version) as frame:
        rows = frame.collect()
    if {"psi", "separation"} & set(wanted):
        findings += _likeness(workspace, version, rows, subject, wanted, progress)
    if "leakage" in wanted:
        finding, leaked = _leakage(workspace, rows, subject, progress)
        findings.append(finding)
    return Checked(version=version, findings=tuple(findings), leaked=leaked)


def evaluation_version(workspace: Workspace, wanted: str | None) -> DataVersion:
    """The version `wanted` of the evaluation set, or its latest one; UnusableInput for another role."""
    name = workspace.project.data.evaluation
    if wanted is None:
        return workspace.data_versions.latest(name, "eval")
    found = workspace.data_versions.get(name, wanted)
    if found.role != "eval":
        raise UnusableInput(f"{name} {found.version} is {found.role} data", fix="name a version of role eval")
    return found


def _weighed(workspace: Workspace, version: DataVersion) -> Finding:
    try:
        check_weighed(version, workspace.project.evaluation)
    except UnusableInput as error:
        return Finding(check="weights", state="fail", what=f"{error.what}; {error.fix}", numbers={})
    column = workspace.project.evaluation.weight
    told = f"rows are weighed by the column {column}" if column else "every row stands for as many"
    return Finding(check="weights", state="pass", what=told, numbers={})


def _likeness(
    workspace: Workspace,
    version: DataVersion,
    rows: pl.DataFrame,
    subject: Subject,
    wanted: Sequence[str],
    progress: Progress,
) -> Iterator[Finding]:
    from gatewright.stats.weighted import effective_rows

    progress.waiting("reading the traffic")
    try:
        found = traffic(workspace, subject.source)
    except UnusableInput as error:
        for name in ("psi", "separation"):
            if name in wanted:
                what = f"there is no traffic to compare with: {error.what}; {error.fix}"
                yield Finding(check=name, state="unknown", what=what, numbers={})
        return
    evaluation = workspace.project.evaluation
    weights = _weights(version, rows)
    effective = effective_rows(weights)
    columns = comparable(rows, found.rows, (evaluation.id, evaluation.label), schema_of(workspace))
    if "psi" in wanted:
        indices = {name: stability(found.rows[name], rows[name], weights) for name in columns}
        yield judge_stability(indices, effective, subject.limits)
    if "separation" in wanted:
        auc = 0.5
        if columns and effective >= FEWEST:
            progress.waiting(f"telling {rows.height:,} rows from traffic")
            auc = _separated(_others(found.rows, rows, evaluation.id), rows, weights, columns)
        yield judge_separation(auc, effective if columns else 0.0, subject.limits)


def _separated(
    traffic_rows: pl.DataFrame, rows: pl.DataFrame, weights: NDArray[np.float64], columns: Sequence[str]
) -> float:
    import numpy as np

    some = [_some(each.height) for each in (traffic_rows, rows)]
    theirs, ours = encoded([traffic_rows[some[0]], rows[some[1]]], columns)
    return separation(theirs, ours, np.asarray(weights[some[1]]))


def _others(traffic_rows: pl.DataFrame, rows: pl.DataFrame, id: str) -> pl.DataFrame:
    """The traffic without the rows that were drawn from it: twins on both sides make a classifier guess the wrong one.

    All of it where too little would be left.
    """
    import polars as pl

    mine = rows.select(pl.col(id).cast(pl.String)) if id in rows.columns else rows.clear().select(pl.lit("").alias(id))
    others = traffic_rows.filter(~pl.col(id).cast(pl.String).is_in(mine[id].implode()))
    return others if 2 * others.height > traffic_rows.height else traffic_rows


def _some(rows: int) -> NDArray[np.int64]:
    """At most 20,000 positions, chosen by chance."""
    import numpy as np

    every = np.arange(rows)
    return every if rows <= MOST_ROWS else np.sort(np.random.default_rng(0).choice(every, MOST_ROWS, replace=False))


def _weights(version: DataVersion, rows: pl.DataFrame) -> NDArray[np.float64]:
    import numpy as np
    import polars as pl

    column = version.lineage.get("weight")
    if column is None or column not in rows.columns:
        return np.ones(rows.height)
    return np.asarray(rows[column].cast(pl.Float64).to_numpy())


def _leakage(
    workspace: Workspace, rows: pl.DataFrame, subject: Subject, progress: Progress
) -> tuple[Finding, tuple[str, ...]]:
    name, evaluation = workspace.project.data.train, workspace.project.evaluation
    versions = workspace.data_versions
    training = versions.get(name, subject.training) if subject.training else versions.latest(name, "train")
    progress.waiting(f"looking for evaluation rows in {name} {training.version}")
    with collected(workspace, training) as frame:
        columns = shared(rows.schema, frame.collect_schema(), (evaluation.id, evaluation.label))
        both = evaluation.id in rows.columns and evaluation.id in frame.collect_schema()
        found = matches(rows, frame, columns, evaluation.id if both else None)
    finding = judge_leakage(found, f"{name} {training.version}")
    names = rows[evaluation.id].to_list() if evaluation.id in rows.columns else list(range(rows.height))
    return finding, tuple(str(names[place]) for place in found.places) if finding.state in ("fail", "warn") else ()
