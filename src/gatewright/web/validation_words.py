"""A validation report (the document of stage validate) in words, for a terminal, a comment and a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Report = Mapping[str, Any]


def told(report: Report) -> str:
    """What was judged."""
    data = report["data"]
    return f"{data['name']} {data['version']}" if "name" in data else str(data["path"])


def breach(found: Mapping[str, Any]) -> str:
    """One breach in one line, as the run's log has it."""
    where = f"{found['column']}: " if found["column"] else ""
    seen = f"; for example {', '.join(found['examples'])}" if found["examples"] else ""
    return f"{where}{found['rule']}: {found['count']:,} of {found['rows']:,} rows; allowed: {found['allowed']}{seen}"


def cautions(report: Report) -> Iterator[str]:
    """All that could not be judged."""
    for name, why in report["unjudged"].items():
        if isinstance(why, str):
            yield f"rule {name!r} was NOT judged: {why}"
        else:
            yield f"rule {name!r} has no answer for {why:,} rows: a value in it is null"
    drift = report["drift"]
    if drift is None:
        yield "drift was not judged: the schema file names no reference"
    elif drift["why"]:
        yield f"drift from {drift['reference']} was NOT judged: {drift['why']}"


def drift_rows(drift: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Column, status, PSI, rows with unknown values, and the shares of missing values before and now."""
    rows: list[tuple[str, ...]] = []
    for column in drift["columns"]:
        value = f"{column['psi']:.3f}" if column["psi"] is not None else "–"
        new = f"{column['new']:,}" if column["new"] else ""
        missing = "" if not column["cells"] else " → ".join(f"{share:.2%}" for share in missing_shares(drift, column))
        rows.append(
            (column["name"], column["status"] + (f": {column['why']}" if column["why"] else ""), value, new, missing)
        )
    return rows


def missing_shares(drift: Mapping[str, Any], column: Mapping[str, Any]) -> tuple[float, float]:
    """The shares of missing values before and now."""
    first = column["cells"][0]
    return first["before"] / max(drift["rows"][0], 1), first["now"] / max(drift["rows"][1], 1)
