"""Validation reports as one self-contained HTML page with histograms against the reference. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatewright.web import words
from gatewright.web.histograms import histogram
from gatewright.web.page import template
from gatewright.web.validation_words import Report, breach, cautions, missing_shares, told

_LABELS = {"pass": "✓ pass", "warn": "! warning", "fail": "✗ fail", "not judged": "– not judged"}
_TONES = {"pass": "pass", "warn": "waived", "fail": "fail", "not judged": "inconclusive"}
_PICTURES = 60


def validation_html(reports: Sequence[Report]) -> str:
    """The whole page. Every name and value in it is escaped."""
    from markupsafe import Markup

    return template("validation.html", whole=words.whole, percent=words.percent).render(
        parts=[_part(report, Markup) for report in reports], labels=_LABELS, tones=_TONES
    )


def _part(report: Report, markup: Any) -> dict[str, Any]:
    drift = report["drift"]
    columns = [
        {
            **column,
            "picture": markup(histogram(column["name"], column["cells"]))
            if column["cells"] and index < _PICTURES
            else None,
            "missing": missing_shares(drift, column) if column["cells"] else None,
        }
        for index, column in enumerate(drift["columns"] if drift else ())
    ]
    return {
        "report": report,
        "told": told(report),
        "breaches": [(breach(found), found["example_rows"]) for found in report["violations"]],
        "drift": drift,
        "columns": columns,
        "cautions": list(cautions(report)),
    }
