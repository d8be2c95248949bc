"""Short forms of gatewright.yaml written out, and the forms of "nothing" told apart from an explicit `none`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any

from annotated_types import MinLen

from gatewright.config.nodes import Document
from gatewright.config.problems import Path, dotted, shown
from gatewright.config.reader import read_value
from gatewright.domain.errors import Problem
from gatewright.domain.gate import GATE_NAMES
from gatewright.domain.project import ChecksSection, Text

NONE = "none"
HARMLESS = {"columns": ["-"]}
"""What stands for a slice that was refused, so that it is told only once."""
_LEAVE_OUT = f"to leave it out, write {{}}: {NONE}"
_WITH_SLICES = ("evaluation", "rollout")
_NOES = frozenset({"no", "off", "n", "false", "skip", "null", "never"})
CHECK_NAMES = tuple(field.name for field in fields(ChecksSection))
_MAY_BE_NONE = frozenset(
    {("gates",), ("checks",), *(("gates", name) for name in GATE_NAMES), *(("checks", name) for name in CHECK_NAMES)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedSlice:
    """One slice per interval [low, high) of a numeric column, and one below and one above them."""

    column: Text
    bins: Annotated[tuple[float, ...], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionSlice:
    """The rows for which an SQL expression holds, and what their slice is called."""

    name: Text
    where: Text


def written_out(document: Document) -> tuple[dict[str, Any], list[Problem]]:
    """The root mapping without short forms, ready to be read as a Project, and what is wrong with the short forms."""
    found = [(path, _advice(path)) for path in _empties(document.value)]
    found += [
        (path, f"{shown(value)} leaves nothing out: {_LEAVE_OUT.format(path[-1])}")
        for path, value in _noes(document.value)
    ]
    problems = [Problem(where=document.place(path), field=dotted(path), what=what) for path, what in found]
    root = dict(document.value)
    if root.get("gates") in ({}, [], ""):
        root["gates"] = None
    root.update({name: _nones(root[name], (name,)) for name in ("gates", "checks") if name in root})
    if "checks" in root and root["checks"] is None and document.value["checks"] == NONE:
        root["checks"] = dict.fromkeys(CHECK_NAMES)
    for name in _WITH_SLICES:
        section = root.get(name)
        if isinstance(section, dict) and isinstance(section.get("slices"), list):
            entries = enumerate(section["slices"])
            slices = [_slice(entry, document, (name, "slices", index), problems) for index, entry in entries]
            root[name] = {**section, "slices": slices}
    return root, problems


def _empties(value: Any, path: Path = ()) -> Iterator[Path]:
    if value is None or (path == ("gates",) and value in ({}, [], "")):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _empties(item, (*path, key))


def _noes(root: Any) -> Iterator[tuple[Path, Any]]:
    """Where `none` is allowed and another word for it stands."""
    for path in sorted(_MAY_BE_NONE):
        value = root
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is False or (isinstance(value, str) and value.lower() in _NOES):
            yield path, value


def _advice(path: Path) -> str:
    if path in _MAY_BE_NONE:
        return f"is empty: {_LEAVE_OUT.format(path[-1])}"
    return "is empty: write a value, or leave the key out" if isinstance(path[-1], str) else "is empty"


def _nones(value: Any, path: Path) -> Any:
    if value == NONE and path in _MAY_BE_NONE:
        return None
    if isinstance(value, dict) and len(path) == 1:
        return {key: _nones(item, (*path, key)) for key, item in value.items()}
    return value


def _slice(entry: Any, document: Document, path: Path, problems: list[Problem]) -> Any:
    """The long form of one entry; a harmless one if it is refused."""
    kind: Any
    columns: list[Any]
    if isinstance(entry, str):
        kind, columns = Text, [entry]
    elif isinstance(entry, list) and any(isinstance(part, dict) for part in entry):
        return _crossed(entry, document, path, problems)
    elif isinstance(entry, list):
        kind, columns = Annotated[tuple[Text, ...], MinLen(1)], entry
    elif isinstance(entry, dict) and {"where", "name"} & entry.keys():
        if path[0] == "rollout":
            what = "is a condition, which is not asked of live requests: write columns, or one with bins"
            problems.append(Problem(where=document.place(path), field=dotted(path), what=what))
            return dict(HARMLESS)
        return _read(ConditionSlice, entry, document, path, problems) or dict(HARMLESS)
    elif isinstance(entry, dict):
        kind, columns = BinnedSlice, [entry.get("column")]
    elif entry is None:
        return dict(HARMLESS)
    else:
        forms = "SEX, [SEX, RAC1P], {column: AGEP, bins: [25, 50]}"
        forms += " or {name: young, where: AGEP < 30}" if path[0] == "evaluation" else ""
        what = f"{shown(entry)} is not a slice: write {forms}"
        problems.append(Problem(where=document.place(path), field=dotted(path), what=what))
        return dict(HARMLESS)
    if _read(kind, entry, document, path, problems) is None:
        return dict(HARMLESS)
    return {"columns": columns, "bins": entry["bins"]} if isinstance(entry, dict) else {"columns": columns}


def _crossed(parts: list[Any], document: Document, path: Path, problems: list[Problem]) -> Any:
    """Several columns, of which one is cut into intervals: it comes last in the long form."""
    binned = [part for part in parts if isinstance(part, dict)]
    if len(binned) > 1:
        what = "cuts two columns into intervals: only one of several columns can have bins"
        problems.append(Problem(where=document.place(path), field=dotted(path), what=what))
        return dict(HARMLESS)
    read = [
        _read(BinnedSlice if isinstance(part, dict) else Text, part, document, (*path, index), problems)
        for index, part in enumerate(parts)
    ]
    if None in read:
        return dict(HARMLESS)
    plain = [part for part in parts if isinstance(part, str)]
    return {"columns": [*plain, binned[0]["column"]], "bins": binned[0]["bins"]}


def _read(kind: Any, value: Any, document: Document, path: Path, problems: list[Problem]) -> Any:
    """`value` itself if it can be read as a `kind`; None, and its problems told, if not."""
    _, wrong = read_value(kind, value, document, path)
    told = {problem.field for problem in problems}
    problems.extend(problem for problem in wrong if problem.field not in told)
    return None if wrong else value
