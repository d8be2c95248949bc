"""A validation report as Markdown, for the comment of a pull request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.rules.markdown_text import table, text
from gatewright.web.validation_words import Report, breach, cautions, drift_rows, told

_MOST = 40
_MARKS = {"pass": "✅", "warn": "⚠️", "fail": "❌"}


def validation_markdown(report: Report) -> str:
    """The status first, then every breach with example rows, the drift, and what was not judged."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"## {_MARKS[report['status']]} Data: {text(told(report))}"
    yield ""
    yield f"{report['rows']:,} rows, {len(report['violations'])} breaches of the schema file."
    for found in report["violations"]:
        yield ""
        yield f"- {text(breach(found))}"
        if rows := found["example_rows"]:
            yield ""
            yield f"<details><summary>{len(rows)} example rows</summary>"
            yield ""
            yield from table([text(name) for name in rows[0]], ([text(cell) for cell in row.values()] for row in rows))
            yield ""
            yield "</details>"
    drift = report["drift"]
    if drift is not None and drift["columns"]:
        yield ""
        yield f"### Drift from {text(drift['reference'])}: {drift['status']}"
        yield ""
        if drift["label_rate"]:
            yield "Label rate {:.4f} → {:.4f}.".format(*drift["label_rate"])
            yield ""
        rows = drift_rows(drift)
        cells = ([text(cell) for cell in row] for row in rows[:_MOST])
        yield from table(("column", "status", "PSI", "rows with unknown values", "missing"), cells)
        if len(rows) > _MOST:
            yield f"\n… and {len(rows) - _MOST:,} more"
    notes = list(cautions(report))
    if notes:
        yield ""
        yield from (f"- {text(line)}" for line in notes)
