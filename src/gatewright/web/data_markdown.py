"""Two data versions side by side as Markdown, for the comment of a pull request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.rules.data_diff import DataDifference
from gatewright.rules.markdown_text import table, text
from gatewright.stats.psi import FAIL, WARN
from gatewright.web.data_words import counted, group_rows, rate, share, shifted, types

_MOST = 40


def data_markdown(found: DataDifference) -> str:
    """The class of the change first, then columns, groups, and what could not be told."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: DataDifference) -> Iterator[str]:
    yield f"## Data: {text(found.now.name)} is {found.change.kind}"
    yield ""
    yield f"{text(found.change.why)}."
    yield ""
    facts: list[tuple[str, ...]] = [
        ("version", text(found.before.version), text(found.now.version)),
        ("rows", *counted(found)),
    ]
    facts += [("role", found.before.role, found.now.role)] if found.before.role != found.now.role else []
    facts += [("label rate", *map(rate, found.label_rates))]
    yield from table(("", "before", "now"), facts)
    yield from _columns(found)
    if rows := group_rows(found):
        yield ""
        yield f"<details><summary>{len(rows)} groups of the sensitive columns</summary>"
        yield ""
        cells = ([text(cell) for cell in row] for row in rows[:_MOST])
        yield from table(("group", "rows before", "rows now", "label rate before", "label rate now"), cells)
        if len(rows) > _MOST:
            yield f"\n… and {len(rows) - _MOST:,} more"
        yield ""
        yield "</details>"
    if found.untold:
        yield ""
        yield "Not told by the pointer files:"
        yield ""
        yield from (f"- {text(line)}" for line in found.untold)


def _columns(found: DataDifference) -> Iterator[str]:
    moved = sorted(shifted(found), key=lambda column: -(column.moved.value if column.moved else 9.0))
    yield ""
    if not moved:
        yield f"No column of {len(found.columns)} changed its type or its nulls, or moved by a PSI of {WARN} or more."
        return
    rows = []
    for column in moved[:_MOST]:
        value = column.moved.value if column.moved else 0.0
        mark = "❌ " if value >= FAIL or None in column.types else "⚠️ " if value >= WARN else ""
        psi = f"{'≈ ' if column.moved.estimated else ''}{value:.3f}" if column.moved else "–"
        rows.append((f"{mark}{text(column.name)}", text(types(column)), *map(share, column.nulls), psi))
    yield from table(("column", "type", "nulls before", "nulls now", "PSI"), rows)
    yield ""
    still = len(found.columns) - len(moved)
    yield f"The other {still} columns: same type, same nulls, PSI below {WARN}."
