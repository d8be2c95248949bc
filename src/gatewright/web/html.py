"""A report as one self-contained HTML file: inline style and pictures, no script, no address of somebody else. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gatewright.domain.gate import Comparison, GateResult, Verdict
from gatewright.web import words
from gatewright.web.forest import forest
from gatewright.web.latency_curve import latency_curve
from gatewright.web.measured import GroupRates
from gatewright.web.page import template
from gatewright.web.subject import Subject, sla_of

_TABLE_ROWS = 200
_LABELS = {"pass": "✓ pass", "fail": "✗ fail", "inconclusive": "? inconclusive", "waived": "◇ waived"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _GateSection:
    """A gate with its picture and its comparisons, the worst first; `more` are left out of the table."""

    result: GateResult
    picture: Any
    rows: Sequence[Comparison]
    more: int


def html(subject: Subject) -> str:
    """The whole page. Every name in it is escaped, wherever it comes from."""
    from markupsafe import Markup

    page = template(
        "report.html",
        change=words.change,
        number=words.number,
        p=words.p_value,
        percent=words.percent,
        signed=words.signed,
        standing=words.standing,
        whole=words.whole,
    )
    measured = subject.measured
    curve = latency_curve(measured.candidate_latency, measured.baseline_latency, sla_of(subject)) if measured else None
    return page.render(
        subject=subject,
        judgement=subject.recorded.judgement if subject.recorded else None,
        verdict=subject.recorded.verdict.value if subject.recorded else "open",
        labels=_LABELS,
        sections=[_section(result, Markup) for result in _results(subject)],
        curve=Markup(curve) if curve else None,
        untested=[
            (result.gate, each)
            for result in _results(subject)
            for each in words.worst_first(result.comparisons)
            if each.verdict is Verdict.INCONCLUSIVE
        ][:_TABLE_ROWS],
        groups=list(_by_attribute(measured.groups if measured else ())),
        is_open=words.is_open,
    )


def _results(subject: Subject) -> tuple[GateResult, ...]:
    return subject.recorded.judgement.results if subject.recorded else ()


def _section(result: GateResult, markup: Any) -> _GateSection:
    # The latency gate has a picture of its own.
    picture = forest(result) if result.gate != "latency" else None
    return _GateSection(
        result=result,
        picture=markup(picture) if picture else None,
        rows=words.worst_first(result.comparisons, _TABLE_ROWS),
        more=max(len(result.comparisons) - _TABLE_ROWS, 0),
    )


def _by_attribute(groups: Sequence[GroupRates]) -> Iterator[tuple[str, list[GroupRates]]]:
    for attribute in dict.fromkeys(each.attribute for each in groups):
        found = [each for each in groups if each.attribute == attribute]
        yield attribute, sorted(found, key=lambda each: each.candidate if each.candidate is not None else 0.0)
