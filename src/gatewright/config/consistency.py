"""What types cannot say: names, paths, placeholders, and values that contradict each other.

Every rule reads the plain values and says nothing where a value has the wrong type: the reader has told that already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path as File
from typing import Any

from gatewright.config.ci_rules import pipeline
from gatewright.config.entry_rules import carried
from gatewright.config.evaluation_rules import measured, slices
from gatewright.config.nodes import Document
from gatewright.config.problems import Path, dotted, nearest, shown
from gatewright.config.state_rules import state
from gatewright.config.values import Finding, Values
from gatewright.domain.errors import Problem
from gatewright.domain.gate import CORE_GATES, GATE_NAMES
from gatewright.domain.metrics import METRICS
from gatewright.domain.project import DATA_PLACEHOLDERS, EVALUATION_PLACEHOLDERS, PLACEHOLDERS
from gatewright.domain.rollout import DriftMargins, QualityMargins, RolloutPolicy

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_OF_A_SHELL = re.compile(r"[$`;|&<>*?]")
_PANDERA = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "fish"})
_LEFT_TO_A_SHELL = re.compile(r"\$(?:[A-Za-z_]|\()|(?:;|&&?|\|\|?|<|>>?)$")
_NAMES: tuple[Path, ...] = (("model",), ("data", "train"), ("data", "evaluation"))
_PATHS: tuple[Path, ...] = (("data", "schema"), ("checks", "dependencies", "requirements"))
_MINUTE_S = 60.0
_LISTED: tuple[Path, ...] = (("checks", "lint", "paths"), ("train", "entry_code"))
_COMMAND: Path = ("train", "command")
_PREDICT: Path = ("evaluation", "command")
_DATA_CHECKS: Path = ("checks", "data")
_CHECK: Path = (*_DATA_CHECKS, "command")
_COMMANDS = {_COMMAND: PLACEHOLDERS, _PREDICT: EVALUATION_PLACEHOLDERS, _CHECK: DATA_PLACEHOLDERS}


def contradictions(value: dict[str, Any], document: Document, root: File) -> Iterator[Problem]:
    """Every problem that needs more than a type to see; `value` is written out, `root` the workspace."""
    values = Values(value)
    rules: tuple[Iterable[Finding], ...] = (
        _names(values),
        _paths(values, root),
        _placeholders(values),
        _shell_words(values),
        _data_checks(values),
        carried(values, root),
        _margins_of_text(document.value),
        _data(values),
        measured(values),
        slices(values),
        _gates(values),
        _overall(values),
        _waivers(values),
        _steps(values),
        _rollout(values),
        _predictions(values, Values(document.value)),
        _scrapes(values, Values(document.value)),
        _minutes(values, Values(document.value)),
        pipeline(values),
        state(values),
    )
    told: set[Path] = set()
    for path, what in chain.from_iterable(rules):
        if path not in told:
            told.add(path)
            yield Problem(where=document.place(path), field=dotted(path), what=what)


def _names(values: Values) -> Iterator[Finding]:
    for path in _NAMES:
        name = values.at(path)
        if isinstance(name, str) and name and not NAME.fullmatch(name):
            rule = "1 to 64 of a-z, 0-9, - and _, of which the first is a letter or digit"
            yield path, f"{shown(name)} is not a name: a name is {rule}"


def _paths(values: Values, root: File) -> Iterator[Finding]:
    named = [(path, values.at(path)) for path in _PATHS]
    for listed in _LISTED:
        named += [((*listed, index), entry) for index, entry in enumerate(values.entries(listed))]
    for path, text in named:
        if isinstance(text, str) and text and (why := _outside(text, root)):
            yield path, f"{shown(text)} {why}: write a path inside the workspace, from its root"


def _outside(text: str, root: File) -> str:
    """Why `text` is no path inside the workspace at `root`; empty if it is one."""
    if text.startswith("-"):
        return "starts with - and would be taken for an option"
    if "://" in text or text.startswith("~") or File(text).is_absolute():
        return "is an address, not a path" if "://" in text else "is an absolute path"
    if special := _OF_A_SHELL.search(text):
        return f"has a {special[0]}, which only a shell would understand, and none reads it"
    if "\\" in text or any(not character.isprintable() for character in text):
        return "has characters that a path here may not have"
    if ".." in File(text).parts:
        return "leads out of the workspace"
    try:
        inside = (root / text).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return "cannot be followed"
    return "" if inside else "leads out of the workspace by a link"


def _placeholders(values: Values) -> Iterator[Finding]:
    for path, known in _COMMANDS.items():
        allowed = ", ".join(f"{{{name}}}" for name in known)
        for index, argument in enumerate(values.entries(path)):
            for word in _PLACEHOLDER.findall(argument) if isinstance(argument, str) else ():
                if word not in known:
                    near = nearest(word, known)
                    guess = f"did you mean {{{near}}}? " if near else ""
                    yield (*path, index), f"unknown placeholder {{{word}}}: {guess}allowed: {allowed}"
    predict = values.entries(_PREDICT)
    if predict and not any(isinstance(word, str) and "{output.path}" in word for word in predict):
        yield _PREDICT, "has no {output.path}: nobody would know where the predictions are"


def _shell_words(values: Values) -> Iterator[Finding]:
    """Words that only a shell would understand, in a command that starts none."""
    for path in _COMMANDS:
        words = values.entries(path)
        if words and isinstance(words[0], str) and File(words[0]).name in _SHELLS:
            continue
        for index, word in enumerate(words):
            if isinstance(word, str) and _LEFT_TO_A_SHELL.search(_PLACEHOLDER.sub("", word)):
                yield (*path, index), f"{shown(word)} is for a shell, and none reads it: write the value itself"


def _data_checks(values: Values) -> Iterator[Finding]:
    section = values.at(_DATA_CHECKS)
    if isinstance(section, dict) and not {"pandera", "command"} & section.keys():
        yield _DATA_CHECKS, "checks nothing: write pandera: module:Name, or command: [program, argument]"
    schema = values.at((*_DATA_CHECKS, "pandera"))
    if isinstance(schema, str) and not _PANDERA.fullmatch(schema):
        yield (*_DATA_CHECKS, "pandera"), f"{shown(schema)} names no schema: write module:Name"


def _margins_of_text(value: Any, path: Path = ()) -> Iterator[Finding]:
    """White space that nobody sees at the edge of a text, and lines inside of one; a command may have both."""
    if path in _COMMANDS:
        return
    if isinstance(value, str) and value:
        if value != value.strip():
            yield path, f"{shown(value)} begins or ends with white space: write {shown(value.strip())}"
        elif "\n" in value or "\t" in value:
            yield path, f"{shown(value)} has a tab or a line break in it: write it in one line"
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _margins_of_text(item, (*path, key))


def _data(values: Values) -> Iterator[Finding]:
    train, evaluation = values.at(("data", "train")), values.at(("data", "evaluation"))
    if isinstance(train, str) and train == evaluation:
        yield ("data", "evaluation"), f"{shown(evaluation)} is what the model is trained on: name another data set"
    label = values.at(("evaluation", "label"))
    if isinstance(label, str) and label == (values.at(("evaluation", "id")) or "id"):
        yield ("evaluation", "label"), f"{shown(label)} is also the id of a row: name another column"


def _gates(values: Values) -> Iterator[Finding]:
    gates = values.at(("gates",))
    if not isinstance(gates, dict) or not gates:
        return
    left_out = {name for name in CORE_GATES if name in gates and gates[name] is None}
    if len(left_out) == len(CORE_GATES) and all(gates.get(name) is None for name in GATE_NAMES):
        yield ("gates",), "leaves every gate out: write gates: none"
    needs: dict[str, Path] = {"slices": ("evaluation", "slices"), "fairness": ("fairness", "attributes")}
    for gate, path in needs.items():
        if gate not in left_out and values.at(path) in (None, []):
            yield ("gates", gate), f"has nothing to judge: name {dotted(path)}, or write {gate}: none"


def _overall(values: Values) -> Iterator[Finding]:
    """A floor is for what should be high, a ceiling for an error."""
    name = values.at(("evaluation", "metric"))
    metric = METRICS.get(name) if isinstance(name, str) else None
    if metric is None:
        return
    wrong, right = ("max", "min") if metric.higher_is_better else ("min", "max")
    if values.at(("gates", "overall", wrong)) is not None:
        better = "higher" if metric.higher_is_better else "lower"
        yield ("gates", "overall", wrong), f"does not fit {name}, of which {better} is better: write {right}"


def _waivers(values: Values) -> Iterator[Finding]:
    path: Path = ("gates", "waivers")
    for index, entry in enumerate(values.entries(path)):
        gate = entry.get("gate") if isinstance(entry, dict) else None
        if isinstance(gate, str) and gate in GATE_NAMES:
            left_out = gate in CORE_GATES and gate in values.at(("gates",)) and values.at(("gates", gate)) is None
            if left_out or (gate not in CORE_GATES and values.at(("gates", gate)) is None):
                yield (*path, index, "gate"), f"{shown(gate)} is not checked here: there is nothing to waive"


def _steps(values: Values) -> Iterator[Finding]:
    path: Path = ("rollout", "steps")
    weights = [entry.get("weight") if isinstance(entry, dict) else None for entry in values.entries(path)]
    for index, (before, after) in enumerate(pairwise(weights), start=1):
        if isinstance(before, (int, float)) and isinstance(after, (int, float)) and after <= before:
            yield (*path, index, "weight"), f"{after} does not rise above the {before} of the step before it"


def _rollout(values: Values) -> Iterator[Finding]:
    defaults = RolloutPolicy()
    usual = {"errors": None, "latency": defaults.latency, "quality": QualityMargins()}
    for name, margins in usual.items():
        rollback = told = values.number(("rollout", name, "rollback_margin"))
        promote = values.number(("rollout", name, "promote_margin"))
        if margins is not None and (rollback is not None or promote is not None):
            rollback = margins.rollback_margin if rollback is None else rollback
            promote = margins.promote_margin if promote is None else promote
        if rollback is not None and promote and rollback > promote:
            what = f"{rollback} is larger than the promote_margin of {promote}: it may be at most as large"
            if told is None:
                what = f"{promote} is less than the rollback_margin of {rollback}: it must be at least as large"
            yield ("rollout", name, "promote_margin" if told is None else "rollback_margin"), what
        if promote == 0:
            yield ("rollout", name, "promote_margin"), "0 could only be shown by endless traffic: allow a little more"
    tick = values.seconds(("rollout", "tick"), defaults.tick)
    lease = values.seconds(("rollout", "lease"), defaults.lease)
    if tick is not None and lease is not None and lease <= tick:
        path: Path = ("rollout", "lease") if values.at(("rollout", "lease")) else ("rollout", "tick")
        yield path, f"a lease of {lease:g}s runs out before the next tick of {tick:g}s renews it: make it longer"


def _predictions(values: Values, whole: Values) -> Iterator[Finding]:
    """What is observed by predictions needs their log; a drift that rolls back is larger than one that pauses."""
    margins = DriftMargins()
    pause = values.number(("rollout", "drift", "pause_margin"))
    rollback = values.number(("rollout", "drift", "rollback_margin"))
    at = "rollback_margin" if pause is None else "pause_margin"
    pause = margins.pause_margin if pause is None else pause
    rollback = margins.rollback_margin if rollback is None else rollback
    if 0 < rollback < pause:
        yield ("rollout", "drift", at), f"the pause_margin {pause} is above the rollback_margin {rollback}: swap them"
    if values.at(("rollout", "quality", "by")) == "reward" and values.number(("rollout", "quality", "tolerance")):
        yield ("rollout", "quality", "tolerance"), "says when an answer differs from its label: a reward has none"
    for name in ("quality", "drift", "slices", "shadow"):
        if values.at(("rollout", name)) not in (None, []) and whole.number(("serving", "prediction_log_mb")) == 0:
            yield ("rollout", name), "needs the log of predictions: write serving.prediction_log_mb above 0"


def _scrapes(values: Values, whole: Values) -> Iterator[Finding]:
    """Each look has to see something new: hold time is served only in looks that did."""
    path: Path = ("evidence", "scrape_interval")
    if whole.at(path) is None:
        return
    scrape, looks = whole.seconds(path, RolloutPolicy().tick), _between_looks(values)
    if scrape is not None and looks is not None and scrape > looks:
        what = f"{scrape:g}s is longer than the {looks:g}s between two looks, so that many would see nothing new"
        yield path, f"{what}: raise rollout.tick and rollout.breaker.tick to {scrape:g}s, or scrape more often"


def _minutes(values: Values, whole: Values) -> Iterator[Finding]:
    """The same of a source that counts by the minute."""
    path, looks = ("evidence", "kind"), _between_looks(values)
    if whole.at(path) == "cloudwatch" and looks is not None and looks < _MINUTE_S:
        what = f"counts by the minute, and two looks are {looks:g}s apart, so that many would see nothing new"
        yield path, f"{what}: raise rollout.tick and rollout.breaker.tick to 1m"


def _between_looks(values: Values) -> float | None:
    defaults = RolloutPolicy()
    ticks = [values.seconds(("rollout", "tick"), defaults.tick)]
    ticks.append(values.seconds(("rollout", "breaker", "tick"), defaults.breaker.tick))
    return min((tick for tick in ticks if tick is not None), default=None)
