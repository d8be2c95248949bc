"""A sample as annotators get it: rows without weight, stratum or prediction, dealt out in batches and copies.

Label Studio's tasks are a JSON list of {"data": {…}}, as its documentation's "Import data" describes them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from gatewright.domain.errors import UnusableInput
from gatewright.domain.labelling import DESIGN_COLUMNS, SampleFacts

if TYPE_CHECKING:
    import polars as pl

Format = Literal["csv", "jsonl", "label-studio"]
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "label-studio")
TASK, ANNOTATOR = "task", "annotator"
_ENDINGS: dict[Format, str] = {"csv": "csv", "jsonl": "jsonl", "label-studio": "json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """Who gets what: `batch` rows a file (0: all in one), `annotators` people, of whom all get the share `overlap`."""

    form: Format = "csv"
    batch: int = 0
    annotators: int = 1
    overlap: float = 1.0
    include_personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One file for one annotator."""

    name: str
    rows: int
    text: str


def batches(rows: pl.DataFrame, facts: SampleFacts, deal: Deal) -> Iterator[Batch]:
    """The files, always in the same order with the same rows; UnusableInput for numbers that cannot be meant."""
    if deal.annotators < 1 or deal.batch < 0 or not 0.0 <= deal.overlap <= 1.0:
        raise UnusableInput(
            f"{deal.annotators} annotators, batches of {deal.batch}, an overlap of {deal.overlap:g} cannot be dealt",
            fix="write --annotators from 1, --batch-size from 0, --overlap from 0 to 1",
        )
    shown = _shown(rows, facts, include_personal=deal.include_personal)
    # Shuffled by a hash of the id: neighbours in time are not labelled in one go, and the order is always the same.
    order = sorted(shown, key=lambda row: _hash(facts, row[facts.id_column]))
    for number in range(1, deal.annotators + 1):
        mine = [row for place, row in enumerate(order) if _is_mine(place, len(order), number, deal)]
        size = deal.batch or max(len(mine), 1)
        for start in range(0, len(mine), size):
            part = mine[start : start + size]
            who = f"-a{number}" if deal.annotators > 1 else ""
            name = f"batch-{start // size + 1:03d}{who}.{_ENDINGS[deal.form]}"
            text = _render(part, facts, deal.form, f"a{number}" if deal.annotators > 1 else "")
            yield Batch(name=name, rows=len(part), text=text)


def _is_mine(place: int, total: int, number: int, deal: Deal) -> bool:
    """The first share of the rows goes to everybody, the others to one annotator each in turn."""
    return place < round(deal.overlap * total) or place % deal.annotators == number - 1


def _hash(facts: SampleFacts, id: Any) -> bytes:
    return blake2b(f"{facts.seed}:{id}".encode(), digest_size=8).digest()


def _shown(rows: pl.DataFrame, facts: SampleFacts, *, include_personal: bool) -> list[dict[str, Any]]:
    hidden = {*DESIGN_COLUMNS, *(() if include_personal else facts.personal)} - {facts.id_column}
    if facts.id_column in facts.personal and not include_personal:
        raise UnusableInput(
            f"the column {facts.id_column}, which identifies a row, is marked personal",
            fix="write --include-personal, or let rows have another id",
        )
    return rows.select(name for name in rows.columns if name not in hidden).to_dicts()


def _render(rows: Sequence[dict[str, Any]], facts: SampleFacts, form: Format, annotator: str) -> str:
    def task(row: dict[str, Any]) -> dict[str, Any]:
        return {TASK: row[facts.id_column], **({ANNOTATOR: annotator} if annotator else {})}

    def inputs(row: dict[str, Any]) -> dict[str, Any]:
        return {name: _plain(value) for name, value in row.items() if name != facts.id_column}

    match form:
        case "csv":
            text = io.StringIO()
            names = [*task(rows[0]), *inputs(rows[0]), facts.label] if rows else []
            writer = csv.DictWriter(text, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows({**inputs(row), **task(row), facts.label: ""} for row in rows)
            return text.getvalue()
        case "jsonl":
            return "".join(_json({**task(row), "data": inputs(row), facts.label: None}) + "\n" for row in rows)
        case _:
            tasks = ({"data": {**inputs(row), **task(row)}, "meta": {"sample": facts.id}} for row in rows)
            return "[\n" + ",\n".join(_json(each) for each in tasks) + "\n]\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
