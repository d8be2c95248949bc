"""Labelled files, read: CSV, JSON Lines, or Label Studio's export as JSON; every problem with its file and line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from gatewright.domain.documents import read_json
from gatewright.domain.errors import Place, Problem
from gatewright.domain.labelling import Answer
from gatewright.rules.labelling.queue import ANNOTATOR, TASK

ALONE = "a1"
"""Who labelled a file that does not say it."""
Read = Answer | Problem


def answers(text: str, file: str, *, id: str, label: str) -> Iterator[Read]:
    """Each label in `text`, and each problem; `id` and `label` are the columns' own names, `task` and `label` work too.

    A list in JSON is Label Studio's export, lines of objects are JSON Lines, all else is CSV.
    """
    start = text.lstrip("\ufeff").lstrip()
    if start.startswith("["):
        yield from _label_studio(text, file, id, label)
    elif start.startswith("{"):
        yield from _json_lines(text, file, id, label)
    else:
        yield from _csv(text, file, id, label)


def _csv(text: str, file: str, id: str, label: str) -> Iterator[Read]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        names = list(reader.fieldnames or ())
        missing = [
            " or ".join(dict.fromkeys(wanted))
            for wanted in ((TASK, id), (label, "label"))
            if not any(name in names for name in wanted)
        ]
        if missing:
            yield _problem(file, 1, "", f"has no column {', no column '.join(missing)}; there are: {', '.join(names)}")
            return
        for row in reader:
            if None in row or None in row.values():
                yield _problem(file, reader.line_num, "", "has another number of cells than the header")
            else:
                yield _answer(row, file, reader.line_num, id, label)
    except csv.Error as error:
        yield _problem(file, reader.line_num + 1, "", f"is not CSV: {error}")


def _json_lines(text: str, file: str, id: str, label: str) -> Iterator[Read]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = read_json(line.removeprefix("\ufeff").encode())
        except ValueError as error:
            yield _problem(file, number, "", f"is not a JSON object: {error}")
            continue
        yield _answer(_flat(entry), file, number, id, label)


def _label_studio(text: str, file: str, id: str, label: str) -> Iterator[Read]:
    """Tasks with `annotations` (the full export), or flat objects (the "JSON-MIN" one)."""
    for entry, line in _elements(text, file):
        if isinstance(entry, Problem):
            yield entry
            continue
        if not isinstance(entry, dict):
            yield _problem(file, line, "", f"is {entry!r:.40}, not a task")
            continue
        flat = _flat(entry)
        if "annotations" not in entry:
            yield _answer(flat, file, line, id, label)
            continue
        for annotation in entry["annotations"] if isinstance(entry["annotations"], list) else [None]:
            if not isinstance(annotation, dict):
                yield _problem(file, line, "annotations", "is no list of annotations")
            elif not annotation.get("was_cancelled"):
                values = list(_values(annotation))
                by = _who(annotation) or flat.get(ANNOTATOR)
                if len(values) > 1:
                    what = f"holds {len(values)} labels of {by or ALONE}: one is needed"
                    yield _problem(file, line, "annotations", what)
                else:
                    row = {**flat, label: values[0] if values else None, ANNOTATOR: by}
                    yield _answer(row, file, line, id, label)


def _elements(text: str, file: str) -> Iterator[tuple[Any, int]]:
    """The elements of a JSON list with the lines they begin at; a Problem where the text is no JSON."""
    decoder = json.JSONDecoder()
    at, line, counted = text.index("[") + 1, 1, 0
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        line, counted = line + text.count("\n", counted, at), at
        if at < len(text) and text[at] == "]":
            return
        try:
            entry, at = decoder.raw_decode(text, at)
        except ValueError as error:
            yield _problem(file, line, "", f"is not JSON: {error}"), line
            return
        yield entry, line


def _values(annotation: Mapping[str, Any]) -> Iterator[Any]:
    """The labels of one annotation: choices, numbers, ratings and texts of Label Studio's results."""
    for result in annotation.get("result") or ():
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, dict):
            continue
        for kind in ("choices", "number", "rating", "text"):
            if kind in value:
                found = value[kind]
                yield from found if isinstance(found, list) else (found,)


def _who(annotation: Mapping[str, Any]) -> str | None:
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    return None if who is None else str(who)


def _flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The object with what its `data` holds beside it; its own words come first. A Label Studio `id` is its own."""
    data = entry.get("data")
    if not isinstance(data, dict):
        return dict(entry)
    return {**data, **{name: value for name, value in entry.items() if name not in ("data", "id") or name not in data}}


def _answer(row: Mapping[str, Any], file: str, line: int, id: str, label: str) -> Read:
    task = row.get(TASK) if row.get(TASK) not in (None, "") else row.get(id)
    value = row.get(label, row.get("label"))
    if task is None or task == "":
        return _problem(file, line, id, "is missing: which row is this?")
    if isinstance(value, (dict, list)):
        return _problem(file, line, label, f"is {value!r:.40}: one value is needed")
    text = None if value is None or not str(value).strip() else _text(value)
    return Answer(task=_text(task), annotator=str(row.get(ANNOTATOR) or ALONE), value=text, file=file, line=line)


def _text(value: Any) -> str:
    """A value as CSV would have it: whole numbers without a point."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _problem(file: str, line: int | None, field: str, what: str) -> Problem:
    return Problem(where=Place(file=file, line=line), field=field, what=what)
