"""`gatewright feedback`: labels that come late, joined to the answers that they belong to."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.cli.options import Output, opened, output_option, workspace_option
from gatewright.cli.output import say, say_json

if TYPE_CHECKING:
    from gatewright.domain.feedback import Label, Tally

_KINDS = ("label", "reward")
_MOST_BYTES = 1 << 30


@click.command()
@click.argument("file", type=click.Path(allow_dash=True, dir_okay=False, path_type=Path))
@workspace_option
@output_option
def feedback(file: Path, root: Path, output: Output) -> None:
    """Take over labels from FILE (- for standard input), and tell what became of them.

    CSV with the columns request_id and label, or JSON Lines with these keys, in which label may be a list with a
    number for each row of the request. Instead of label, reward: how good the answer was, from 0 to 1. The request's
    id is the header x-request-id of its answer. A file with a line that cannot be read is refused as a whole.

    \b
    Examples:
      gatewright feedback labels.csv
      gatewright feedback - < labels.jsonl
      gatewright feedback labels.csv --output json
    """
    from gatewright.store.feedback import Feedback
    from gatewright.store.prediction_log import log_folder

    workspace = opened(root)
    labels = list(_labels(str(file), _text(file)))
    store = Feedback(log_folder(workspace.root, workspace.project.model))
    try:
        store.catch_up(workspace.clock.now())
        found, total = store.put(labels, workspace.clock.now()), store.tally()
    finally:
        store.close()
    if output == "json":
        say_json({"labels": len(labels), "file": _plain(found), "total": _plain(total)})
    else:
        say(f"{len(labels):,} labels: {in_words(found)}")
        say(f"all so far: {in_words(total)}")


def in_words(tally: Tally) -> str:
    """The counts that are worth a word."""
    phrases = {
        "joined": "joined",
        "waiting": "waiting for an answer with their id",
        "doubled": "doubled",
        "conflicting": "conflicting with an earlier one, which stays",
        "unusable": "unusable",
    }
    counts = _plain(tally)
    return ", ".join(
        f"{counts[name]:,} {phrase}" for name, phrase in phrases.items() if counts[name] or name == "joined"
    )


def _plain(tally: Tally) -> dict[str, int]:
    return {field.name: getattr(tally, field.name) for field in fields(tally)}


def _text(file: Path) -> str:
    from gatewright.domain.errors import UnusableInput
    from gatewright.effects.files import read_bytes

    data = sys.stdin.buffer.read() if str(file) == "-" else read_bytes(file, _MOST_BYTES)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableInput(
            f"{file} is not UTF-8 text: {error.reason} at byte {error.start}", fix="save it as UTF-8"
        ) from error


def _labels(file: str, text: str) -> Iterator[Label]:
    """Every label; UnusableInput with file and line for the first that is none."""
    from gatewright.domain.errors import Place, UnusableInput
    from gatewright.domain.feedback import read_label

    as_json = text.lstrip().startswith("{")
    lines = _json_lines(text) if as_json else _table(text)
    number = 1
    try:
        for number, entry in lines:  # noqa: B007
            yield read_label(_object(entry) if as_json else _row(entry))
    except ValueError as error:
        fix = 'write CSV with the columns request_id,label, or lines of {"request_id": …, "label": …}'
        raise UnusableInput(str(error), fix=fix, where=Place(file=file, line=number)) from error


def _json_lines(text: str) -> Iterator[tuple[int, Any]]:
    return ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())


def _object(line: str) -> Any:
    from gatewright.domain.documents import read_json

    try:
        return read_json(line.encode())
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from error


def _table(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        columns = reader.fieldnames or ()
        if not any(sorted(columns) == sorted(("request_id", kind)) for kind in _KINDS):
            found = ", ".join(columns) or "(none)"
            raise ValueError(f"has the columns {found}; needed: request_id, label (or request_id, reward)")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}") from error


def _row(row: dict[str, Any]) -> Any:
    if None in row or None in row.values():
        raise ValueError("has another number of cells than the header")
    kind = next(kind for kind in _KINDS if kind in row)
    try:
        return {**row, kind: float(row[kind])}
    except ValueError as error:
        raise ValueError(f"{kind} {row[kind]!r:.80} is not a number") from error
