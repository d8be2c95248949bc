"""What the evaluation section may ask for: metrics that the task has, and slices that can be made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from gatewright.config.problems import Path, shown
from gatewright.config.shorthand import HARMLESS
from gatewright.config.values import Finding, Values
from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import UnusableInput
from gatewright.domain.metrics import METRICS
from gatewright.rules.measuring.factors import columns_of
from gatewright.rules.measuring.measured import CLUSTERED


def measured(values: Values) -> Iterator[Finding]:
    """Metrics that the task does not have, or that rows of one cluster do not allow."""
    section: Path = ("evaluation",)
    task, clustered = values.at((*section, "task")), values.at((*section, "cluster")) is not None
    weighted = values.at((*section, "weight")) is not None
    asked = [((*section, "metric"), values.at((*section, "metric")))]
    asked += [((*section, "metrics", index), name) for index, name in enumerate(values.entries((*section, "metrics")))]
    for path, name in asked:
        if not isinstance(name, str) or name not in METRICS:
            continue
        if isinstance(task, str) and task not in METRICS[name].tasks:
            allowed = ", ".join(metric.name for metric in METRICS.values() if task in metric.tasks)
            yield path, f"{shown(name)} is no metric of a {task} task: {allowed or 'there is no such task'}"
        elif clustered and name not in CLUSTERED:
            yield path, f"{shown(name)} cannot be measured with a cluster: choose from {', '.join(CLUSTERED)}"
        elif weighted and METRICS[name].kind == "rank":
            yield path, f"{shown(name)} cannot be measured with evaluation.weight: leave one of them out"
    for name, there in (("cluster", clustered), ("weight", weighted)):
        if there and values.at(("gates", "auc")) is not None:
            yield ("gates", "auc"), f"AUC cannot be measured with evaluation.{name}: leave one of them out"
    if weighted and clustered:
        yield (*section, "weight"), "cannot be used with evaluation.cluster: leave one of them out"
    if values.at((*section, "stratum")) is not None and not weighted:
        yield (*section, "stratum"), "says how rows were drawn that carry weights: name evaluation.weight, too"
    own = ["id", *(values.at((*section, name)) for name in ("id", "label"))]  # of any type, if the file is wrong
    for name in ("weight", "stratum"):
        if isinstance(column := values.at((*section, name)), str) and column in own:
            yield (*section, name), f"{shown(column)} is the id or the label of a row: name another column"


def slices(values: Values) -> Iterator[Finding]:
    """Slices of the evaluation and of live traffic: each once, their columns too, and bins that ascend."""
    yield from _repeated(values.entries(("fairness", "attributes")), ("fairness", "attributes"))
    for section in ("evaluation", "rollout"):
        yield from _slices(values, (section, "slices"))


def _slices(values: Values, path: Path) -> Iterator[Finding]:
    entries = values.entries(path)
    yield from _repeated(entries, path)
    names = [entry.get("name") for entry in entries]
    for index, entry in enumerate(entries):
        columns, bins, where = entry.get("columns"), entry.get("bins"), entry.get("where")
        if isinstance(where, str) and (why := _no_condition(where)):
            yield (*path, index, "where"), why
        if names[index] is not None and names[index] in names[:index]:
            yield (*path, index, "name"), f"{shown(names[index])} is the name of another slice, too"
        if isinstance(columns, list) and len(set(map(str, columns))) < len(columns):
            yield (*path, index), "names a column twice"
        if isinstance(bins, list):
            yield from _ascending(bins, (*path, index, "bins"))


def _ascending(numbers: list[Any], path: Path) -> Iterator[Finding]:
    for index, (before, after) in enumerate(pairwise(numbers), start=1):
        if isinstance(before, (int, float)) and isinstance(after, (int, float)) and after <= before:
            yield (*path, index), f"{after} does not rise above the {before} before it: bins ascend"


def _repeated(entries: list[Any], path: Path) -> Iterator[Finding]:
    seen: set[bytes] = set()
    for index, entry in enumerate(entries):
        form = canonical_json(entry)
        if form in seen and entry != HARMLESS:
            yield (*path, index), "stands twice"
        seen.add(form)


def _no_condition(where: str) -> str:
    """Why `where` is no condition on one row; empty if it is."""
    try:
        columns_of(where)
    except UnusableInput as error:
        return error.what.removeprefix("where: ")
    return ""
